"""How somebody says on the command line where the objects are in the first frame, and the boxes that follow from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.cli.arguments import box_from_text
from sightline.errors import BadBox, BadImage, SightlineError

if TYPE_CHECKING:
    from sightline.box import BoxLike
    from sightline.frame import Frame
    from sightline.tracker import Tracker

__all__ = ["Marks", "marks_from"]


@dataclass(frozen=True, slots=True)
class Marks:
    """Objects in the first frame, in the order boxes, points, masks.

    Attributes:
        boxes: x, y, w, h each.
        points: x, y each, about the centre of an object.
        masks: files of images of the frame's size, not black where an object is.
        select: the one object is drawn with the mouse.
    """

    boxes: Sequence[BoxLike] = ()
    points: Sequence[tuple[float, float]] = ()
    masks: Sequence[Path] = ()
    select: bool = False

    @property
    def number(self) -> int:
        """How many objects."""
        return len(self.boxes) + len(self.points) + len(self.masks) + self.select

    @property
    def are_boxes(self) -> bool:
        """Nobody has to look at the frame."""
        return self.number == len(self.boxes)

    def boxes_in(self, frame: Frame, tracker: Tracker[Any]) -> list[BoxLike]:
        """A box for each; a copy of the tracker finds the size of what a point marks.

        Raises:
            BadBox, BadImage: a point lies outside, or a mask does not fit.
            SightlineError: nothing was drawn.
        """
        from sightline.mark import box_from_point

        found: list[BoxLike] = list(self.boxes)
        found += [box_from_point(tracker, frame, point) for point in self.points]
        found += [_box_of(path, frame) for path in self.masks]
        if self.select:
            from sightline.cli.select import select_box

            found.append(select_box(frame))
        return found


def marks_from(boxes: Sequence[str], points: Sequence[str], masks: Sequence[Path], *, select: bool) -> Marks:
    """The words of the options as marks.

    Raises:
        BadBox: a word is not the numbers that it should be.
        SightlineError: nothing is marked, or the mouse is asked for beside other marks.
    """
    marks = Marks([box_from_text(text) for text in boxes], [_point_from(text) for text in points], tuple(masks), select)
    if marks.number == 0 or (select and marks.number > 1):
        raise SightlineError(
            "say where the object is in the first frame: either --box X,Y,W,H in pixels, --point X,Y, --mask FILE, or --select to draw it with the mouse."
        )
    return marks


def _point_from(text: str) -> tuple[float, float]:
    words = [word for word in re.split(r"[,\s]+", text.strip()) if word]
    try:
        x, y = (float(word) for word in words)
    except ValueError:
        raise BadBox(f"--point {text!r} is not two numbers; expected X,Y in pixels, as in --point 140,110.") from None
    return x, y


def _box_of(path: Path, frame: Frame) -> BoxLike:
    import cv2
    import numpy as np

    from sightline.mark import box_from_mask

    content = path.read_bytes() if path.is_file() else b""
    mask = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    if mask is None:
        raise BadImage(
            f"--mask {path} is no image that can be read; expected one of the first frame's size, not black where the object is."
        )
    shown = mask if mask.ndim == 2 else mask[..., :3].max(axis=2)
    if shown.shape != (frame.height, frame.width):
        raise BadImage(
            f"--mask {path} has {shown.shape[1]}x{shown.shape[0]} pixels and the first frame {frame.width}x{frame.height}; expected the same."
        )
    try:
        return box_from_mask(shown)
    except BadBox as error:
        raise BadBox(f"--mask {path}: {error}") from error
