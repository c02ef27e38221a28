"""Follow one target, or several, through a source of frames."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from sightline.box import Box, BoxLike
from sightline.builtin import DEFAULT
from sightline.engines.cores import shares
from sightline.errors import BadBox, BadData, VideoError
from sightline.estimate import Estimate
from sightline.frame import Channels, Frame, Moment, Seconds, read
from sightline.frame.moment import is_after, is_before, told, when
from sightline.mark import Mark, most_at_once
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
    source: str | int | Path | Iterable[Frame | Any], *, box: BoxLike, tracker: str | Path | Tracker[Any] = DEFAULT, start: Moment = 0
) -> Generator[Step, None, None]:
    """Every frame of a source with the target's place in it.

    Args:
        source: what `sightline.read` takes; or frames, or what else `Tracker.update` takes, from a list, a generator or whatever gives them.
        box: the target in the first frame: x, y, w, h in pixels.
        tracker: a name, a weights file, or a tracker that was loaded before.
        start: frame of a file to begin at, counted from 0, or `Seconds`.

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

    with contextlib.closing(_timed(source, start, loaded.channels, begin, loaded.update)) as steps:
        for step in steps:
            yield Step(*step)


def follow_all(
    source: str | int | Path | Iterable[Frame | Any],
    *,
    boxes: Mapping[K, BoxLike] | Iterable[Mark[K]],
    tracker: str | Path | Tracker[Any] = DEFAULT,
    start: Moment = 0,
    callers: int | None = None,
) -> Generator[Steps[K], None, None]:
    """Every frame of a source with the places of several targets in it; they come and go as they are marked.

    Args:
        source: as for `follow`.
        boxes: each target's box in the first frame, under a key of your choice; or marks, as `sightline.read_marks` reads them from a file,
            each of which begins a target in its frame and may say in which one it ends. A second mark of a key starts that target over.
        tracker: as for `follow`.
        start: as for `follow`.
        callers: threads that share the targets of a frame, as for `MultiTracker`; None for as many as there are targets and cores, each
            with its part of the cores, where the tracker is loaded here, and for one where it was loaded before.

    Yields:
        Every frame, with the targets that are followed in it; where one is marked, its box is the given one (score 1).

    Raises:
        VideoError: as for `follow`.
        BadBox: a box marks nothing in a frame of the first one's size; told before anything is yielded.
        BadData: a target is marked before the first frame that is read, or by a time in a source without a clock, told as early; or after the last
            frame, or it ends before it begins: what was yielded before stays valid.
    """
    marks = [Mark(key, box) for key, box in boxes.items()] if isinstance(boxes, Mapping) else list(boxes)
    if isinstance(tracker, Tracker):
        loaded, callers = tracker, 1 if callers is None else callers
    else:
        threads, callers = shares(most_at_once(marks), callers=callers)
        loaded = load(tracker, threads=threads)
    cast = _Cast(marks, MultiTracker(loaded.method, callers=callers))
    with contextlib.closing(_timed(source, start, loaded.channels, cast.begin, cast.update)) as steps:
        for step in steps:
            yield Steps(*step)
    cast.end()


