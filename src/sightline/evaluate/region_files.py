"""Regions and masks of targets, as data sets write them, and the boxes around them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.annotation import text_of, words_of
from sightline.evaluate.regions import Region, corners_of

__all__ = ["BoxRule", "MaskImages", "Regions", "WrittenRegions", "box_around", "mask_to_text", "objects_of", "region_from_text"]

Floats = NDArray[np.float64]
BoxRule = Literal["bounds", "area"]


def region_from_text(text: str) -> Region:
    """A region as VOT writes it: one number (a code, or NaN), a box, a polygon, or a mask `m x,y,w,h` with run lengths.

    Returns:
        As `regions` has them; a mask (H, W) reaches from the frame's first pixel to the last row and column of the target.

    Raises:
        ValueError: it is none of these.
    """
    if text.lstrip().startswith("m"):
        return mask_from_runs([int(word) for word in words_of(text.lstrip()[1:])])
    values = np.array([float(word) for word in words_of(text)], np.float64)
    if values.size != 1:
        corners_of(values)
    if np.isinf(values).any():
        raise ValueError("infinite")
    return values


def mask_from_runs(numbers: Sequence[int]) -> NDArray[np.bool_]:
    """x, y, w, h, then run lengths row by row, the first of pixels outside; pixels that no run reaches are outside, too."""
    x, y, w, h, *runs = numbers
    if w < 0 or h < 0 or min(runs, default=0) < 0 or sum(runs) > w * h:
        raise ValueError("runs do not fit the box of the mask")
    inside = np.zeros(w * h, bool)
    ends = np.cumsum(runs)
    for begin, end in zip(ends[::2], ends[1::2], strict=False):
        inside[begin:end] = True
    mask = np.zeros((max(y + h, 0), max(x + w, 0)), bool)
    shown = inside.reshape(h, w)[max(-y, 0) :, max(-x, 0) :]
    mask[max(y, 0) :, max(x, 0) :] = shown
    return mask


def mask_to_text(mask: NDArray[np.bool_]) -> str:
    """A mask (H, W) as `region_from_text` reads it: the runs of the part that shows something."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return "m0,0,0,0"
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    shown = mask[top:bottom, left:right].ravel()
    ends = np.flatnonzero(np.diff(shown)) + 1
    runs = np.diff([0, *ends, len(shown)]).tolist()
    begins = [0] if shown[0] else []
    return "m" + ",".join(map(str, (left, top, right - left, bottom - top, *begins, *runs)))


def box_around(region: Region, rule: BoxRule = "bounds") -> tuple[float, float, float, float]:
    """The upright box x, y, w, h of a region; NaN for a code, an unknown place and an empty mask.

    Args:
        region: as `regions` has them.
        rule: of a polygon: the box around it (VOT's toolkit), or one with the polygon's centre and area (the GOT-10k toolkit and
            pysot: the mean of its corners; sides of the bounds, shrunk alike to the polygon's area, and one pixel more).
    """
    if region.dtype == np.bool_:
        rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return math.nan, math.nan, math.nan, math.nan
        x, y = float(columns[0]), float(rows[0])
        return x, y, float(columns[-1]) + 1 - x, float(rows[-1]) + 1 - y
    if region.size == 1 or np.isnan(region).any():
        return math.nan, math.nan, math.nan, math.nan
    if region.size == 4:
        x, y, w, h = region.tolist()
        return x, y, w, h
    corners = corners_of(region)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    if rule == "bounds" or right == left or bottom == top:
        return left, top, right - left, bottom - top
    (x, y), scale = corners.mean(axis=0).tolist(), math.sqrt(polygon_area(corners) / ((right - left) * (bottom - top)))
    w, h = scale * (right - left) + 1, scale * (bottom - top) + 1
    return x - w / 2, y - h / 2, w, h


def polygon_area(corners: Floats) -> float:
    """Of four corners (N, 2) the product of the first two sides, as published; of others the area."""
    if len(corners) == 4:
        return float(np.linalg.norm(corners[0] - corners[1]) * np.linalg.norm(corners[1] - corners[2]))
    x, y = corners.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


