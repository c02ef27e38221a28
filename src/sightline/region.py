"""Which part of a frame a network looks at: pixels out, boxes back.

A region holds two rectangles. `x, y, width, height` is what is cut, in whole pixels. `frame` is the rectangle, in exact
floats, between which and the crop boxes are mapped. Authors round the first and not the second; one rectangle for both
would cost up to half a pixel (Ye et al., ECCV 2022, released code; golden/components/map_back_and_clip).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.bend import Bend, bend_around, lerp
from sightline.box import Box
from sightline.spec import ClipRule, Crop, CropRule, Padded, Pixels, ReportRule, SeekRule, StartRule

__all__ = [
    "CLIP_RULES",
    "CROP_RULES",
    "REPORT_RULES",
    "SEEK_RULES",
    "START_RULES",
    "BentRegion",
    "Fill",
    "Region",
    "Size",
    "clip",
    "clip_to_margin",
    "context_square",
    "crop_for",
    "part_of",
    "patch_square",
    "region_around",
    "regions_around",
    "whole_square",
]

Fill = tuple[float, float, float]  # RGB 0..255
Size = tuple[int, int]  # width, height of a frame in pixels


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a frame, and the square crop that is made of it.

    Attributes:
        x, y: left and top pixel that is cut; may lie outside the frame.
        width, height: of the cut in pixels.
        size: pixels along each side of the crop.
        frame: the rectangle that boxes are mapped by, in frame pixels.
        limit: width and height of the part of the frame that is read; what lies beyond is filled.
        fill: colour of what lies outside.
        pixels: kind of the crop's numbers.
        padded: whether what lies outside is put around the picture before or after it is resized, and how (`Crop.padded`).
        stride: of how many pixels along each side one is read.
    """

    x: int
    y: int
    width: int
    height: int
    size: int
    frame: Box
    limit: Size
    fill: Fill = (0.0, 0.0, 0.0)
    pixels: Pixels = "uint8"
    padded: Padded = "before"
    stride: int = 1

    def take(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop: (size, size, C) of `pixels` in 0..255, a new array, by bilinear interpolation (OpenCV's, unless `padded` is "aligned").

        Args:
            image: (H, W, C) uint8, of which only the needed part is touched.
        """
        if self.padded == "aligned":
            return self._aligned(image)
        if self.padded == "grid":
            return self._on_grid(image)
        if self.padded == "corners":
            return self._cornered(image)
        if self.padded == "edge":
            rows, columns = self._strided(self.y, self.height, image.shape[0]), self._strided(self.x, self.width, image.shape[1])
            picture = image[rows.reshape(-1, 1), columns].astype(self.pixels)
            return cv2.resize(picture, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        if self.padded == "after":
            return self._surrounded(self._inside(image))
        return cv2.resize(self.cut(image), (self.size, self.size), interpolation=cv2.INTER_LINEAR)

    def _cornered(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop whose outermost pixels have their middles on the edges of `frame`, at any fraction of a pixel."""
        across, down = (self.size - 1) / self.frame.w, (self.size - 1) / self.frame.h
        matrix = np.array([[across, 0, -across * self.frame.x], [0, down, -down * self.frame.y]])
        picture = image.astype(self.pixels, copy=False)
        return cv2.warpAffine(picture, matrix, (self.size, self.size), borderMode=cv2.BORDER_CONSTANT, borderValue=self.fill)

    def cut(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """What the crop is made of, not yet resized: (height, width, C) of `pixels`, filled outside; not to be written to."""
        left, top, right, bottom = self._overhang()
        picture: NDArray[Any] = self._inside(image).astype(self.pixels, copy=False)
        if left or top or right or bottom:
            picture = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=self.fill)
        return picture

    def _inside(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        left, top, right, bottom = self._overhang()
        return image[self.y + top : self.y + self.height - bottom, self.x + left : self.x + self.width - right]

    def _surrounded(self, inside: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop where only what lies inside the frame is resized, and the rest of it is filled; start and length are rounded apart."""
        left, top, _, _ = self._overhang()
        across, down = self.size / self.width, self.size / self.height
        x, y = round(left * across), round(top * down)
        # as published, but for ends beyond the crop: there is an error there
        end_x, end_y = min(x + round(inside.shape[1] * across), self.size), min(y + round(inside.shape[0] * down), self.size)
        crop = np.full((self.size, self.size, inside.shape[2]), self.fill, self.pixels)
        if end_x > x and end_y > y:
            crop[y:end_y, x:end_x] = cv2.resize(inside, (end_x - x, end_y - y), interpolation=cv2.INTER_LINEAR)
        return crop

    def _aligned(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop where the part of the frame that it shows is resized so that its outermost pixels stay the outermost ones."""
        crop = np.full((self.size, self.size, image.shape[2]), self.fill, self.pixels)
        columns, across = self._span(self.frame.x, self.frame.w, self.limit[0])
        rows, down = self._span(self.frame.y, self.frame.h, self.limit[1])
        if across and down:
            crop[down.start : down.stop, across.start : across.stop] = _stretched(
                image[rows.start : rows.stop, columns.start : columns.stop], len(across), len(down)
            )
        return crop

    def _span(self, start: float, length: float, limit: int) -> tuple[range, range]:
        """One axis of `_aligned`: which pixels of the frame are shown, and in which of the crop; both empty where there are none."""
        scale, centre, middle = self.size / length, start + 0.5 * length, 0.5 * self.size
        first, last = (min(max((edge - centre) * scale + middle, 0.5), self.size - 0.5) for edge in (0, limit))
        if first >= last:
            return range(0), range(0)
        # as published: both ends are cut off to whole pixels, in the crop and in the frame
        shown = range(max(0, _whole((first - middle) / scale + centre)), min(_whole((last - middle) / scale + centre), limit - 1) + 1)
        return shown, range(_whole(first), _whole(last) + 1) if shown else shown

    def _on_grid(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop where what is cut lies in the frame, and becomes whole pixels of the crop."""
        crop = np.full((self.size, self.size, image.shape[2]), self.fill, self.pixels)
        if self.width and self.height:
            rows, columns = self._shown()
            picture = image[self.y : self.y + self.height, self.x : self.x + self.width].astype(self.pixels)
            length = (columns.stop - columns.start, rows.stop - rows.start)
            crop[rows, columns] = cv2.resize(picture, length, interpolation=cv2.INTER_LINEAR).reshape(*reversed(length), -1)
        return crop

    def _shown(self) -> tuple[slice, slice]:
        """Which rows and columns of the crop what is cut becomes."""
        spans = ((self.y, self.height, self.frame.y, self.frame.h), (self.x, self.width, self.frame.x, self.frame.w))
        down, across = (
            slice(round((first - start) * self.size / length), round((first + num - start) * self.size / length))
            for first, num, start, length in spans
        )
        return down, across

    def _strided(self, start: int, length: int, limit: int) -> NDArray[np.int64]:
        """One axis of a crop whose outermost pixels go on outside the frame: which pixels are read."""
        first = start % self.stride
        last = limit - 1 - (limit - 1 - first) % self.stride
        return np.clip(np.arange(start, start + length, self.stride), first, last)

    def padding(self) -> NDArray[np.bool_]:
        """(size, size), true where the crop shows anything from outside the frame."""
        if self.padded == "grid":
            alone = np.ones((self.size, self.size), bool)
            if self.width and self.height:
                alone[self._shown()] = False
            return alone
        mask = self.outside()
        resized: NDArray[np.float64] = cv2.resize(mask, (self.size, self.size), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]  # float64 in, float64 out
        padded: NDArray[np.bool_] = resized != 0
        return padded

    def outside(self) -> NDArray[np.float64]:
        """(height, width), 1 where what is cut lies outside the frame, else 0."""
        left, top, right, bottom = self._overhang()
        mask = np.ones((self.height, self.width))
        mask[top : self.height - bottom, left : self.width - right] = 0.0
        return mask

    def to_crop(self, box: Box) -> NDArray[np.float64]:
        """A box of the frame as cx, cy, w, h (4,) in fractions of the crop."""
        cx, cy = box.centre
        return np.array(
            [(cx - self.frame.x) / self.frame.w, (cy - self.frame.y) / self.frame.h, box.w / self.frame.w, box.h / self.frame.h]
        )

    def to_frame(self, unit_cxcywh: NDArray[np.floating]) -> Box:
        """The box of the frame for cx, cy, w, h (4,) in fractions of the crop; the inverse of `to_crop`."""
        cx, cy, w, h = (float(value) for value in unit_cxcywh)
        w, h = w * self.frame.w, h * self.frame.h
        return Box(self.frame.x + cx * self.frame.w - 0.5 * w, self.frame.y + cy * self.frame.h - 0.5 * h, w, h)

    def _overhang(self) -> tuple[int, int, int, int]:
        """Pixels of the cut that lie outside the readable part: left, top, right, bottom; together never more than the cut."""
        width, height = self.limit
        left, top = min(max(0, -self.x), self.width), min(max(0, -self.y), self.height)
        right = min(max(0, self.x + self.width - width), self.width - left)
        bottom = min(max(0, self.y + self.height - height), self.height - top)
        return left, top, right, bottom


def _whole(place: float) -> int:
    """A place without its fraction; what floats leave of a whole number counts as that number."""
    return int(round(place, 9))


def _stretched(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float32]:
    """A picture (h, w, C) in another size (height, width, C), the middles of its outermost pixels staying where they are; bilinear."""
    return lerp(lerp(picture, np.linspace(0, 1, height), 0), np.linspace(0, 1, width), 1)


@dataclass(frozen=True, slots=True)
class BentRegion:
    """A rectangle of a frame that is sampled unevenly (`Crop.zoom`); beside that it is used as a `Region`.

    Attributes:
        even: the rectangle, as it would be without that.
        bend: where the crop's rows and columns come from.
    """

    even: Region
    bend: Bend

    @property
    def x(self) -> int:
        """Left pixel that is cut."""
        return self.even.x

    @property
    def y(self) -> int:
        """Top pixel that is cut."""
        return self.even.y

    @property
    def width(self) -> int:
        """Of the cut in pixels."""
        return self.even.width

    @property
    def height(self) -> int:
        """Of the cut in pixels."""
        return self.even.height

    @property
    def frame(self) -> Box:
        """The rectangle that is looked at, in frame pixels."""
        return self.even.frame

    @property
    def size(self) -> int:
        """Pixels along each side of the crop."""
        return self.bend.size

    def take(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """The crop: (size, size, C) of `Crop.pixels` in 0..255, a new array; floats are not rounded."""
        crop = self.bend.sample(self.even.cut(image))
        return crop if self.even.pixels == "float32" else np.rint(crop).astype(np.uint8)

    def padding(self) -> NDArray[np.bool_]:
        """(size, size), true where the crop shows anything from outside the frame."""
        padded: NDArray[np.bool_] = self.bend.sample(self.even.outside()[..., np.newaxis])[..., 0] != 0
        return padded

    def to_crop(self, box: Box) -> NDArray[np.float64]:
        """A box of the frame as cx, cy, w, h (4,) in fractions of the crop; sides that lie beyond it are moved to its edge."""
        return _bent(self.even.to_crop(box), self.bend.from_cut)

    def to_frame(self, unit_cxcywh: NDArray[np.floating]) -> Box:
        """The box of the frame for cx, cy, w, h (4,) in fractions of the crop: the inverse of `to_crop` for boxes inside it."""
        return self.even.to_frame(_bent(np.asarray(unit_cxcywh, np.float64), self.bend.to_cut))


def _bent(unit_cxcywh: NDArray[np.float64], move: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
    """A box whose corners were moved."""
    centre, half = unit_cxcywh[:2], unit_cxcywh[2:] / 2
    moved = move(np.concatenate([centre - half, centre + half]))
    return np.concatenate([(moved[:2] + moved[2:]) / 2, moved[2:] - moved[:2]])


def part_of(region: Region | BentRegion, unit_cxcywh: NDArray[np.floating]) -> Box:
    """A part of the crop, (4,) in 0..1 of it, in frame pixels, for pictures of the frame: by the whole pixels that were cut."""
    (cx, cy), (u, v, w, h) = region.frame.centre, (float(value) for value in unit_cxcywh)
    width, height = region.width, region.height
    return Box(cx + (u - w / 2 - 0.5) * width, cy + (v - h / 2 - 0.5) * height, w * width, h * height)


def crop_for(box: Box, crop: Crop, size: Size) -> Crop:
    """The crop by which a target of `box` in its first frame, of `size`, is looked at: of another size where the crop says so."""
    if crop.fitted is not None:
        return _fitted(box, crop, crop.fitted)
    if crop.small is None or box.w * box.h / (size[0] * size[1]) >= crop.small[0]:
        return crop
    larger = crop.small[1]
    return replace(crop, size=larger, factor=crop.factor * larger / crop.size)


def _fitted(box: Box, crop: Crop, fitted: tuple[int, int, int]) -> Crop:
    """The crop of nearly as many pixels as it shows of the frame. Danelljan et al., CVPR 2017, released code."""
    least, most, unit = fitted
    target = math.sqrt(box.w * box.h)
    shown = target * crop.factor
    side = min(max(shown, least), most)
    size = round(side) + unit - round(side) % (2 * unit)
    return replace(crop, size=size, factor=size * (shown / side) / target)


def region_around(box: Box, crop: Crop, size: Size, fill: Fill = (0.0, 0.0, 0.0)) -> Region | BentRegion:
    """The region of `crop` around a box, in a frame of `size`.

    Args:
        box: in frame pixels, of positive size.
        crop: rule, factor and output size.
        size: width and height of the frame.
        fill: colour for what lies outside, RGB.
    """
    even = replace(CROP_RULES[crop.rule](box, crop, size, fill), pixels=crop.pixels, padded=crop.padded)
    if crop.padded == "grid":
        x, width, left, across = _on_whole_pixels(even.frame.x, even.frame.w, crop.size, even.limit[0])
        y, height, top, down = _on_whole_pixels(even.frame.y, even.frame.h, crop.size, even.limit[1])
        even = replace(even, x=x, y=y, width=width, height=height, frame=Box(left, top, across, down))
    if crop.zoom is None:
        return even
    return BentRegion(even, bend_around((box.w, box.h), (even.width, even.height), crop.zoom, crop.size))


def regions_around(box: Box, crop: Crop, size: Size, fill: Fill = (0.0, 0.0, 0.0)) -> list[Region | BentRegion]:
    """The regions of `crop` around a box, one for each of its scales; arguments as `region_around`, which knows one scale."""
    return [region_around(box, replace(crop, factor=crop.factor * scale), size, fill) for scale in crop.scales]


def _ceil_area(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """Square of side ceil(sqrt(w h) factor): the PyTracking family (STARK, OSTrack, VitTrack, ...)."""
    side = max(1, math.ceil(math.sqrt(box.w * box.h) * crop.factor))
    cx, cy = box.centre
    x, y = round(cx - 0.5 * side), round(cy - 0.5 * side)  # as published: half to even
    square = Box(cx - 0.5 * side, cy - 0.5 * side, side, side)
    # as published: the padding is one larger than needed, so the last column and row of a frame are never read
    return Region(x, y, side, side, crop.size, square, (size[0] - 1, size[1] - 1), fill)


def _context(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """Square with half of w + h as context on each axis: SiamFC and its successors. `factor` is over that square."""
    cx, cy = box.centre
    return context_square(cx - 0.5, cy - 0.5, _context_side(box) * crop.factor, crop.size, size, fill)


def _context_side(box: Box) -> float:
    """Side of the square of as many pixels as the box with half of w + h added to both of its sides."""
    context = 0.5 * (box.w + box.h)
    return math.sqrt((box.w + context) * (box.h + context))


def context_square(column: float, row: float, side: float, crop_size: int, size: Size, fill: Fill) -> Region:
    """SiamFC's square about a pixel.

    Args:
        column: of the pixel in the middle, counted from 0; the middle of pixel 0 is 0.5 in frame coordinates.
        row: likewise.
        side: of the square, before rounding.
        crop_size: pixels along each side of the crop.
        size: width and height of the frame.
        fill: colour for what lies outside, RGB.

    Source: Bertinetto et al. 2016, section 3; rounding as in golden/components/siamfc_crop.
    """
    whole = max(1, int(np.round(side)))
    x, y = int(np.round(column - (whole - 1) / 2)), int(np.round(row - (whole - 1) / 2))
    square = Box(float(column) + 0.5 - 0.5 * side, float(row) + 0.5 - 0.5 * side, side, side)
    return Region(x, y, whole, whole, crop_size, square, size, fill)


def _context_floor(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """The square of `_context` half a pixel further left and up, its corner rounded half up: SiamRPN, NanoTrack, ..."""
    return _inclusive_square(box, crop, size, fill, lambda corner: math.floor(corner + 0.5))


def _context_round(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """As `_context_floor`, but rounded half to even: LightTrack and Ocean under Python 3."""
    return _inclusive_square(box, crop, size, fill, round)


def _inclusive_square(box: Box, crop: Crop, size: Size, fill: Fill, whole: Callable[[float], int]) -> Region:
    """The square of `_context` about a centre that is read as the middle of a span of whole, inclusive pixels."""
    exact = _context_side(box) * crop.factor
    side = max(1, round(exact))
    cx, cy = box.centre
    square = Box(cx - 0.5 * exact, cy - 0.5 * exact, exact, exact)
    return Region(whole(cx - (side + 1) / 2), whole(cy - (side + 1) / 2), side, side, crop.size, square, size, fill)


def _context_ceil(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """The square of as many pixels as the box with `factor` (w + h) added to both of its sides, rounded up: TransT, HCAT."""
    context = crop.factor * (box.w + box.h)
    return whole_square(*box.centre, math.ceil(math.sqrt((box.w + context) * (box.h + context))), crop.size, size, fill)


def _context_exact(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """The square of as many pixels as the box, of at least 10 by 10, with `factor` (w + h) added to both of its sides: SwinTrack, LoRAT."""
    w, h = max(box.w, 10.0), max(box.h, 10.0)
    context = crop.factor * (w + h)
    side = math.sqrt((w + context) * (h + context))
    cx, cy = box.centre
    x, y, whole = math.floor(cx - 0.5 * side), math.floor(cy - 0.5 * side), math.ceil(side)
    return Region(x, y, whole, whole, crop.size, Box(cx - 0.5 * side, cy - 0.5 * side, side, side), size, fill)


def _on_whole_pixels(start: float, length: float, size: int, limit: int) -> tuple[int, int, float, float]:
    """One axis of a region on the grid: first pixel and number of pixels that are read, start and length after stretching.

    Source: golden/lorat/crop.
    """
    scale = size / length
    low, high = (min(max((edge - start) * scale, 0.0), size) for edge in (0, limit))
    near, far = math.floor(low), _nearly_up(high)
    first, last = max(0, math.floor(low / scale + start)), min(limit, _nearly_up(high / scale + start))
    if low >= high or near >= far or first >= last:
        return 0, 0, start, length
    stretch = (far - near) / (last - first)
    return first, last - first, first - near / stretch, size / stretch


def _nearly_up(end: float) -> int:
    """As published: the end of a span rounded up, but for less than a ten-thousandth."""
    return math.floor(end + 1 - 1e-4)


def whole_square(cx: float, cy: float, side: int, crop_size: int, size: Size, fill: Fill) -> Region:
    """A square of whole pixels whose centre is read as the middle of a span of inclusive pixels: half a pixel further left and up.

    Args:
        cx: centre in frame pixels, which boxes are mapped about.
        cy: likewise.
        side: of the square, in pixels.
        crop_size: pixels along each side of the crop.
        size: width and height of the frame.
        fill: colour for what lies outside, RGB.

    Source: Chen et al. 2021; golden/components/transt_crop.
    """
    side = max(1, side)
    x, y = (math.floor(centre - (side + 1) / 2 + 0.5) for centre in (cx, cy))
    return Region(x, y, side, side, crop_size, Box(cx - 0.5 * side, cy - 0.5 * side, side, side), size, fill)


def _sides(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """The box with `factor` of its width and of its height on either side, stretched to a square: FEAR."""
    share = crop.factor
    x, y = math.trunc(box.x - box.w * share), math.trunc(box.y - box.h * share)  # as published: toward zero
    width, height = max(1, math.trunc(box.w * (1 + 2 * share))), max(1, math.trunc(box.h * (1 + 2 * share)))
    return Region(x, y, width, height, crop.size, Box(x, y, width, height), size, fill)


def patch_square(
    row: float,
    column: float,
    side: float,
    crop_size: int,
    size: Size,
    *,
    stays: Literal["anywhere", "inside", "mostly"] = "anywhere",
    change: float = 1.0,
    halves: bool = True,
) -> Region:
    """PyTracking's square about a pixel; outside the frame its outermost pixels go on. Its `frame` is what was cut, halves kept.

    Args:
        row: of the pixel in the middle, counted from 0; its fraction is cut off.
        column: likewise.
        side: of the square.
        crop_size: pixels along each side of the crop.
        size: width and height of the frame.
        stays: whether the square is made smaller, and then moved, so that it lies in the frame ("mostly": in its longer side).
        change: how many times smaller it may get by that.
        halves: whether half of an odd number of pixels is that, as the authors' code does today; it was cut off where it ran on PyTorch 1.4.

    Source: golden/components/pytracking_crop; Danelljan and Bhat, PyTracking, 2019.
    """
    width, height = size
    if stays != "anywhere":
        shares = np.array([side / height, side / width], np.float32)
        shrink = np.clip(shares.max() if stays == "inside" else shares.min(), 1, np.float32(change))
        side = int(np.float32(side) / shrink)
    stride = max(int(np.float32(side) / crop_size - 0.1), 1)
    whole = max(round(np.float32(side) / stride), 2)
    half, before = (whole / 2, (whole - 1) / 2) if halves else (whole // 2, (whole - 1) // 2)
    spans, starts = [], []
    for place, limit in ((math.trunc(column), width), (math.trunc(row), height)):
        offset = place % stride
        middle, pixels = (place - offset) // stride, -(-(limit - offset) // stride)
        begin, end = middle - before, middle + half + 1
        if stays != "anywhere":
            begin, end = _moved_inside(begin, end, pixels)
        spans.append((begin * stride, (end - begin) * stride))  # as published: without the offset
        starts.append((offset + math.trunc(begin) * stride, (math.trunc(end) - math.trunc(begin)) * stride))
    (x, across), (y, down) = starts
    frame = Box(spans[0][0], spans[1][0], spans[0][1], spans[1][1])
    return Region(x, y, across, down, crop_size, frame, size, padded="edge", stride=stride)


def _moved_inside(begin: float, end: float, limit: int) -> tuple[float, float]:
    """A span moved into 0..limit; as far over one end as over the other, where it is too long."""
    shift = max(-begin, 0) - max(end - limit, 0)
    begin, end = begin + shift, end + shift
    outside = (max(-begin, 0) + max(end - limit, 0)) // 2
    shift = -begin - outside if outside > 0 else 0
    return begin + shift, end + shift


def _patch(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """Square of side sqrt(w h) factor, whatever of it lies in the frame: DiMP."""
    cx, cy = box.centre
    region = patch_square(cy - 0.5, cx - 0.5, math.sqrt(box.w * box.h) * crop.factor, crop.size, size)
    return replace(region, fill=fill)


def _patch_mostly(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """The square of `_patch`, up to half as small and moved into the longer side of the frame: ToMP."""
    cx, cy = box.centre
    region = patch_square(cy - 0.5, cx - 0.5, math.sqrt(box.w * box.h) * crop.factor, crop.size, size, stays="mostly", change=1.5)
    return replace(region, fill=fill)


def _patch_round(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """The square of `_patch` without halves of pixels; as published, boxes are mapped about another centre, rounded: ATOM."""
    cx, cy = box.centre
    side = math.sqrt(box.w * box.h) * crop.factor
    region = patch_square(cy - 0.5, cx - 0.5, side, crop.size, size, halves=False)
    x, y = round(cx - 0.5) + 0.5 - 0.5 * side, round(cy - 0.5) + 0.5 - 0.5 * side
    return replace(region, frame=Box(x, y, side, side), fill=fill)


def _stretch(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """`factor` times the box along each axis, stretched to a square: DCFNet."""
    (cx, cy), w, h = box.centre, box.w * crop.factor, box.h * crop.factor
    frame = Box(cx - 0.5 * w, cy - 0.5 * h, w, h)
    x, y = math.floor(frame.x), math.floor(frame.y)
    width, height = max(1, math.ceil(frame.x + w) - x), max(1, math.ceil(frame.y + h) - y)
    return Region(x, y, width, height, crop.size, frame, size, fill)


CROP_RULES: dict[CropRule, Callable[[Box, Crop, Size, Fill], Region]] = {
    "ceil-area": _ceil_area,
    "context": _context,
    "context-ceil": _context_ceil,
    "context-exact": _context_exact,
    "context-floor": _context_floor,
    "context-round": _context_round,
    "patch": _patch,
    "patch-mostly": _patch_mostly,
    "patch-round": _patch_round,
    "sides": _sides,
    "stretch": _stretch,
}


def clip(box: Box, rule: ClipRule, size: Size) -> Box:
    """A predicted box brought back into a frame of `size`, by a named rule."""
    return CLIP_RULES[rule](box, size)


def clip_to_margin(box: Box, size: Size, margin: float = 10.0) -> Box:
    """At least `margin` pixels wide and high, and inside the frame: the PyTracking family."""
    width, height = size
    x1, x2 = min(max(0.0, box.x), width - margin), min(max(margin, box.x + box.w), width)
    y1, y2 = min(max(0.0, box.y), height - margin), min(max(margin, box.y + box.h), height)
    return Box(x1, y1, max(margin, x2 - x1), max(margin, y2 - y1))


def _clip_centre(box: Box, size: Size) -> Box:
    """The centre in the frame, each side at least 10 pixels and at most the frame's: the SiamRPN family."""
    (cx, cy), (width, height) = box.centre, size
    cx, cy = min(max(0.0, cx), width), min(max(0.0, cy), height)
    w, h = max(10.0, min(box.w, width)), max(10.0, min(box.h, height))
    return Box(cx - 0.5 * w, cy - 0.5 * h, w, h)


def _clip_near(box: Box, size: Size) -> Box:
    """A fifth of the box or more in the frame, each side at least a pixel and at most the frame's: ATOM, DiMP."""
    w, h = min(max(box.w, 1.0), size[0]), min(max(box.h, 1.0), size[1])
    cx, cy = (min(max(centre, -0.3 * side), limit + 0.3 * side) for centre, side, limit in zip(box.centre, (w, h), size, strict=True))
    return Box(cx - 0.5 * w, cy - 0.5 * h, w, h)


def _clip_sides(box: Box, size: Size) -> Box:
    """Each side at least 4 pixels and at most the frame's: DCFNet."""
    (cx, cy), w, h = box.centre, max(4.0, min(box.w, size[0])), max(4.0, min(box.h, size[1]))
    return Box(cx - 0.5 * w, cy - 0.5 * h, w, h)


def _clip_whole(box: Box, size: Size) -> Box:
    """Whole pixels inside the frame, at least 3 by 3: FEAR."""
    x, w = _whole_span(box.x, box.w, size[0])
    y, h = _whole_span(box.y, box.h, size[1])
    return Box(x, y, w, h)


def _whole_span(start: float, length: float, limit: int) -> tuple[int, int]:
    """One axis of `_clip_whole`: first pixel and number of pixels."""
    first = min(max(0, round(start)), limit)
    # as published: what lies before the frame is moved in, with its whole length; what reaches beyond its end is cut
    length = max(3, min(max(3, round(length)), limit - first))
    return max(0, min(first, limit - length)), length


def _as_is(box: Box, size: Size) -> Box:  # noqa: ARG001  # the signature of a rule
    return box


def _half_pixel(box: Box, size: Size) -> Box:  # noqa: ARG001  # the signature of a rule
    """As published: the first centre is that of whole, inclusive pixels, the later ones are not (NanoTrack)."""
    return box._replace(x=box.x - 0.5, y=box.y - 0.5)


def _corner(box: Box, size: Size) -> Box:  # noqa: ARG001  # the signature of a rule
    """The corner is pushed into the frame and the size stays (LightTrack)."""
    return box._replace(x=max(0.0, box.x), y=max(0.0, box.y))


def _anywhere(box: Box, before: Box, size: Size) -> Box:  # noqa: ARG001  # the signature of a rule
    return box


def _inside(box: Box, before: Box, size: Size) -> Box:
    """Half a pixel or more inside the frame; the box before it where nothing of it is left (SwinTrack)."""
    x1, y1 = max(box.x, 0.5), max(box.y, 0.5)
    x2, y2 = min(box.x + box.w, size[0] - 0.5), min(box.y + box.h, size[1] - 0.5)
    return Box(x1, y1, x2 - x1, y2 - y1) if x1 < x2 and y1 < y2 else before


def _inside_frame(box: Box, size: Size) -> Box:
    """What of the box lies in the frame (LoRAT); nothing, at its edge, where none does."""
    x1, y1 = min(max(box.x, 0.0), size[0]), min(max(box.y, 0.0), size[1])
    x2, y2 = min(max(box.x + box.w, x1), size[0]), min(max(box.y + box.h, y1), size[1])
    return Box(x1, y1, x2 - x1, y2 - y1)


def _still_in_frame(box: Box, before: Box, size: Size) -> Box:
    """What of the box lies in the frame; the box before it where nothing does (LoRAT)."""
    shown = _inside_frame(box, size)
    return shown if shown.w > 0 and shown.h > 0 else before


CLIP_RULES: dict[ClipRule, Callable[[Box, Size], Box]] = {
    "margin": clip_to_margin,
    "none": _as_is,
    "centre": _clip_centre,
    "near": _clip_near,
    "sides": _clip_sides,
    "whole": _clip_whole,
}
START_RULES: dict[StartRule, Callable[[Box, Size], Box]] = {"none": _as_is, "half-pixel": _half_pixel, "whole": _clip_whole}
REPORT_RULES: dict[ReportRule, Callable[[Box, Size], Box]] = {"none": _as_is, "corner": _corner, "frame": _inside_frame}
SEEK_RULES: dict[SeekRule, Callable[[Box, Box, Size], Box]] = {"none": _anywhere, "inside": _inside, "frame": _still_in_frame}
