"""Calls that take turns: one figure of each in every round, so that ratios within a round can be told, which drift of the machine leaves alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

__all__ = ["PAUSE", "ratio", "take_turns"]

K = TypeVar("K", bound=Hashable)

PAUSE = 0.02  # seconds between two turns: what the one before left in threads and caches settles
WARM = 2  # calls at the beginning of a turn that do not count


def take_turns(
    calls: Mapping[K, Callable[[], object]],
    *,
    rounds: int,
    seconds: float,
    of: Callable[[Sequence[float]], float] = statistics.median,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[K, list[float]]:
    """The seconds of every call in each round.

    Args:
        calls: what is timed, by name; in each round every one has a turn.
        rounds: at least one.
        seconds: of a turn, which has three calls at least.
        of: one figure of the calls of a turn: the median, or `min` where other work runs beside them.
        clock: what tells seconds; `time.process_time` counts those of this process alone, for calls of one thread on a busy machine.
    """
    taken: dict[K, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(PAUSE)
            taken[name].append(of(_turn(call, seconds, clock)))
    return taken


def _turn(call: Callable[[], object], seconds: float, clock: Callable[[], float]) -> list[float]:
    """Seconds of each call of a turn."""
    for _ in range(WARM):
        call()
    times, ends = list[float](), time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < ends:
        began = clock()
        call()
        times.append(clock() - began)
    return times


def ratio(first: Sequence[float], second: Sequence[float]) -> float:
    """How many times as long the first took: the median over rounds."""
    return statistics.median(mine / other for mine, other in zip(first, second, strict=True))
