"""How much two regions share, counted in pixels, by the two rules of the VOT challenges.

A region is a float array: one number is a code (start, failure, unknown: no place), four are a box x, y, w, h, six or more
a polygon x1, y1, x2, y2, ...; or a mask, a bool array (H, W) of the whole frame. The rules differ from geometry, and from
each other, at every edge: a box of w x h whole pixels covers w x h of them by the newer rule and (w + 1)(h + 1) by the older.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData

__all__ = ["Region", "corners_of", "is_code", "is_empty", "raster_overlap", "raster_overlap_old"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Region = NDArray[Any]  # float64 of one dimension, or a mask
Bounds = tuple[int, int, int, int]  # left, top, right, bottom; all belong to the region

FAR_APART = 1e10  # as published: bounds of which one is so many times the other are no match


def is_code(region: Region) -> bool:
    """Whether a region says something other than a place: it is one number, or not all of its numbers are known."""
    return region.dtype != np.bool_ and (region.size == 1 or bool(np.isnan(region).any()))


def is_empty(region: Region) -> bool:
    """Whether a region is a code, has no number, or no width or height."""
    if region.dtype == np.bool_:
        return not region.any()
    if is_code(region):
        return True
    if region.size == 4:
        return not (region[2:] > 0).all()
    corners = corners_of(region)
    return bool((corners.min(axis=0) == corners.max(axis=0)).any())


def corners_of(region: Floats) -> Floats:
    """Corners (N, 2) of a box or a polygon.

    Raises:
        BadData: neither four numbers nor an even number of six or more.
    """
    if region.size == 4:
        x, y, w, h = region.tolist()
        return np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    if region.size < 6 or region.size % 2:
        raise BadData(f"a region of {region.size} numbers is neither a box (4) nor a polygon (6, 8, ...).")
    return region.reshape(-1, 2)


def raster_overlap(a: Region, b: Region, size: tuple[int, int]) -> float:
    """Common pixels of two regions by the pixels of either, inside an image, 0..1.

    Args:
        a: a region; not modified.
        b: another.
        size: (width, height) of the image.

    Returns:
        1 where both are empty or of one pixel's width or height, 0 where neither has a pixel inside the image.

    Source: the VOT toolkit in Python (2020 on); golden/metrics/vot-*.
    """
    a, b = (region if region.dtype == np.bool_ else np.round(region) for region in (a, b))
    first, second = bounds_of(a), bounds_of(b)
    left, top, right, bottom = joined(first, second)
    if left >= right or top >= bottom:
        return 1.0
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, size[0] - 1), min(bottom, size[1] - 1)
    if left >= right or top >= bottom:
        return 0.0
    window = (left, top, right, bottom)
    return shared_part(pixels_of(a, window), pixels_of(b, window))


def bounds_of(region: Region) -> Bounds:
    """The pixels between which a rounded region lies."""
    if region.dtype == np.bool_:
        rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
        return (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])) if len(rows) else (0, 0, 0, 0)
    if is_code(region):
        return 0, 0, 0, 0
    if region.size == 4:
        x, y, w, h = (int(number) for number in region)
        return x, y, x + w - 1, y + h - 1
    corners = corners_of(region)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return int(left), int(top), int(right), int(bottom)


def joined(a: Bounds, b: Bounds) -> Bounds:
    """The bounds around two bounds."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def pixels_of(region: Region, window: Bounds) -> Bools:
    """The pixels of a rounded region inside a window."""
    left, top, right, bottom = window
    pixels = np.zeros((bottom - top + 1, right - left + 1), dtype=bool)
    if region.dtype == np.bool_:
        part = region[top : bottom + 1, left : right + 1]
        pixels[: part.shape[0], : part.shape[1]] = part
    elif region.size == 4 and not is_code(region):
        x, y, w, h = (int(number) for number in region)
        pixels[max(y - top, 0) : max(y + h - top, 0), max(x - left, 0) : max(x + w - left, 0)] = True
    elif region.size >= 6 and not is_code(region):
        fill_polygon(pixels, corners_of(region) - (left, top), level_edges=True, last_pair=True)
    return pixels


