"""Does a tracker stay as fast when it runs for long, and does its memory stay as it is?

A shared machine is itself faster and slower by the minute, by more than what is looked for: by its clock, and by who else uses its caches and memory.
What tells the two apart is the same work that has only just begun, in a process of its own, at the end of every stretch.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sightline.box import Box
from sightline.frame import Frame
from sightline.measure.race import Follows
from sightline.measure.sensors import clock_mhz, energy_joules, resident_mb, spent_joules

__all__ = ["Window", "soak"]


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of a soak.

    Attributes:
        at: seconds since the beginning, at its end.
        fps: updates in a second; to mark the target is not counted.
        fresh: updates in a second of one that had just begun, after this stretch; None where nobody was asked.
        memory_mb: resident, in 2^20 bytes; None where the system does not tell.
        clock_mhz: of the processor, the mean of its cores; None likewise.
        joules: of the whole processor in this stretch; None where it does not tell, as in most virtual machines.
    """

    at: float
    fps: float
    fresh: float | None
    memory_mb: float | None
    clock_mhz: float | None
    joules: float | None


def soak(
    follower: Follows,
    frames: Sequence[Frame],
    box: Box,
    *,
    seconds: float,
    window: float = 10.0,
    fresh: Callable[[], float] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Window]:
    """Update without a pause, and report every stretch as it ends, at least one.

    Args:
        follower: what is run; the target is marked again whenever the frames begin anew.
        frames: in memory, at least two.
        box: of the target in the first.
        seconds: of the whole.
        window: seconds of a stretch.
        fresh: lets one that has just begun run for a moment, and says its updates in a second; called after every stretch, and not counted.
        clock: for tests.
    """
    began = at = clock()
    count, marking, joules = 0, 0.0, energy_joules()
    for frame in itertools.cycle(frames):
        if frame is frames[0]:
            before = clock()
            follower.init(frame, box)
            marking += clock() - before
        else:
            follower.update(frame)
            count += 1
        now = clock()
        if count and now - at >= window:
            used = spent_joules(joules, energy_joules())
            beside = None if fresh is None else fresh()
            yield Window(now - began, count / (now - at - marking), beside, resident_mb(), clock_mhz(), used)
            at, count, marking, joules = clock(), 0, 0.0, energy_joules()
        if at > began and now - began >= seconds:
            return
