"""Follow one target, or several, through a source of frames."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from sightline.box import Box, BoxLike
from sightline.errors import VideoError
from sightline.estimate import Estimate
from sightline.frame import Frame, read
from sightline.placement import region_around
from sightline.spec import Spec
from sightline.tracker import MultiTracker, Tracker, load

__all__ = ["Step", "Steps", "follow", "follow_all"]

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Step(NamedTuple):
    """One frame of a track.

    Attributes:
        frame: the picture.
        estimate: where the target is in it.
        seconds: what the tracker alone took; reading and drawing apart.
    """

    frame: Frame
    estimate: Estimate
    seconds: float


class Steps(NamedTuple, Generic[K]):
    """One frame of the tracks of several targets.

    Attributes:
        frame: the picture.
        estimates: where each target is in it, by its key.
        seconds: what the tracker alone took for all of them.
    """

    frame: Frame
    estimates: dict[K, Estimate]
    seconds: float


def follow(
    source: str | int | Path | Iterable[Frame], *, box: BoxLike, tracker: str | Path | Tracker[Any] = "merlin", start: int = 0
) -> Generator[Step, None, None]:
    """Every frame of a source with the target's place in it.

    Args:
        source: what `sightline.read` takes, or frames.
        box: the target in the first frame: x, y, w, h in pixels.
        tracker: a name, a weights file, or a tracker that was loaded before.
        start: frame of a file to begin at, counted from 0.

    Yields:
        The first frame with the given box (score 1), then one step for each frame. Frames are decoded ahead in a thread of their own.

    Raises:
        VideoError: the source cannot be read, or breaks off; what was yielded before stays valid.
        BadBox: the box marks nothing in the first frame.
    """
    loaded = tracker if isinstance(tracker, Tracker) else load(tracker)

    def begin(first: Frame) -> Estimate:
        loaded.init(first, box)
        return _as_given(box, first, loaded.spec)

    with contextlib.closing(_timed(source, start, begin, loaded.update)) as steps:
        for step in steps:
            yield Step(*step)


def follow_all(
    source: str | int | Path | Iterable[Frame],
    *,
    boxes: Mapping[K, BoxLike],
    tracker: str | Path | Tracker[Any] = "merlin",
    start: int = 0,
    callers: int = 1,
) -> Iterator[Steps[K]]:
    """Every frame of a source with the places of several targets in it, all marked in its first frame.

    Args:
        source: as for `follow`.
        boxes: each target in the first frame, under a key of your choice.
        tracker: as for `follow`.
        start: as for `follow`.
        callers: threads that share the targets of a frame, as for `MultiTracker`.

    Yields:
        As `follow`, for all of them at once.

    Raises:
        VideoError: as for `follow`.
        BadBox: a box marks nothing in the first frame.
    """
    loaded = tracker if isinstance(tracker, Tracker) else load(tracker)
    many: MultiTracker[K, Any] = MultiTracker(loaded.method, callers=callers)

    def begin(first: Frame) -> dict[K, Estimate]:
        for key, box in boxes.items():
            many.add(key, first, box)
        return {key: _as_given(box, first, loaded.spec) for key, box in boxes.items()}

    with contextlib.closing(_timed(source, start, begin, many.update)) as steps:
        for step in steps:
            yield Steps(*step)


def _timed(
    source: str | int | Path | Iterable[Frame], start: int, begin: Callable[[Frame], T], update: Callable[[Frame], T]
) -> Generator[tuple[Frame, T, float], None, None]:
    """Every frame, what is said about it, and the seconds that took; the source is closed at the end."""
    frames = iter(read(source, start=start) if isinstance(source, str | int | Path) else source)
    say = begin
    try:
        for frame in frames:
            began = time.perf_counter()
            said = say(frame)
            yield frame, said, time.perf_counter() - began
            say = update
        if say is begin:
            raise VideoError("the source has no frames.")
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()


def _as_given(box: BoxLike, first: Frame, spec: Spec) -> Estimate:
    """What is said about the first frame."""
    given = Box(*(float(value) for value in box))
    return Estimate(given, 1.0, "tracked", region_around(given, spec.search, (first.width, first.height)))