def raster_overlap_old(a: Floats, b: Floats, bound: tuple[int, int]) -> float:
    """The same by the rule of the older toolkit: everything is a polygon of float32 corners.

    Args:
        a: a box, a polygon or a code; not modified.
        b: another.
        bound: largest x and y that count: the image's size, or one less.

    Returns:
        0..1, NaN where one is a code or neither has a pixel.

    Source: the VOT toolkit in C, as pysot carries it; golden/metrics/pysot-region-overlap.
    """
    if is_code(a) or is_code(b):
        return math.nan
    first, second = (corners_of(region).astype(np.float32).astype(np.float64) for region in (a, b))
    one, other = (cut_bounds(corners, bound) for corners in (first, second))
    common = (max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3]))
    small, large = sorted((area(one), area(other)))
    if not large:
        return math.nan
    if small * FAR_APART < large or not area(common):
        return 0.0
    left, top, right, bottom = joined(one, other)
    masks = []
    for corners in (first, second):
        shifted = corners - (left, top)
        rounded = np.sign(shifted) * np.floor(np.abs(shifted) + 0.5)
        masks.append(np.zeros((bottom - top + 1, right - left + 1), dtype=bool))
        fill_polygon(masks[-1], rounded, level_edges=False, last_pair=False)
    return shared_part(*masks, empty=math.nan)


def cut_bounds(corners: Floats, bound: tuple[int, int]) -> Bounds:
    """Whole pixels around corners, within 0..bound."""
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), bound)
    return int(left), int(top), int(right), int(bottom)


def area(bounds: Bounds) -> int:
    """Width by height; 0 where there is none."""
    return max(bounds[2] - bounds[0], 0) * max(bounds[3] - bounds[1], 0)


def shared_part(a: Bools, b: Bools, *, empty: float = 0.0) -> float:
    """Pixels of both by pixels of either; `empty` where there is none."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else empty


def fill_polygon(pixels: Bools, corners: Floats, *, level_edges: bool, last_pair: bool) -> None:
    """Mark what a polygon covers, row by row; `pixels` (H, W) is written to.

    Every edge that reaches a row, ends included, crosses it somewhere, cut to a whole number. Crossings are taken in
    pairs from the left and filled with both ends. Of two equal neighbours one is skipped, which is what makes a corner
    (two edges) one crossing.

    Args:
        pixels: marked where covered.
        corners: (N, 2) whole numbers, in pixels of `pixels`.
        level_edges: an edge along the row is a crossing, at its first end.
        last_pair: two equal crossings at the end of a row are filled, a pixel.
    """
    height, width = pixels.shape
    edges = list(zip(corners.tolist(), np.roll(corners, 1, axis=0).tolist(), strict=True))  # from a corner to the one before: exact ties
    low, high = corners[:, 1].min(), corners[:, 1].max()
    for row in range(max(int(low), 0), min(int(high), height - 1) + 1):
        crossed = sorted(crossings(edges, row, level_edges=level_edges))
        for begin, end in pairs(crossed, last_pair=last_pair):
            if end >= 0 and begin < width:
                pixels[row, max(begin, 0) : min(end, width - 1) + 1] = True


def crossings(edges: list[tuple[list[float], list[float]]], row: int, *, level_edges: bool) -> Iterator[int]:
    """Where edges meet a row, unsorted."""
    for (x, y), (last_x, last_y) in edges:
        if y == last_y:
            if level_edges and y == row:
                yield int(x)
        elif min(y, last_y) <= row <= max(y, last_y):
            yield int(x + (row - y) / (last_y - y) * (last_x - x))


def pairs(crossed: list[int], *, last_pair: bool) -> Iterator[tuple[int, int]]:
    """First and last pixel of each filled part of a row."""
    i = 0
    while i < len(crossed) - 1:
        if crossed[i] == crossed[i + 1] and not (last_pair and len(crossed) - i == 2):
            i += 1
            continue
        yield crossed[i], crossed[i + 1]
        i += 2
