"""Boxes of what a picture of masks shows: one object, or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadBox, BadData, BadImage
from sightline.mark import box_from_mask

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.frame import Frame

__all__ = ["boxes_in"]

SHOWN = 8  # values of a picture that a message lists


def boxes_in(path: Path, num_objects: int, frame: Frame) -> Sequence[Box]:
    """One box around all that is not black; or, of several objects, one around each value or colour but black, from the lowest on.

    Args:
        path: an image of the frame's size: grey, coloured, or with a palette, whose values are numbers of objects.
        num_objects: how many it is to show.
        frame: the first one.

    Raises:
        BadImage: it cannot be read, has another size, or shows another number of objects.
        BadBox: it is black.
    """
    shown = _colours(path) if num_objects == 1 else _numbers(path)
    if shown.shape[:2] != (frame.height, frame.width):
        raise BadImage(
            f"--mask {path} has {shown.shape[1]}x{shown.shape[0]} pixels and the first frame {frame.width}x{frame.height}; expected the same."
        )
    try:
        whole = box_from_mask(shown)
    except BadBox as error:
        raise BadBox(f"--mask {path}: {error}") from error
    if num_objects == 1:
        return [whole]
    values = np.unique(shown[shown > 0])
    if len(values) != num_objects:
        listed = ", ".join(map(_told, values[:SHOWN])) + (", ..." if len(values) > SHOWN else "")
        raise BadImage(
            f"--mask {path} has {len(values)} value{'s' * (len(values) != 1)} besides black ({listed}), and {num_objects} names are given; "
            "expected a name for each, or one name for all of it."
        )
    return [box_from_mask(shown == value) for value in values]


def _numbers(path: Path) -> NDArray[np.int64]:
    """(H, W): numbers of the objects, where the picture is grey or has a palette, else its colours; 0 shows none."""
    from sightline.evaluate.region_files import objects_of

    try:
        return objects_of(path).astype(np.int64)
    except BadData:
        return _colours(path)


def _colours(path: Path) -> NDArray[np.int64]:
    """(H, W): grey values, or colours, of 16 bits for each of red, green and blue; 0 is black."""
    content = path.read_bytes() if path.is_file() else b""
    picture: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None
    if picture is None:
        raise BadImage(
            f"--mask {path} is no image that can be read; expected one of the first frame's size, not black where the object is."
        )
    if picture.ndim == 2:
        return np.asarray(picture, np.int64)
    blue, green, red = (picture[..., i].astype(np.int64) for i in range(3))
    return np.asarray(red << 32 | green << 16 | blue, np.int64)


def _told(value: int) -> str:
    return str(value) if value < 1 << 16 else f"{value >> 32}/{value >> 16 & 0xFFFF}/{value & 0xFFFF}"
