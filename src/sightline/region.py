"""Which part of a frame a network looks at: pixels out, boxes back.

A region holds two rectangles. `x, y, side` is what is cut, in whole pixels. `frame` is the square, in exact floats, between
which and the crop boxes are mapped. Authors round the first and not the second; one rectangle for both would cost up to
half a pixel (Ye et al., ECCV 2022, released code; golden/components/map_back_and_clip).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.box import Box
from sightline.spec import ClipRule, Crop, CropRule

__all__ = ["CLIP_RULES", "CROP_RULES", "Fill", "Region", "Size", "clip", "clip_to_margin", "context_square", "region_around"]

Fill = tuple[float, float, float]  # RGB 0..255
Size = tuple[int, int]  # width, height of a frame in pixels


@dataclass(frozen=True, slots=True)
class Region:
    """A square of a frame, and the crop that is made of it.

    Attributes:
        x, y: left and top pixel that is cut; may lie outside the frame.
        side: pixels along each side of the cut.
        size: pixels along each side of the crop.
        frame: the square that boxes are mapped by, in frame pixels.
        limit: width and height of the part of the frame that is read; what lies beyond is filled.
        fill: colour of what lies outside.
    """

    x: int
    y: int
    side: int
    size: int
    frame: Box
    limit: Size
    fill: Fill = (0.0, 0.0, 0.0)

    def take(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The crop: (size, size, C) uint8, a new array, by OpenCV's bilinear interpolation.

        Args:
            image: (H, W, C) uint8, of which only the needed part is touched.
        """
        left, top, right, bottom = self._overhang()
        inside = image[self.y + top : self.y + self.side - bottom, self.x + left : self.x + self.side - right]
        if left or top or right or bottom:
            inside = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_CONSTANT, value=self.fill)  # type: ignore[assignment]  # cv2 returns Any kinds
        return cv2.resize(inside, (self.size, self.size), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]  # uint8 in, uint8 out

    def padding(self) -> NDArray[np.bool_]:
        """(size, size), true where the crop shows anything from outside the frame."""
        left, top, right, bottom = self._overhang()
        mask = np.ones((self.side, self.side))
        mask[top : self.side - bottom, left : self.side - right] = 0.0
        resized: NDArray[np.float64] = cv2.resize(mask, (self.size, self.size), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]  # float64 in, float64 out
        padded: NDArray[np.bool_] = resized != 0
        return padded

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
        """Pixels of the cut that lie outside the readable part: left, top, right, bottom; together never more than the side."""
        width, height = self.limit
        left, top = min(max(0, -self.x), self.side), min(max(0, -self.y), self.side)
        right = min(max(0, self.x + self.side - width), self.side - left)
        bottom = min(max(0, self.y + self.side - height), self.side - top)
        return left, top, right, bottom


def region_around(box: Box, crop: Crop, size: Size, fill: Fill = (0.0, 0.0, 0.0)) -> Region:
    """The region of `crop` around a box, in a frame of `size`.

    Args:
        box: in frame pixels, of positive size.
        crop: rule, factor and output size.
        size: width and height of the frame.
        fill: colour for what lies outside, RGB.
    """
    return CROP_RULES[crop.rule](box, crop, size, fill)


def _ceil_area(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """Square of side ceil(sqrt(w h) factor): the PyTracking family (STARK, OSTrack, VitTrack, ...)."""
    side = max(1, math.ceil(math.sqrt(box.w * box.h) * crop.factor))
    cx, cy = box.centre
    x, y = round(cx - 0.5 * side), round(cy - 0.5 * side)  # as published: half to even
    square = Box(cx - 0.5 * side, cy - 0.5 * side, side, side)
    # as published: the padding is one larger than needed, so the last column and row of a frame are never read
    return Region(x, y, side, crop.size, square, (size[0] - 1, size[1] - 1), fill)


def _context(box: Box, crop: Crop, size: Size, fill: Fill) -> Region:
    """Square with half of w + h as context on each axis: SiamFC and its successors. `factor` is over that square."""
    context = 0.5 * (box.w + box.h)
    side = math.sqrt((box.w + context) * (box.h + context)) * crop.factor
    cx, cy = box.centre
    return context_square(cx - 0.5, cy - 0.5, side, crop.size, size, fill)


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
    return Region(x, y, whole, crop_size, square, size, fill)


CROP_RULES: dict[CropRule, Callable[[Box, Crop, Size, Fill], Region]] = {"ceil-area": _ceil_area, "context": _context}


def clip(box: Box, rule: ClipRule, size: Size) -> Box:
    """A predicted box brought back into a frame of `size`, by a named rule."""
    return CLIP_RULES[rule](box, size)


def clip_to_margin(box: Box, size: Size, margin: float = 10.0) -> Box:
    """At least `margin` pixels wide and high, and inside the frame: the PyTracking family."""
    width, height = size
    x1, x2 = min(max(0.0, box.x), width - margin), min(max(margin, box.x + box.w), width)
    y1, y2 = min(max(0.0, box.y), height - margin), min(max(margin, box.y + box.h), height)
    return Box(x1, y1, max(margin, x2 - x1), max(margin, y2 - y1))


def _as_is(box: Box, size: Size) -> Box:  # noqa: ARG001  # the signature of a rule
    return box


CLIP_RULES: dict[ClipRule, Callable[[Box, Size], Box]] = {"margin": clip_to_margin, "none": _as_is}
