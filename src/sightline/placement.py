"""Where a network looks, and what becomes of boxes: the families' rules, by name.

Families differ in how a square is rounded, in what a first box is taken for, and in where a predicted one may lie. A spec names a rule of
each kind; each is a few lines here, as published.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from sightline.bend import bend_around
from sightline.box import Box
from sightline.region import BentRegion, Fill, Region, Size
from sightline.spec import ClipRule, Crop, CropRule, ReportRule, SeekRule, StartRule

__all__ = [
    "CLIP_RULES",
    "CROP_RULES",
    "REPORT_RULES",
    "SEEK_RULES",
    "START_RULES",
    "at_scales",
    "clip",
    "clip_to_margin",
    "context_square",
    "crop_for",
    "patch_square",
    "region_around",
    "regions_around",
    "whole_square",
]


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
    even = CROP_RULES[crop.rule](box, crop, size, fill)
    # in every frame: no second region where the rule knows
    if (even.pixels, even.padded, even.copied) != (crop.pixels, crop.padded, crop.copied):
        even = replace(even, pixels=crop.pixels, padded=crop.padded, copied=crop.copied)
    if crop.padded == "grid":
        x, width, left, across = _on_whole_pixels(even.frame.x, even.frame.w, crop.size, even.limit[0])
        y, height, top, down = _on_whole_pixels(even.frame.y, even.frame.h, crop.size, even.limit[1])
        even = replace(even, x=x, y=y, width=width, height=height, frame=Box(left, top, across, down))
    if crop.zoom is None:
        return even
    return BentRegion(even, bend_around((box.w, box.h), (even.width, even.height), crop.zoom, crop.size))


def regions_around(box: Box, crop: Crop, size: Size, fill: Fill = (0.0, 0.0, 0.0)) -> list[Region | BentRegion]:
    """The regions of `crop` around a box, one for each of its scales; arguments as `region_around`, which knows one scale."""
    return at_scales(region_around(box, crop, size, fill), box, crop, size, fill)


def at_scales(region: Region | BentRegion, box: Box, crop: Crop, size: Size, fill: Fill = (0.0, 0.0, 0.0)) -> list[Region | BentRegion]:
    """The same for a `region` of scale 1 which is there already."""
    return [region if scale == 1.0 else region_around(box, replace(crop, factor=crop.factor * scale), size, fill) for scale in crop.scales]


def _ceil_area(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """Square of side ceil(sqrt(w h) factor): the PyTracking family (STARK, OSTrack, VitTrack, ...)."""
    side = max(1, math.ceil(math.sqrt(box.w * box.h) * crop.factor))
    cx, cy = box.centre
    x, y = round(cx - 0.5 * side), round(cy - 0.5 * side)  # as published: half to even
    square = Box(cx - 0.5 * side, cy - 0.5 * side, side, side)
    # as published: the padding is one larger than needed, so the last column and row of a frame are never read
    return Region(x, y, side, side, crop.size, square, (size[0] - 1, size[1] - 1), fill, copied=crop.copied)


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


def _stretch_outward(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """The smallest whole pixels around `factor` times the box along each axis; boxes are mapped by what was cut, to a hair: Merlin."""
    (cx, cy), w, h = box.centre, box.w * crop.factor, box.h * crop.factor
    x, y = math.floor(cx - 0.5 * w), math.floor(cy - 0.5 * h)
    width, height = max(1, math.ceil(cx + 0.5 * w) - x), max(1, math.ceil(cy + 0.5 * h) - y)
    return Region(x, y, width, height, crop.size, Box(x, y, width, height), size, fill, copied=crop.copied)


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
    "stretch-outward": _stretch_outward,
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


def _clip_inside(box: Box, size: Size) -> Box:
    """What of the box lies in the frame, each side at least 3 pixels: Merlin."""
    return clip_to_margin(box, size, 3.0)


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
    "inside": _clip_inside,
}
START_RULES: dict[StartRule, Callable[[Box, Size], Box]] = {"none": _as_is, "half-pixel": _half_pixel, "whole": _clip_whole}
REPORT_RULES: dict[ReportRule, Callable[[Box, Size], Box]] = {"none": _as_is, "corner": _corner, "frame": _inside_frame}
SEEK_RULES: dict[SeekRule, Callable[[Box, Box, Size], Box]] = {"none": _anywhere, "inside": _inside, "frame": _still_in_frame}
