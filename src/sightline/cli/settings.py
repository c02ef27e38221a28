"""What `sightline bench` runs: trackers with their engines and numbers, as candidates of a race."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sightline.cli.extras import needing
from sightline.cli.loading import set_threads
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.measure.race import Candidate
    from sightline.methods import Method

__all__ = ["Setting", "candidate_of", "method_of", "opencv_candidate", "settings_of"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run one tracker."""

    tracker: str
    engine: str
    precision: str
    threads: int = 1
    targets: int = 1
    batch: int = 1
    callers: int = 1

    def __str__(self) -> str:
        many = f", {self.targets} targets, batch {self.batch}" if self.targets > 1 else ""
        many += f", {self.callers} callers" if self.callers > 1 else ""
        return f"{self.tracker} ({self.engine} {self.precision}, {self.threads} thread{'s' * (self.threads > 1)}{many})"


def settings_of(
    trackers: Sequence[str], engines: Sequence[str], precisions: Sequence[str], dimensions: Sequence[Sequence[int]]
) -> list[Setting]:
    """Every combination that there is: an engine that lacks a precision, and batches and callers of a single target, are left out.

    So is int8 that nobody has made for an engine; a line on standard error says so.

    Args:
        trackers: names or paths.
        engines: names.
        precisions: names.
        dimensions: numbers of threads, targets, batch (0 for what the engine is loaded with) and callers.

    Raises:
        SightlineError: nothing is left.
    """
    rows: list[Setting] = []
    missing: dict[str, None] = {}
    for tracker, engine, precision in itertools.product(trackers, engines, precisions):
        for numbers in itertools.product(*dimensions):
            try:
                row = _possible(Setting(tracker, engine, precision, *numbers))
            except _NotMade as error:
                missing[str(error)] = None
                break
            if row is not None:
                rows.append(row)
    if not rows:
        raise SightlineError(
            next(iter(missing), f"no engine of {','.join(engines)} computes in {','.join(precisions)}; openvino does in bf16.")
        )
    for told in missing:
        print(f"sightline: left out: {told}", file=sys.stderr)
    alone = [replace(row, batch=1, callers=1) if row.targets == 1 else replace(row, batch=min(row.batch, row.targets)) for row in rows]
    return list(dict.fromkeys(alone))


class _NotMade(SightlineError):
    """Nobody has made the int8 form of a network for an engine."""


def _possible(setting: Setting) -> Setting | None:
    """The setting, with what is really opened: the fastest engine for "auto", int8 of a file in int8, the batch for 0. None where its engine lacks its precision."""
    from sightline.engines import COMPUTES, IN_TORCH, PRECISIONS, batch_for, quantised
    from sightline.errors import WeightsMissing
    from sightline.tracker import resolve
    from sightline.weights import find

    if setting.precision not in PRECISIONS:
        raise SightlineError(f"--precision {setting.precision} is none of {', '.join(PRECISIONS)}.")
    path = None
    if setting.engine not in IN_TORCH:  # which runs names without a file, too
        path = find(setting.tracker)
        way = resolve(path, engine=setting.engine, threads=setting.threads, precision=setting.precision)
        setting = replace(setting, engine=way.engine, precision=way.precision)
        if "int8" in setting.precision and setting.precision in COMPUTES.get(setting.engine, ()):
            try:
                quantised(path, setting.engine)
            except WeightsMissing as error:
                raise _NotMade(str(error)) from error
    setting = replace(setting, batch=setting.batch or batch_for(setting.engine, path, setting.threads))
    return setting if setting.precision in COMPUTES.get(setting.engine, PRECISIONS) else None


def method_of(setting: Setting) -> Method[Any]:
    """The loaded tracker."""
    from sightline.engines import ENGINES
    from sightline.measure.subject import loaded
    from sightline.methods.network import NetworkMethod

    if setting.engine not in ENGINES:
        raise SightlineError(f"there is no engine called {setting.engine!r}; known are {', '.join(ENGINES)}.")
    with needing("convert", f"{setting}"):
        method = loaded(setting.tracker, engine=setting.engine, precision=setting.precision, threads=setting.threads).method
    return replace(method, batch=setting.batch) if isinstance(method, NetworkMethod) else method


def candidate_of(setting: Setting) -> Candidate:
    """Load a tracker and put a clock into it."""
    from sightline.engines import IN_TORCH
    from sightline.engines.clocked import Clocked
    from sightline.measure.entrants import Many
    from sightline.measure.race import Candidate
    from sightline.methods.network import NetworkMethod
    from sightline.tracker import Tracker

    prepare: Callable[[], None] = functools.partial(set_threads, setting.threads, torch_too=setting.engine in IN_TORCH)
    method, clocked = method_of(setting), None
    if isinstance(method, NetworkMethod) and setting.callers == 1:  # calls at the same time have no one duration
        clocked = Clocked(method.session)
        method = replace(method, session=clocked)
    follower: Any = Tracker(method) if setting.targets == 1 else Many(method, setting.targets, setting.callers)
    return Candidate(str(setting), follower, setting.targets, clocked, prepare)


def opencv_candidate(words: str) -> Candidate:
    """A tracker of OpenCV on one thread."""
    from sightline.adapters.opencv import parts_of
    from sightline.measure.entrants import opencv
    from sightline.measure.race import Candidate

    return Candidate(f"OpenCV {parts_of(words).name}", opencv(words), prepare=functools.partial(set_threads, 1, torch_too=False))
