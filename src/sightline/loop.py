"""Follow one target through a source of frames."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sightline.box import Box, BoxLike
from sightline.errors import VideoError
from sightline.estimate import Estimate
from sightline.frame import Frame, read
from sightline.placement import region_around
from sightline.tracker import Tracker, load

__all__ = ["Step", "follow"]


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


def follow(
    source: str | int | Path | Iterable[Frame], *, box: BoxLike, tracker: str | Path | Tracker[Any] = "kestrel-nano", start: int = 0
) -> Iterator[Step]:
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
    tracker = tracker if isinstance(tracker, Tracker) else load(tracker)
    frames = iter(read(source, start=start) if isinstance(source, str | int | Path) else source)
    try:
        first = next(frames, None)
        if first is None:
            raise VideoError("the source has no frames.")
        began = time.perf_counter()
        tracker.init(first, box)
        seconds = time.perf_counter() - began
        given = Box(*(float(value) for value in box))
        yield Step(first, Estimate(given, 1.0, "tracked", region_around(given, tracker.spec.search, (first.width, first.height))), seconds)
        for frame in frames:
            began = time.perf_counter()
            estimate = tracker.update(frame)
            yield Step(frame, estimate, time.perf_counter() - began)
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()
