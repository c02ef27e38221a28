"""All that `sightline bench` measures, into a report: the race, and what is asked for beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sightline.box import Box
from sightline.frame import Frame
from sightline.measure.ceiling import ceiling
from sightline.measure.entrants import bytes_of_a_target
from sightline.measure.layers import PROFILERS, profile_of
from sightline.measure.race import Candidate, Race, Times
from sightline.measure.report import Named, PerTarget, Report, Row
from sightline.measure.soak import soak
from sightline.measure.start import start
from sightline.measure.subject import Setting, Subject
from sightline.measure.videos import Rates, in_processes, rates
from sightline.methods import Method
from sightline.zoo.measured import Measured, measured

__all__ = ["Course", "Entry", "Parts", "Watch", "fill"]

STRETCH = 10.0  # seconds of a soak that are told together, at most; a tenth of them for one that has just begun

Watch: TypeAlias = Callable[[str, str, float], AbstractContextManager[Callable[[float], object]]]
"""Shows how far something is: by a title, what is counted in a second and the whole, what is to be called with how much is done."""


@dataclass(frozen=True, slots=True)
class Course:
    """What all are raced over.

    Attributes:
        frames: in memory, at least two.
        box: of the target in the first.
        rounds: of turns.
        seconds: of a turn.
    """

    frames: Sequence[Frame]
    box: Box
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One who takes part in the race, and what is known before it.

    Attributes:
        candidate: what is timed.
        spec: name of the tracker.
        setting: how it runs; None for OpenCV's.
        method: of ours.
        auc: see `Row`.
    """

    candidate: Candidate
    spec: str
    setting: Setting | None = None
    method: Method[Any] | None = None
    auc: float | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What is measured beside the race, of all of ours or (videos, soak) of the first.

    Attributes:
        videos: numbers of them at the same time.
        start: of a fresh process.
        layers: of networks, where their engine has a profiler.
        soak: minutes.
    """

    videos: Sequence[int] = ()
    start: bool = False
    layers: bool = False
    soak: float = 0.0


def fill(
    report: Report, entries: Sequence[Entry], course: Course, parts: Parts, *, prepare: Callable[[Subject], None], watch: Watch
) -> None:
    """Measure, part after part. Where something ends it early, the report has what was measured before.

    Args:
        report: empty.
        entries: the first is one of ours, and what ratios refer to.
        course: of the race.
        parts: what else is measured.
        prepare: sets the number of threads of this process for a subject.
        watch: shows how far it is.

    Raises:
        SightlineError: something cannot be measured.
    """
    subjects = list(dict.fromkeys(entry.setting.subject for entry in entries if entry.setting))
    report.ceilings += [ceiling(number) for number in sorted({subject.threads for subject in subjects})]
    _race(report, entries, course, watch)
    for number in parts.videos:
        report.videos.append(_videos(subjects[0], course, number, prepare))
    for subject in subjects:
        if parts.start:
            report.start.append(Named(str(subject), start(subject)))
        if parts.layers and subject.engine in PROFILERS and (opening := subject.opening()):
            report.layers.append(Named(str(subject), profile_of(opening, course.frames, course.box)))
    if parts.soak:
        _soak(report, entries[0].candidate, subjects[0], course, watch, seconds=parts.soak * 60)


def _race(report: Report, entries: Sequence[Entry], course: Course, watch: Watch) -> None:
    """Fill rows and targets; of the rounds that are done, where something ends it early."""
    race = Race([entry.candidate for entry in entries], course.frames, course.box)
    try:
        with watch("rounds", "rounds a second", course.rounds) as done:
            while race.num_rounds < course.rounds:
                race.round(course.seconds)
                done(race.num_rounds)
    finally:
        if race.num_rounds:
            pairs, sizes = list(zip(race.times(), entries, strict=True)), measured()
            report.rows += [_row(times, entry, sizes, report) for times, entry in pairs]
            report.targets += [found for times, entry in pairs if (found := _per_target(times, entry, course))]


def _row(times: Times, entry: Entry, sizes: Mapping[str, Measured], report: Report) -> Row:
    setting, size, share = entry.setting, sizes.get(entry.spec), None
    if setting and size and times.network:
        best = report.ceiling(setting.subject.threads)
        share = best.share(setting.subject.precision, size.macs * setting.targets, times.network)
    return Row(times, entry.spec, setting, size, setting.subject.megabytes() if setting else None, share, entry.auc)


def _per_target(times: Times, entry: Entry, course: Course) -> Named[PerTarget] | None:
    """What each of several targets costs: time, beside the network alone, and memory; None of one."""
    if entry.setting is None or entry.method is None or entry.setting.targets == 1:
        return None
    count = entry.setting.targets
    to_network = None if times.network is None else times.p50 / times.network
    size = bytes_of_a_target(entry.method, course.frames[0], course.box)
    return Named(times.name, PerTarget(count, times.p50 / count, to_network, size / 1e3))


def _videos(subject: Subject, course: Course, videos: int, prepare: Callable[[Subject], None]) -> Named[Rates]:
    alone = replace(subject, threads=1)
    prepare(alone)
    method = alone.loaded().method
    found = rates(method, alone, course.frames, course.box, videos=videos, rounds=course.rounds, seconds=course.seconds)
    return Named(str(alone), found)


def _soak(report: Report, candidate: Candidate, subject: Subject, course: Course, watch: Watch, *, seconds: float) -> None:
    """Every stretch as it ends."""
    width, size = min(STRETCH, seconds / 10), course.frames[0].size

    def fresh() -> float:
        with in_processes(subject, size, 1) as run:
            return run(width / 10)

    candidate.prepare()
    beside = None if subject.has_random_weights else fresh  # a process reads them from a file
    with watch("soak, seconds", "s a second", round(seconds)) as done:
        for window in soak(candidate.follower, course.frames, course.box, seconds=seconds, window=width, fresh=beside):
            report.soak.append(window)
            done(round(window.at))
            if candidate.network is not None:
                candidate.network.calls.clear()
