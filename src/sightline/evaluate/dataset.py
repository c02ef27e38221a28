"""What a data set is: clips, each with images in order, boxes, and where the target is seen. `clips` reads them from disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.region_files import Regions
from sightline.evaluate.regions import Region
from sightline.frame import FrameReader, read

__all__ = ["Clip", "Dataset"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One sequence.

    Attributes:
        name: of the sequence, unique in its data set.
        frames: paths of its T images, in order.
        truth: (T, 4) float64 boxes x, y, w, h in pixels, origin 0; NaN where the file has no box (NaN, or no area).
        rows: (T, 4) float64, the same as the data set's files have it: their origin, their way of writing that there is no box.
        visible: (T,) bool; False without a box, and where the data set's flags say that the target is not seen.
        attributes: what the data set says of the sequence.
        dropped: images without a row of the annotation or without a partner, or rows without an image, at the end.
        extra: paths of the T second images (infrared, depth), aligned with the first; empty where there is one camera.
        extra_rows: (T, 4) the annotation in the other camera's images, as `rows`; None where there is none of its own.
        regions: T regions of `regions`, pixels from 0, a code where there is none; None where the truth is boxes and nothing else.
        tags: (T,) bool by name: attributes that single frames have.
        anchors: (T,) int8, 1 where the data set begins a run forward, -1 backward, 0 elsewhere; None where it names no such frames.
        each: called for each frame that `read` gives, by who wants to see how far it is.
    """

    name: str
    frames: tuple[str, ...]
    truth: Floats
    rows: Floats
    visible: NDArray[np.bool_]
    attributes: frozenset[str] = frozenset()
    dropped: int = 0
    extra: tuple[str, ...] = ()
    extra_rows: Floats | None = None
    regions: Regions | tuple[Region, ...] | None = None
    tags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    anchors: NDArray[np.int8] | None = None
    each: Callable[[], None] | None = None

    def read(self, order: Sequence[int] | None = None) -> FrameReader:
        """Its frames, with the second pictures where it has them: all of them, or those of the numbers given, in their order."""
        first, second = ([paths[i] for i in order] if order is not None else paths for paths in (self.frames, self.extra or self.frames))
        reader = read(first, infrared=second if self.extra else None)
        reader.each = self.each or reader.each
        return reader

    def size(self) -> tuple[int, int]:
        """Width and height of its first image, which is read for it."""
        with contextlib.closing(read(self.frames[0])) as images:
            return next(iter(images)).size

    def annotations(self) -> Floats:
        """`rows`, or (2, T, 4) with those of the other camera: results may then be held against the better of both."""
        return self.rows if self.extra_rows is None else np.stack([self.rows, self.extra_rows])

    def digest(self) -> str:
        """SHA-256 of boxes, regions, visibility, anchors, and the name and size in bytes of every image (their pixels are not read).

        Raises:
            BadData: an image is gone.
        """
        content = hashlib.sha256(self.truth.tobytes() + self.visible.tobytes())
        if self.extra_rows is not None:
            content.update(self.extra_rows.tobytes())
        if isinstance(self.regions, tuple):
            content.update(b"".join(region.tobytes() for region in self.regions))
        elif self.regions is not None:
            content.update(self.regions.digest())
        if self.anchors is not None:
            content.update(self.anchors.tobytes())
        for frame in (*self.frames, *self.extra):
            try:
                size = os.stat(frame).st_size  # noqa: PTH116  no Path for each of a million images
            except OSError as error:
                raise BadData(f"{frame} cannot be read ({error.strerror}); restore it, or the whole sequence {self.name}.") from error
            content.update(f"{os.path.basename(frame)} {size}\n".encode())  # noqa: PTH119
        return content.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Dataset(Sequence[Clip]):
    """Clips of one data set.

    Attributes:
        name: key of `layouts.LAYOUTS`.
        clips: those that are whole, in the data set's order.
        missing: sequences that the data set has and this copy of it has not, with what is missing.
        origin: coordinate of the first pixel in its files; result files follow it.
        scored: all boxes are public, so results can be scored.
        protocol: how it is run, unless the user says otherwise: a name of `protocols.PROTOCOLS`.
        rules: by which results of that protocol are scored, unless the user says otherwise.
    """

    name: str
    clips: tuple[Clip, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    origin: int = 0
    scored: bool = True
    protocol: str = "one-pass"
    rules: str = "sightline"

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Clip]: ...
    def __getitem__(self, index: int | slice) -> Clip | Sequence[Clip]:
        return self.clips[index]

    def __len__(self) -> int:
        return len(self.clips)