@dataclass(frozen=True, slots=True)
class WrittenRegions(Sequence[Region]):
    """Regions of the frames of a clip, as lines of a file; each is read when it is asked for.

    Attributes:
        lines: one for each frame, checked.
    """

    lines: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> WrittenRegions:
        """The regions in a file.

        Raises:
            BadData: it cannot be read, or a line is no region.
        """
        lines = text_of(path).rstrip().splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                region_from_text(line)
            except ValueError:
                raise BadData(
                    f"{path}:{number}: {line.strip()[:60]!r} is no region; expected a box (4 numbers), a polygon (6, 8, ...), a mask (m x,y,w,h,...) or a code (1 number)."
                ) from None
        return cls(tuple(lines))

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> Region: ...
    @overload
    def __getitem__(self, index: slice) -> WrittenRegions: ...
    def __getitem__(self, index: int | slice) -> Region | WrittenRegions:
        return WrittenRegions(self.lines[index]) if isinstance(index, slice) else region_from_text(self.lines[index])

    def digest(self) -> bytes:
        """SHA-256 of what they say."""
        return hashlib.sha256("\n".join(self.lines).encode()).digest()


@dataclass(frozen=True, slots=True)
class MaskImages(Sequence[Region]):
    """Masks of the frames of a clip, in image files whose pixels are numbers of objects; each is read when it is asked for.

    Attributes:
        paths: one file for each frame.
        target: number of the pixels that show the target; None: all but 0.
        void: number of pixels that count neither way.
    """

    paths: tuple[str, ...]
    target: int | None
    void: int | None

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Region: ...
    @overload
    def __getitem__(self, index: slice) -> MaskImages: ...
    def __getitem__(self, index: int | slice) -> Region | MaskImages:
        if isinstance(index, slice):
            return MaskImages(self.paths[index], self.target, self.void)
        return self.shown_in(objects_of(Path(self.paths[index])))

    def shown_in(self, objects: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The pixels (H, W) of the target in a picture (H, W) of numbers."""
        shown: NDArray[np.bool_] = objects != 0 if self.target is None else objects == self.target
        return shown

    def void_at(self, index: int) -> NDArray[np.bool_]:
        """Pixels (H, W) of a frame that count neither way."""
        objects = objects_of(Path(self.paths[index]))
        return np.asarray(objects == self.void) if self.void is not None else np.zeros(objects.shape, bool)

    def digest(self) -> bytes:
        """SHA-256 of the files' names and sizes, and of what the numbers mean.

        Raises:
            BadData: a file is gone.
        """
        try:
            sizes = [f"{Path(path).name} {Path(path).stat().st_size}" for path in self.paths]
        except OSError as error:
            raise BadData(f"{error.filename} cannot be read ({error.strerror}); restore it.") from error
        return hashlib.sha256("\n".join([f"{self.target} {self.void}", *sizes]).encode()).digest()


Regions = WrittenRegions | MaskImages
"""What a data set has of the target in every frame of a clip, besides boxes."""


def objects_of(path: Path) -> NDArray[np.uint8]:
    """Numbers (H, W) of the objects in a picture with a palette or in grey: OpenCV would give the palette's colours.

    Raises:
        BadData: it cannot be decoded, or is neither.
    """
    import av
    import av.error

    try:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
    except (OSError, StopIteration, av.error.FFmpegError) as error:
        raise BadData(f"{path} cannot be decoded ({error}); restore it.") from error
    if frame.format.name in ("monob", "monow"):
        frame = frame.reformat(format="gray")
    if frame.format.name not in ("pal8", "gray"):
        raise BadData(
            f"{path} has pixels of the kind {frame.format.name}; expected a palette or grey ones, whose values are numbers of objects."
        )
    pixels: Any = frame.to_ndarray()
    return np.asarray(pixels[0] if isinstance(pixels, tuple) else pixels, np.uint8)
