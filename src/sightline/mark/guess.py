"""From what somebody has marked, a mask or a point, to the box that a tracker begins with."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.box import Box, iou
from sightline.errors import BadBox
from sightline.frame import Frame
from sightline.tracker import Tracker

__all__ = ["box_from_mask", "box_from_point"]

SMALLEST = 10.0  # pixels: the side of the first square that is tried around a point
GROWTH = 1.4  # from a square to the next
LARGEST = 0.8  # of the frame's shorter side
TURNS = 3  # how often a box is given back to the tracker


def box_from_mask(mask: NDArray[Any], *, fit: Literal["tight", "moments"] = "tight") -> Box:
    """The box of a target whose pixels are known.

    Args:
        mask: (H, W) of anything; what is not zero shows the target.
        fit: "tight", the smallest box around all its pixels, as the VOT toolkit begins box trackers; "moments", the box that has the mask's
            centre and spread, which an outstretched arm or a stray pixel hardly moves.

    Raises:
        BadBox: the mask is not (H, W), or is zero everywhere.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise BadBox(f"a mask of shape {mask.shape} is no mask; expected (height, width), not zero where the target is.")
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise BadBox("the mask is zero everywhere; expected other values where the target is.")
    if fit == "tight":
        return Box(float(columns.min()), float(rows.min()), float(np.ptp(columns)) + 1.0, float(np.ptp(rows)) + 1.0)
    # a rectangle of width w has a variance of w^2 / 12 across; a pixel, as wide as 1, adds its own
    w, h = (math.sqrt(12.0 * (float(places.var()) + 1.0 / 12.0)) for places in (columns, rows))
    return Box(float(columns.mean()) + 0.5 - w / 2, float(rows.mean()) + 0.5 - h / 2, w, h)


def box_from_point(tracker: Tracker[Any], image: Frame | Any, point: tuple[float, float]) -> Box:
    """The box around a point that the tracker itself would keep: somebody has clicked on a target, and nobody knows its size.

    Squares of growing size around the point are marked one after the other, each followed by the tracker into the very same picture, three
    times over. A box that is an object's comes back as it was, with a high score and the point at its centre; a square on a piece of an
    object, or on several, is moved or shrunk. The box with the largest product of the three is the answer. It is a guess: among a shirt, a
    person and a group all three may be right.

    Args:
        tracker: any; a copy of it is used.
        image: as `Tracker.init` takes it.
        point: x, y in pixels, about the target's centre.

    Raises:
        BadBox: the point lies outside the image.
        BadImage: the image cannot be read.
    """
    own = tracker.copy()
    frame = Frame.of(image, channels=own.channels)
    x, y = float(point[0]), float(point[1])
    if not (0 <= x < frame.width and 0 <= y < frame.height):
        raise BadBox(f"the point {x:g},{y:g} lies outside the {frame.width}x{frame.height} frame; expected x,y in its pixels.")
    best, worth = Box(x - SMALLEST / 2, y - SMALLEST / 2, SMALLEST, SMALLEST), 0.0
    side = SMALLEST
    while side <= max(SMALLEST, LARGEST * min(frame.size)):
        box, value = _kept(own, frame, Box(x - side / 2, y - side / 2, side, side), (x, y))
        if value > worth:
            best, worth = box, value
        side *= GROWTH
    return best


def _kept(tracker: Tracker[Any], frame: Frame, box: Box, point: tuple[float, float]) -> tuple[Box, float]:
    """What becomes of a box in `TURNS` turns, and how much it is worth: score x overlap with the turn before x nearness to the point, 0..1."""
    value = 0.0
    for _ in range(TURNS):
        tracker.init(frame, box)
        estimate = tracker.update(frame)
        after = estimate.box
        if min(after.w, after.h) < 1.0:
            return box, 0.0
        score = estimate.score if math.isfinite(estimate.score) else 1.0  # of trackers that have none
        same = float(iou(np.asarray(after), np.asarray(box)))
        off = math.hypot((after.centre[0] - point[0]) / after.w, (after.centre[1] - point[1]) / after.h)
        box, value = after, score * same * max(0.0, 1.0 - off)
    return box, value