class _Cast(Generic[K]):
    """Who is followed: enters as marked, leaves as told."""

    def __init__(self, marks: Sequence[Mark[K]], many: MultiTracker[K, Any]) -> None:
        # In their order, within a kind of moment, so that of two marks of one target in a frame the later one holds. A frame looks at the first of each.
        ordered = sorted(marks, key=lambda mark: mark.frame or 0)
        self._waiting = [deque(mark for mark in ordered if isinstance(mark.frame, Seconds) == by_time) for by_time in (False, True)]
        self._many = many
        self._last: dict[K, Moment | None] = {}
        self._missed: list[K] = []  # who was to end before coming
        self._newest: Frame | None = None

    def begin(self, first: Frame) -> dict[K, Estimate]:
        """The first frame."""
        waiting = self._to_come()
        for mark in waiting:
            try:
                Box.checked(mark.box, *first.size)
            except BadBox as error:
                raise BadBox(f"target {mark.key!r}: {error}" if len(waiting) > 1 else str(error)) from error
            _check_moments(mark, first)
        return self._entering(first)

    def update(self, frame: Frame) -> dict[K, Estimate]:
        """A later frame."""
        for key, last in list(self._last.items()):
            if last is not None and is_after(frame.index, frame.time, last):
                self._many.remove(key)
                del self._last[key]
        return self._many.update(frame) | self._entering(frame)

    def end(self) -> None:
        """No frame follows.

        Raises:
            BadData: somebody was to come later, or to end before coming.
        """
        waiting = self._to_come()
        if waiting:
            names = ", ".join(f"{mark.key!r} ({told(mark.frame or 0)})" for mark in waiting[:3])
            more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
            raise BadData(
                f"the source ended with frame {self._newest.index if self._newest else 0}, before it came to the target {names}{more}."
            )
        if self._missed:
            raise BadData(f"target {self._missed[0]!r} was not followed: the last frame that was wanted of it came before its first one.")

    def _to_come(self) -> list[Mark[K]]:
        return [mark for queue in self._waiting for mark in queue]

    def _due(self, frame: Frame) -> Iterator[Mark[K]]:
        """Marks whose moment has come; they wait no longer."""
        for queue in self._waiting:
            while queue and not is_before(frame.index, frame.time, queue[0].frame or 0):
                yield queue.popleft()

    def _entering(self, frame: Frame) -> dict[K, Estimate]:
        """Those who are marked in this frame, or in one before it that a live source has left out."""
        before, self._newest = self._newest, frame
        given: dict[K, Estimate] = {}
        for key, box, _, last in self._due(frame):
            if last is not None and is_after(frame.index, frame.time, last):  # the frames between were left out, or there are none
                if before is not None and is_after(before.index, before.time, last):
                    self._missed.append(key)
                continue
            self._many.add(key, frame, box)
            self._last[key] = last
            given[key] = _as_given(box, frame, self._many.method.spec)
        return given


def _check_moments(mark: Mark[Any], first: Frame) -> None:
    """A mark that can only be wrong, told before anything is tracked."""
    for moment in (mark.frame, mark.last):
        if isinstance(moment, Seconds) and first.time is None:
            raise BadData(
                f"target {mark.key!r} is marked by a time ({told(moment)}), and the source has no clock; give the number of a frame."
            )
    if mark.frame is not None and is_after(first.index, first.time, mark.frame) and first.index > 0:
        raise BadData(
            f"target {mark.key!r} is marked {when(mark.frame)}, before the first one that is read, {_place(first, mark.frame)}; begin earlier."
        )
    begin = first.index if mark.frame is None else mark.frame
    if mark.last is not None and type(begin) is type(mark.last) and mark.last < begin:
        raise BadData(
            f"target {mark.key!r} ends with {told(mark.last)}, before it is marked; expected the last frame that it is followed in."
        )


def _place(frame: Frame, moment: Moment) -> str:
    """Where a frame lies, as the moment is said."""
    return f"{frame.time:g} s" if isinstance(moment, Seconds) else f"{frame.index}"


def _timed(
    source: str | int | Path | Iterable[Frame | Any],
    start: Moment,
    channels: Channels,
    begin: Callable[[Frame], T],
    update: Callable[[Frame], T],
) -> Generator[tuple[Frame, T, float], None, None]:
    """Every frame, what is said about it, and the seconds that took; the source is closed at the end."""
    frames = iter(_opened(source, start))
    say = begin
    try:
        for index, image in enumerate(frames):
            frame = Frame.of(image, channels=channels, index=index)
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


def _opened(source: str | int | Path | Iterable[Frame | Any], start: Moment) -> Iterable[Frame | Any]:
    """What somebody has to read first (a path, an address, a camera, a list of images), read; pictures as they are."""
    if isinstance(source, str | int | Path):
        return read(source, start=start)
    if isinstance(source, list | tuple) and source and isinstance(source[0], str | Path):
        return read(source, start=start)
    return source


def _as_given(box: BoxLike, first: Frame, spec: Spec) -> Estimate:
    """What is said about the first frame."""
    given = Box(*(float(value) for value in box))
    return Estimate(given, 1.0, "tracked", region_around(given, spec.search, first.size))
