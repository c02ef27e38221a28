"""Trackers in turns on the same frames: the median of rounds, and ratios within rounds, which drift of the machine leaves alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from sightline.box import Box
from sightline.engines.clocked import Clocked
from sightline.frame import Frame
from sightline.measure.sensors import energy_joules, spent_joules
from sightline.measure.turns import PAUSE, ratio

__all__ = ["Candidate", "Follows", "Race", "Times", "race"]

WARM = 3  # updates before the clock runs
FEWEST = 5  # updates of a turn, however short


class Follows(Protocol):
    """What takes part: a `Tracker`, or whatever has these two."""

    def init(self, image: Frame, box: Box, /) -> object: ...  # noqa: D102  # the names say it
    def update(self, image: Frame, /) -> object: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of a race.

    Attributes:
        name: of the row.
        follower: what is timed.
        targets: how many it follows: an update is for all of them.
        network: the clocked session inside, where there is one: its time is reported apart from the rest.
        prepare: called at the beginning of every turn, to set numbers of threads.
    """

    name: str
    follower: Follows
    targets: int = 1
    network: Clocked | None = None
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Times:
    """What came of one candidate, in milliseconds of one update.

    Attributes:
        name: of the candidate.
        p50: the median of the rounds' medians.
        p95: the 95th percentile of all updates.
        network: the median of all the network's calls in one update; None where there is none to clock.
        outside: the rest of an update's median: crop, conversion, box, Python.
        fps: targets times frames in a second, by p50.
        ratio: p50 to that of the first candidate, the median over rounds.
        joules: of the whole processor in one update; None where it does not tell.
        rounds: the medians of the rounds.
    """

    name: str
    p50: float
    p95: float
    network: float | None
    outside: float | None
    fps: float
    ratio: float
    joules: float | None
    rounds: tuple[float, ...]


class _Turn(NamedTuple):
    """What one candidate did in one round."""

    updates: list[float]  # seconds of each
    network: float | None  # of its calls in an update, the median; None where there is no clock
    joules: float | None  # of an update; None where nobody tells


class Race:
    """Candidates that take turns, round by round.

    Args:
        candidates: at least one; the first is what ratios refer to.
        frames: in memory, at least two, seen again and again from the first, where every turn begins.
        box: of the target in the first frame.
    """

    def __init__(self, candidates: Sequence[Candidate], frames: Sequence[Frame], box: Box) -> None:
        self._candidates = candidates
        self._frames = frames
        self._box = box
        self._rounds: list[list[_Turn]] = []

    @property
    def num_rounds(self) -> int:
        """Rounds that are done."""
        return len(self._rounds)

    def round(self, seconds: float) -> None:
        """Give every candidate one turn of so many seconds. A round that breaks off does not count."""
        self._rounds.append([_turn(candidate, self._frames, self._box, seconds) for candidate in self._candidates])

    def times(self) -> list[Times]:
        """What came of every candidate in the rounds so far; there has to be one."""
        first, *_ = columns = list(zip(*self._rounds, strict=True))
        return [_times(candidate, turns, first) for candidate, turns in zip(self._candidates, columns, strict=True)]


def race(candidates: Sequence[Candidate], frames: Sequence[Frame], box: Box, *, rounds: int = 5, seconds: float = 0.4) -> list[Times]:
    """Run so many rounds of a `Race`, with turns of so many seconds; the other arguments are those of the class."""
    between = Race(candidates, frames, box)
    for _ in range(rounds):
        between.round(seconds)
    return between.times()


def _turn(candidate: Candidate, frames: Sequence[Frame], box: Box, seconds: float) -> _Turn:
    """One turn, and the energy that it took."""
    time.sleep(PAUSE)
    candidate.prepare()
    before = energy_joules()
    taken, calls = _updates(candidate, frames, box, seconds)
    used = spent_joules(before, energy_joules())
    return _Turn(taken, statistics.median(calls) if calls else None, None if used is None else used / (WARM + len(taken)))


def _updates(candidate: Candidate, frames: Sequence[Frame], box: Box, seconds: float) -> tuple[list[float], list[float]]:
    """Seconds of every update of one turn, and of the network's calls in each update; none of those where there is no clock."""
    follower, taken, calls = candidate.follower, list[float](), list[float]()
    clock = candidate.network
    follower.init(frames[0], box)
    for i in range(WARM):
        follower.update(frames[1 + i % (len(frames) - 1)])
    ends, at = time.perf_counter() + seconds, 0
    while time.perf_counter() < ends or len(taken) < FEWEST:
        at = at % (len(frames) - 1) + 1
        if clock is not None:
            clock.calls.clear()
        began = time.perf_counter()
        follower.update(frames[at])
        taken.append(time.perf_counter() - began)
        if clock is not None and (steps := clock.seconds("step")):
            calls.append(sum(steps))
    return taken, calls


def _times(candidate: Candidate, turns: Sequence[_Turn], first: Sequence[_Turn]) -> Times:
    medians, of_first = ([statistics.median(turn.updates) * 1e3 for turn in several] for several in (turns, first))
    networks = [turn.network for turn in turns if turn.network is not None]
    energies = [turn.joules for turn in turns if turn.joules is not None]
    p50 = statistics.median(medians)
    network = statistics.median(networks) * 1e3 if networks else None
    return Times(
        name=candidate.name,
        p50=p50,
        p95=float(np.percentile(np.concatenate([np.asarray(turn.updates) for turn in turns]), 95)) * 1e3,
        network=network,
        outside=None if network is None else p50 - network,
        fps=candidate.targets * 1e3 / p50,
        ratio=ratio(medians, of_first),
        joules=statistics.median(energies) if energies else None,
        rounds=tuple(medians),
    )
