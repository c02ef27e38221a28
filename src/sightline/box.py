"""Boxes in pixels of a frame, their other notations, and how much two of them overlap.

A frame of width W and height H spans [0, W] x [0, H]; pixel (0, 0) covers [0, 1] x [0, 1]. A box is `x, y, w, h`
with the top-left corner first and `w = x2 - x1` (no +1). Other notations carry their name: `xyxy` is two corners,
`cxcywh` centre and size. Many boxes are a float array (..., 4) in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadBox

__all__ = [
    "Box",
    "BoxLike",
    "cxcywh_from_xywh",
    "cxcywh_from_xyxy",
    "iou",
    "xywh_from_cxcywh",
    "xywh_from_xyxy",
    "xyxy_from_cxcywh",
    "xyxy_from_xywh",
]

TOO_LARGE = 1000  # times the frame: nobody means such a box, and what is looked at around it would have no size

Floats: TypeAlias = NDArray[np.floating[Any]]


class Box(NamedTuple):
    """A rectangle in pixels of a frame: top-left corner, width, height, all floats."""

    x: float
    y: float
    w: float
    h: float

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) in pixels."""
        return self.x + 0.5 * self.w, self.y + 0.5 * self.h

    @classmethod
    def checked(cls, box: BoxLike, width: int, height: int) -> Box:
        """`box` as a Box, after making sure that it marks something inside a width x height frame.

        Raises:
            BadBox: not four finite numbers, no positive size, or wholly outside the frame; fractions of it, inside its first pixel; or
                more than `TOO_LARGE` times as large.
        """
        try:
            values = tuple(float(value) for value in box)
        except (TypeError, ValueError) as error:
            raise BadBox(f"box {box!r} is not four numbers; expected x, y, width, height in pixels.") from error
        if len(values) != 4:
            raise BadBox(f"box {values} has {len(values)} numbers; expected four: x, y, width, height in pixels.")
        x, y, w, h = values
        if not np.isfinite(values).all():
            raise BadBox(f"box {values} holds a value that is not finite; expected x, y, width, height in pixels.")
        if w <= 0 or h <= 0:
            raise BadBox(f"box {values} has no area (width {w:g}, height {h:g}); expected x, y, width, height in pixels, not corners.")
        if x >= width or y >= height or x + w <= 0 or y + h <= 0:
            raise BadBox(
                f"box {values} lies outside the {width}x{height} frame; expected x, y, width, height in its pixels, top-left origin."
            )
        if x >= 0 and y >= 0 and x + w <= 1 and y + h <= 1 and max(width, height) > 1:
            raise BadBox(
                f"box {values} lies in the first pixel of the {width}x{height} frame; expected x, y, width, height in pixels, not in fractions of it."
            )
        if max(w, h) > TOO_LARGE * max(width, height):
            raise BadBox(f"box {values} is far larger than the {width}x{height} frame; expected x, y, width, height in its pixels.")
        return cls(x, y, w, h)


BoxLike: TypeAlias = Sequence[float] | NDArray[Any]


def xyxy_from_xywh(boxes: Floats) -> Floats:
    """Corners x1, y1, x2, y2 of boxes (..., 4)."""
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def xywh_from_xyxy(boxes_xyxy: Floats) -> Floats:
    """Boxes (..., 4) from their corners."""
    return np.concatenate([boxes_xyxy[..., :2], boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]], axis=-1)


def xyxy_from_cxcywh(boxes_cxcywh: Floats) -> Floats:
    """Corners of boxes (..., 4) given by centre and size."""
    half = boxes_cxcywh[..., 2:] * boxes_cxcywh.dtype.type(0.5)
    return np.concatenate([boxes_cxcywh[..., :2] - half, boxes_cxcywh[..., :2] + half], axis=-1)


def cxcywh_from_xyxy(boxes_xyxy: Floats) -> Floats:
    """Centre and size of boxes (..., 4) given by corners."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def xywh_from_cxcywh(boxes_cxcywh: Floats) -> Floats:
    """Boxes (..., 4) from centre and size."""
    return xywh_from_xyxy(xyxy_from_cxcywh(boxes_cxcywh))


def cxcywh_from_xywh(boxes: Floats) -> Floats:
    """Centre and size of boxes (..., 4)."""
    return cxcywh_from_xyxy(xyxy_from_xywh(boxes))


def iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union of boxes (..., 4) and (..., 4), broadcast, as continuous rectangles.

    Returns:
        (...) floats in 0..1; NaN where both boxes have no area or one is NaN.
    """
    a_xyxy, b_xyxy = xyxy_from_xywh(a), xyxy_from_xywh(b)
    overlap = np.minimum(a_xyxy[..., 2:], b_xyxy[..., 2:]) - np.maximum(a_xyxy[..., :2], b_xyxy[..., :2])
    intersection = np.clip(overlap, 0, None).prod(axis=-1)
    union = a[..., 2:].prod(axis=-1) + b[..., 2:].prod(axis=-1) - intersection
    with np.errstate(invalid="ignore", divide="ignore"):
        overlap_share: Floats = np.minimum(intersection / union, 1.0)
    return overlap_share
