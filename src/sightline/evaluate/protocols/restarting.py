"""Restarts: tracking that fails is started again, as the VOT challenges of 2013 to 2019 ran it.

A frame in which box and truth share no pixel is a failure; five frames later the tracker is started anew. Files: `trajectory`, one run.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.evaluate import restarts
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.protocols.protocol import Counted, Files, Protocol
from sightline.evaluate.protocols.trajectory import (
    Trajectory,
    regions_of,
    rounded,
    rows_of,
    seconds_in,
    steps,
    to_files,
    what_lacks,
)
from sightline.evaluate.regions import raster_overlap, raster_overlap_old
from sightline.tracker import Tracker

__all__ = ["RESTARTS", "RestartRules"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRules:
    """How runs with restarts are scored.

    Attributes:
        eao: lengths over which the expected overlap is averaged; None for none.
        older: by the older program, as pysot carries it: its overlaps, frames pooled, robustness as failures per hundred frames.
            If not: means over sequences weighted by length, robustness as exp(-30 failures / length).
    """

    eao: tuple[int, int] | None
    older: bool = False


class Judged(NamedTuple):
    """A run (T, 4) of one sequence, and its overlaps (T,) for accuracy and for expected overlap."""

    run: Floats
    overlaps: Floats
    expected: Floats


def track(clip: Clip, tracker: Tracker[Any], origin: int) -> Files:
    """Follow the target, and start again after failures, where there is a box to start from."""
    run, regions, length = Trajectory(len(clip.frames), origin), regions_of(clip), len(clip.frames)
    has_box = np.array([bool(np.isfinite(row).all()) for row in clip.truth])
    start = 0
    while start < length:
        end = length
        with contextlib.closing(steps(clip, range(start, length), tracker)) as found:
            for i, step in found:
                if i == 0:
                    run.begin(start, step)
                elif raster_overlap(rounded(step.estimate.box), regions[start + i], step.frame.size) > 0:
                    run.add(start + i, step)
                else:
                    end = start + i
                    run.add(end, step, failed=True)
                    break
        later = np.flatnonzero(has_box[end + restarts.SKIP :])
        start = end + restarts.SKIP + int(later[0]) if len(later) else length
    return to_files(clip, {_name(clip): run})


def lacking(clip: Clip, folder: Path) -> str | None:
    """What is wrong with the run of a clip, in words."""
    return what_lacks(clip, folder, {_name(clip): len(clip.frames)})


def judge(clip: Clip, dataset: Dataset, folder: Path, rules: RestartRules) -> Judged:
    """Overlaps of one sequence."""
    run = rows_of(folder / clip.name / f"{_name(clip)}.txt")
    run[~np.isnan(run[:, 1])] -= (dataset.origin, dataset.origin, 0, 0)
    regions, (width, height) = regions_of(clip), clip.size()
    if not rules.older:
        overlaps = restarts.overlaps_of(run, regions, partial(raster_overlap, size=(width, height)))
        return Judged(run, overlaps, overlaps)
    return Judged(
        run,
        restarts.overlaps_of(run, regions, partial(raster_overlap_old, bound=(width, height))),
        restarts.overlaps_of(run, regions, partial(raster_overlap_old, bound=(width - 1, height - 1))),
    )


def count(sequences: Sequence[Judged], rules: RestartRules) -> Counted:
    """Accuracy, robustness, number of failures and expected average overlap."""
    return Counted(_figures(sequences, rules), [_figures([one], rules) for one in sequences])


def _figures(sequences: Sequence[Judged], rules: RestartRules) -> dict[str, float | None]:
    runs, overlaps = [one.run for one in sequences], [one.overlaps for one in sequences]
    scores = (restarts.score_pooled if rules.older else restarts.score_restarts)(runs, overlaps)
    return {
        "accuracy": scores.accuracy if math.isfinite(scores.accuracy) else None,
        "robustness": scores.robustness,
        "failures": scores.failures,
        "eao": _eao(sequences, rules),
    }


def _eao(sequences: Sequence[Judged], rules: RestartRules) -> float | None:
    """Expected average overlap; None where no run is as long as the shortest length."""
    parts = [part for one in sequences for part in restarts.fragments(one.run, one.expected)]
    longest = max(len(one.run) for one in sequences) if rules.older else max(len(part.overlaps) for part in parts)
    if rules.eao is None or longest <= rules.eao[0]:
        return None
    value = restarts.eao_pooled(parts, longest, *rules.eao) if rules.older else restarts.eao(restarts.eao_curve(parts), *rules.eao)
    return value if math.isfinite(value) else None


def seconds_of(clip: Clip, folder: Path) -> list[float]:
    """Of the frames between starts and failures."""
    return seconds_in(clip, folder, [_name(clip)])


def _name(clip: Clip) -> str:
    return f"{clip.name}_001"


_LENGTHS = dict(sorted(restarts.EAO_LENGTHS.items(), reverse=True))

RESTARTS = Protocol(
    name="restarts",
    folder="restarts",
    track=track,
    problem=lacking,
    values=judge,
    count=count,
    seconds=seconds_of,
    metrics=("accuracy", "robustness", "failures", "eao"),
    headings={"accuracy": "accuracy", "robustness": "robustness", "failures": "failures", "eao": "EAO"},
    rules={
        **{name: RestartRules(eao=lengths) for name, lengths in _LENGTHS.items()},
        **{name: RestartRules(eao=None) for name in ("vot2014", "vot2013")},
        **{f"pysot-{name}": RestartRules(eao=lengths, older=True) for name, lengths in _LENGTHS.items()},
    },
    settings={"skip": restarts.SKIP},
)
