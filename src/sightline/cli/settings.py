"""What `sightline bench` runs: trackers with their engines and numbers, as entries of a race."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sightline.cli.accuracy import Aucs, kind_of
from sightline.cli.extras import needing
from sightline.cli.loading import set_threads
from sightline.errors import EngineError, SightlineError, WeightsMissing

if TYPE_CHECKING:
    from sightline.measure.bench import Entry
    from sightline.measure.subject import Setting, Subject

__all__ = ["Numbers", "beside", "entry_of", "opencv_entry", "prepare", "settings_of"]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Every one of each with every one of the others; a batch of 0 is what the engine is loaded with."""

    threads: Sequence[int] = (1,)
    targets: Sequence[int] = (1,)
    batch: Sequence[int] = (0,)
    callers: Sequence[int] = (1,)


def settings_of(
    trackers: Sequence[str], engines: Sequence[str | None], precisions: Sequence[str], numbers: Numbers = Numbers()
) -> list[Setting]:
    """Every combination that there is: an engine that lacks a precision, and batches and callers of a single target, are left out.

    So is int8 that nobody has made for an engine; a line on standard error says so.

    Args:
        trackers: names or paths.
        engines: names; "auto" is the fastest one, None the one that a file is for, and onnxruntime of a name.
        precisions: names.
        numbers: of threads and the rest.

    Raises:
        SightlineError: nothing is left; the reason is that of the first.
    """
    rows: list[Setting] = []
    lacking: list[EngineError] = []
    missing: dict[str, WeightsMissing] = {}
    for way in itertools.product(trackers, engines, precisions, numbers.threads):
        subject = _subject(*way)
        try:
            subject.check()
        except EngineError as error:
            lacking.append(error)
        except WeightsMissing as error:
            missing[str(error)] = error
        else:
            rows += [_setting(subject, *counts) for counts in itertools.product(numbers.targets, numbers.batch, numbers.callers)]
    if not rows:
        raise next(iter((*missing.values(), *lacking)))
    for told in missing:
        print(f"sightline: left out: {told}", file=sys.stderr)
    return list(dict.fromkeys(rows))


def beside(first: Subject, trackers: Sequence[str], *, engine_is_given: bool) -> list[Setting]:
    """Others on one thread, as the first tracker is run: in int8 that it finds beside its weights, but not where its file itself is all in int8."""
    opening = first.opening()
    is_own = opening is not None and opening.file() == opening.path
    return settings_of(trackers, [first.engine if engine_is_given else None], [opening.rest if opening and is_own else first.precision])


def _subject(tracker: str, engine: str | None, precision: str, threads: int) -> Subject:
    """What is really opened: the fastest engine in place of "auto", and int8 of a file in int8."""
    from sightline.engines import IN_TORCH, PRECISIONS
    from sightline.measure.subject import Subject
    from sightline.tracker import resolve
    from sightline.zoo import SPECS

    if precision not in PRECISIONS:
        raise SightlineError(f"--precision {precision} is none of {', '.join(PRECISIONS)}.")
    if engine is None and tracker in SPECS:
        engine = "onnxruntime"
    if engine in IN_TORCH and tracker in SPECS:  # random weights, without a file
        return Subject(tracker, str(engine), precision, threads)
    opening = resolve(tracker, engine=engine, threads=threads, precision=precision)
    return Subject(tracker, opening.engine, opening.precision, threads)


def _setting(subject: Subject, targets: int, batch: int, callers: int) -> Setting:
    from sightline.measure.subject import Setting

    return Setting(subject) if targets == 1 else Setting(subject, targets, min(batch or subject.batch(), targets), callers)


def prepare(subject: Subject) -> None:
    """Set the number of threads here, as the subject's turn comes."""
    from sightline.engines import IN_TORCH

    set_threads(subject.threads, torch_too=subject.engine in IN_TORCH)


def entry_of(setting: Setting, aucs: Aucs) -> Entry:
    """Load a tracker and put a clock into it."""
    from sightline.engines.clocked import Clocked
    from sightline.measure.bench import Entry
    from sightline.measure.entrants import Many
    from sightline.measure.race import Candidate
    from sightline.methods.network import NetworkMethod
    from sightline.tracker import Tracker

    with needing("convert", f"{setting}"):
        method, clocked = setting.subject.loaded().method, None
    if isinstance(method, NetworkMethod):
        method = replace(method, batch=setting.batch)
        if setting.callers == 1:  # calls at the same time have no one duration
            clocked = Clocked(method.session)
            method = replace(method, session=clocked)
    follower: Any = Tracker(method) if setting.targets == 1 else Many(method, setting.targets, setting.callers)
    candidate = Candidate(str(setting), follower, setting.targets, clocked, functools.partial(prepare, setting.subject))
    spec = method.spec.name
    return Entry(candidate, spec, setting, method, aucs.get(kind_of(spec, setting.subject.label)))


def opencv_entry(words: str, aucs: Aucs) -> Entry:
    """A tracker of OpenCV on one thread, under the name that `sightline eval` gives it."""
    from sightline.adapters.opencv import parts_of
    from sightline.measure.bench import Entry
    from sightline.measure.entrants import opencv
    from sightline.measure.race import Candidate

    name = parts_of(words).name
    candidate = Candidate(f"OpenCV {name}", opencv(words), prepare=functools.partial(set_threads, 1, torch_too=False))
    return Entry(candidate, f"opencv-{name}", auc=aucs.get(kind_of(f"opencv-{name}", "opencv")))
