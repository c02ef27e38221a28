"""A tracker for a long time: does it stay as fast, and does its memory stay as it is?"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sightline.box import Box
from sightline.frame import Frame
from sightline.measure.race import Follows
from sightline.measure.sensors import clock_mhz, energy_joules
from sightline.measure.start import resident_mb

__all__ = ["Window", "soak"]

CALLS = 20  # of the yardstick between two passes


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of a soak.

    Attributes:
        at: seconds since the beginning, at its end.
        fps: updates in a second.
        machine: calls in a second of what the machine's own speed is measured by, the median of this stretch; None without.
        memory_mb: resident, in 2^20 bytes; None where the system does not tell.
        clock_mhz: of the processor, the mean of its cores; None likewise.
        joules: of the whole processor in this stretch; None where it does not tell, as in most virtual machines.
    """

    at: float
    fps: float
    machine: float | None
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
    yardstick: Callable[[], object] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Window]:
    """Update without a pause, and report every stretch as it ends; one at least.

    Args:
        follower: what is run; the target is marked again whenever the frames begin anew.
        frames: in memory, at least two.
        box: of the target in the first.
        seconds: of the whole.
        window: seconds of a stretch.
        yardstick: always the same work, called between passes over the frames and not counted: a shared machine is itself faster and slower by the minute.
        clock: for tests.
    """
    began = at = clock()
    count, between, joules = 0, 0.0, energy_joules()
    taken: list[float] = []
    for frame in itertools.cycle(frames):
        if frame is frames[0]:
            if yardstick is not None:
                mine = [_seconds(yardstick, clock) for _ in range(CALLS)]
                taken += mine[1:]  # the first finds the tracker's numbers in the caches
                between += sum(mine)
            follower.init(frame, box)
        else:
            follower.update(frame)
            count += 1
        now = clock()
        if count and now - at >= window:
            after = energy_joules()
            used = None if joules is None or after is None or after < joules else after - joules
            machine = 1 / statistics.median(taken) if taken else None
            yield Window(now - began, count / (now - at - between), machine, resident_mb(), clock_mhz(), used)
            at, count, between, joules = now, 0, 0.0, after
            taken.clear()
        if at > began and now - began >= seconds:
            return


def _seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    call()
    return clock() - began
