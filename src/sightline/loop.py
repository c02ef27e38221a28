"""Follow one target, or several, through a source of frames."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from sightline.box import Box, BoxLike
from sightline.builtin import DEFAULT
from sightline.errors import BadBox, BadData, VideoError
from sightline.estimate import Estimate
from sightline.frame import Frame, read
from sightline.mark import Mark
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
    source: str | int | Path | Iterable[Frame], *, box: BoxLike, tracker: str | Path | Tracker[Any] = DEFAULT, start: int = 0
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
    boxes: Mapping[K, BoxLike] | Iterable[Mark[K]],
    tracker: str | Path | Tracker[Any] = DEFAULT,
    start: int = 0,
    callers: int = 1,
) -> Generator[Steps[K], None, None]:
    """Every frame of a source with the places of several targets in it; they come and go as they are marked.

    Args:
        source: as for `follow`.
        boxes: each target's box in the first frame, under a key of your choice; or marks, as `sightline.read_marks` reads them from a file,
            each of which begins a target in its frame and may say in which one it ends. A second mark of a key starts that target over.
        tracker: as for `follow`.
        start: as for `follow`.
        callers: threads that share the targets of a frame, as for `MultiTracker`.

    Yields:
        Every frame, with the targets that are followed in it; where one is marked, its box is the given one (score 1).

    Raises:
        VideoError: as for `follow`.
        BadBox: a box marks nothing in a frame of the first one's size; told before anything is yielded.
        BadData: a target is marked before the first frame that is read, told as early, or after the last one: what was yielded before stays valid.
    """
    loaded = tracker if isinstance(tracker, Tracker) else load(tracker)
    marks = [Mark(key, box) for key, box in boxes.items()] if isinstance(boxes, Mapping) else list(boxes)
    cast = _Cast(marks, MultiTracker(loaded.method, callers=callers))
    with contextlib.closing(_timed(source, start, cast.begin, cast.update)) as steps:
        for step in steps:
            yield Steps(*step)
    cast.end()


class _Cast(Generic[K]):
    """Who is followed: enters as marked, leaves as told."""

    def __init__(self, marks: Sequence[Mark[K]], many: MultiTracker[K, Any]) -> None:
        self._waiting = sorted(marks, key=lambda mark: mark.frame or 0)  # as they were given, within a frame
        self._many = many
        self._last: dict[K, int | None] = {}
        self._index = 0  # of the newest frame

    def begin(self, first: Frame) -> dict[K, Estimate]:
        """The first frame."""
        for key, box, frame, last in self._waiting:
            try:
                Box.checked(box, first.width, first.height)
            except BadBox as error:
                raise BadBox(f"target {key!r}: {error}" if len(self._waiting) > 1 else str(error)) from error
            if frame is not None and frame < first.index:
                raise BadData(
                    f"target {key!r} is marked in frame {frame}, before the first one that is read, {first.index}; begin earlier."
                )
            if last is not None and last < (first.index if frame is None else frame):
                raise BadData(
                    f"target {key!r} ends with frame {last}, before it is marked; expected the last frame that it is followed in."
                )
        return self._entering(first)

    def update(self, frame: Frame) -> dict[K, Estimate]:
        """A later frame."""
        for key, last in list(self._last.items()):
            if last is not None and last < frame.index:
                self._many.remove(key)
                del self._last[key]
        return self._many.update(frame) | self._entering(frame)

    def end(self) -> None:
        """No frame follows.

        Raises:
            BadData: somebody was to come later.
        """
        if self._waiting:
            names = ", ".join(f"{mark.key!r} (frame {mark.frame})" for mark in self._waiting[:3])
            more = f" and {len(self._waiting) - 3} more" if len(self._waiting) > 3 else ""
            raise BadData(f"the source ended with frame {self._index}, before it came to the target {names}{more}.")

    def _entering(self, frame: Frame) -> dict[K, Estimate]:
        """Those who are marked in this frame, or in one before it that a live source has left out."""
        self._index = frame.index
        given: dict[K, Estimate] = {}
        while self._waiting and (self._waiting[0].frame or 0) <= frame.index:
            key, box, _, last = self._waiting.pop(0)
            if last is None or last >= frame.index:
                self._many.add(key, frame, box)
                self._last[key] = last
                given[key] = _as_given(box, frame, self._many.method.spec)
        return given


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
