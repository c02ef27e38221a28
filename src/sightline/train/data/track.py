"""What training reads: tracks, each of one object, and pictures that are decoded when they are asked for.

A data set is a list of tracks, whatever its files look like; a still picture is a track of one. Readers of the known data sets are in
`video.py`, `imagenet_vid.py`, `stills.py`, `unlabelled.py` and `index.py`; `opening.py` finds them by name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, overload

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from sightline.box import Box
from sightline.errors import BadData

__all__ = ["Bools", "Floats", "Image", "Modality", "Picture", "Shot", "Shots", "Track", "decode", "have_boxes", "held_out"]

Image: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Modality: TypeAlias = Literal["visible", "infrared", "both"]


class Picture(Protocol):
    """One picture of one object."""

    @property
    def name(self) -> str:
        """What a report calls it: a path, or a member of a tar file."""

    def read(self, shrink: int = 1) -> tuple[Image, Box]:
        """The picture, (H, W, 3) RGB, and the object's box in it.

        Args:
            shrink: 1, 2, 4 or 8: how many times smaller than stored the caller can use it. A JPEG is decoded at that scale, which costs less;
                what cannot be decoded smaller comes as it is.

        Raises:
            BadData: it cannot be read; the message names it.
        """

    def in_frame(self) -> tuple[Image, Box]:
        """The whole frame, as a tracker sees it, and the object's box in it; errors as `read`."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """All pictures of one object, in order.

    Attributes:
        name: unique in its source.
        source: name of the data set.
        is_still: it is one picture without motion.
        pictures: T of them.
        visible: (T,) bool, the object can be seen; None: in all of them.
        boxed: (T,) bool, there is a box; None: in all of them. What is visible has one.
        kind: class of the object, as the data set calls it; empty where it does not.
        modality: of the pictures.
        place: tracks of one place may stand in each other's pictures; empty: `name` of a still up to its last "_", `source` of a video.
    """

    name: str
    source: str
    is_still: bool
    pictures: Sequence[Picture]
    visible: Bools | None = None
    boxed: Bools | None = None
    kind: str = ""
    modality: Modality = "visible"
    place: str = ""

    @property
    def scene(self) -> str:
        """Objects of the same scene may stand in each other's pictures."""
        return self.place or (self.name.rpartition("_")[0] if self.is_still else self.source)

    def seen(self) -> Bools:
        """(T,) bool: `visible`, spelled out."""
        return np.ones(len(self.pictures), bool) if self.visible is None else self.visible

    def has_box(self) -> Bools:
        """(T,) bool: `boxed`, spelled out."""
        return np.ones(len(self.pictures), bool) if self.boxed is None else self.boxed


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture that is a file of its own, with a second one of the same moment where there are two cameras."""

    file: str
    box: Box
    second: str = ""

    @property
    def name(self) -> str:
        """Its path."""
        return self.file

    def read(self, shrink: int = 1) -> tuple[Image, Box]:
        """See `Picture`."""
        image, factors = decode(_content(self.file), self.file, shrink)
        return image, _scaled(self.box, factors)

    def in_frame(self) -> tuple[Image, Box]:
        """See `Picture`."""
        return self.read()

    def read_second(self, shrink: int = 1) -> Image:
        """The second picture, (H, W, 3), grey repeated.

        Raises:
            BadData: there is none, or it cannot be read.
        """
        if not self.second:
            raise BadData(f"{self.file} has no second picture (infrared, depth); use data of two cameras.")
        return decode(_content(self.second), self.second, shrink)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Shots(Sequence[Shot]):
    """Pictures of a folder, a few bytes each: data sets have millions.

    Attributes:
        folder: in which they lie.
        files: (T,) bytes, their names.
        boxes: (T, 4) float64 x, y, w, h in pixels, origin 0; NaN where there is none.
        second_folder: of the other camera, where there is one.
        second_files: likewise.
    """

    folder: str
    files: NDArray[np.bytes_]
    boxes: Floats
    second_folder: str = ""
    second_files: NDArray[np.bytes_] | None = None

    @classmethod
    def of(cls, paths: Sequence[str], boxes: Floats, second: Sequence[str] = ()) -> Shots:
        """Those of paths in one folder."""
        folders = [os.path.dirname(paths[0]), os.path.dirname(second[0]) if second else ""]  # noqa: PTH120  no Path for each of a million
        files = [np.array([os.path.basename(path).encode() for path in some]) for some in (paths, second)]  # noqa: PTH119
        return cls(folders[0], files[0], boxes, folders[1], files[1] if second else None)

    @overload
    def __getitem__(self, index: int) -> Shot: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Shot]: ...
    def __getitem__(self, index: int | slice) -> Shot | Sequence[Shot]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        second = "" if self.second_files is None else f"{self.second_folder}/{self.second_files[index].decode()}"
        return Shot(f"{self.folder}/{self.files[index].decode()}", Box(*map(float, self.boxes[index])), second)

    def __len__(self) -> int:
        return len(self.files)


def decode(content: bytes, name: str, shrink: int = 1) -> tuple[Image, tuple[float, float]]:
    """A picture (H, W, 3) RGB from the bytes of its file, and how many of its pixels there are for each stored one, across and down.

    Args:
        content: JPEG, or anything that OpenCV reads.
        name: for the error.
        shrink: 1, 2, 4 or 8; a JPEG is decoded at that scale.

    Raises:
        BadData: it is damaged, cut off or no picture.
    """
    try:
        if content[:2] == b"\xff\xd8":
            if shrink == 1:
                return simplejpeg.decode_jpeg(content, colorspace="RGB"), (1.0, 1.0)
            height, width, _, _ = simplejpeg.decode_jpeg_header(content)
            least = {"min_height": -(-height // shrink), "min_width": -(-width // shrink)}
            image: Image = simplejpeg.decode_jpeg(content, colorspace="RGB", **least)
            return image, (image.shape[1] / width, image.shape[0] / height)
    except ValueError as error:
        raise BadData(f"{name} cannot be decoded ({str(error).strip()}); restore the file.") from error
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if content else None
    if found is None:
        raise BadData(f"{name} cannot be decoded (it is damaged or no picture); restore the file.")
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False), (1.0, 1.0)


def have_boxes(boxes: Floats) -> Bools:
    """Which of boxes (T, 4) are boxes: all numbers are finite, and there is an area."""
    return np.asarray(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1), bool)


def held_out(num: int) -> frozenset[int]:
    """Which of so many are not learnt from, where nobody has split them: every tenth, of many every fiftieth, at least the last one."""
    every = 50 if num >= 500 else 10
    return frozenset(range(every - 1, num, every)) or frozenset({num - 1})


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadData(f"{file} cannot be read ({error.strerror}); restore the file.") from error


def _scaled(box: Box, factors: tuple[float, float]) -> Box:
    across, down = factors
    return Box(box.x * across, box.y * down, box.w * across, box.h * down)
