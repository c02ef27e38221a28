"""Long term: one pass through long videos in which the target goes away; what the tracker says of itself counts, as in VOT-LT.

Files: `trajectory`, one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate import presence
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.protocols.protocol import Counted, Figures, Files, Protocol
from sightline.evaluate.protocols.trajectory import (
    Trajectory,
    regions_of,
    rows_of,
    scores_of,
    seconds_in,
    steps,
    to_files,
    what_lacks,
)
from sightline.evaluate.regions import is_code, raster_overlap, raster_overlap_old
from sightline.tracker import Tracker

__all__ = ["LONG_TERM", "LongTermRules"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LongTermRules:
    """How overlaps and thresholds are taken.

    Attributes:
        older: as pysot has it: overlaps of the older program, a hundred thresholds without the start. If not: as the VOT toolkit has it.
    """

    older: bool


class Judged(NamedTuple):
    """Of one sequence: overlaps (T,), 0 at the start and where there is no target; scores (T,), NaN for none; frames with the target."""

    overlaps: Floats
    scores: Floats
    present: int


def track(clip: Clip, tracker: Tracker[Any], origin: int) -> Files:
    """Follow the target from its first box to the end."""
    run = Trajectory(len(clip.frames), origin)
    for i, step in steps(clip, range(len(clip.frames)), tracker):
        if i == 0:
            run.begin(i, step)
        else:
            run.add(i, step)
    return to_files(clip, {_name(clip): run})


def lacking(clip: Clip, folder: Path) -> str | None:
    """What is wrong with the run of a clip, in words."""
    return what_lacks(clip, folder, {_name(clip): len(clip.frames)})


def judge(clip: Clip, dataset: Dataset, folder: Path, rules: LongTermRules) -> Judged:
    """Overlaps and scores of one sequence."""
    rows = rows_of(folder / clip.name / f"{_name(clip)}.txt") - (dataset.origin, dataset.origin, 0, 0)
    regions, size = regions_of(clip), clip.size()
    scores = scores_of(clip, folder, _name(clip))
    if rules.older and np.isnan(scores).all():
        raise BadData("the tracker says nothing of its certainty, and these rules need it")
    pairs = zip(rows[1:], regions[1:], strict=True)
    if rules.older:
        overlaps = np.nan_to_num([0.0, *(raster_overlap_old(row, region, bound=size) for row, region in pairs)])
    else:
        overlaps = np.array([0.0, *(raster_overlap(row, region, size) for row, region in pairs)])
    return Judged(overlaps, scores, sum(not is_code(region) for region in regions))


def count(sequences: Sequence[Judged], rules: LongTermRules) -> Counted:
    """F at its largest, with precision and recall there; of each sequence at the same threshold."""
    pooled = np.concatenate([one.scores for one in sequences])
    thresholds = presence.thresholds_nearest(pooled) if rules.older else presence.thresholds_descending(np.nan_to_num(pooled))
    curves = [
        presence.precision_recall(one.overlaps, np.nan_to_num(one.scores), one.present, thresholds, zero_is_silent=rules.older)
        for one in sequences
    ]
    curve = presence.f_curve(*np.mean(curves, axis=0))
    best = curve.best
    each = [_figures(float(precision[best]), float(recall[best])) for precision, recall in curves]
    return Counted(_figures(float(curve.precision[best]), float(curve.recall[best])), each)


def _figures(precision: float, recall: float) -> Figures:
    together = precision + recall
    return {"f_score": 2 * precision * recall / together if together else 0.0, "precision_lt": precision, "recall_lt": recall}


def seconds_of(clip: Clip, folder: Path) -> list[float]:
    """Of every frame but the first."""
    return seconds_in(clip, folder, [_name(clip)])


def _name(clip: Clip) -> str:
    return f"{clip.name}_001"


LONG_TERM = Protocol(
    name="long-term",
    folder="long-term",
    track=track,
    problem=lacking,
    values=judge,
    count=count,
    seconds=seconds_of,
    metrics=("f_score", "precision_lt", "recall_lt"),
    headings={"f_score": "F", "precision_lt": "precision", "recall_lt": "recall"},
    rules={"vot-lt": LongTermRules(older=False), "pysot-lt": LongTermRules(older=True)},
)
