"""Long videos, in which the target goes away and comes back: what a tracker says of its own certainty counts too.

Precision, recall and F over a threshold on the score, as three toolkits take it, and what VOTS (2023 on) counts where a
tracker must say itself that the target is absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData

__all__ = [
    "FCurve",
    "PresenceCounts",
    "count_presence",
    "f_curve",
    "most_certain_first",
    "precision_recall",
    "presence_accuracy",
    "presence_rates",
    "presence_success",
    "ranked_f",
    "ranked_threshold",
    "thresholds_descending",
    "thresholds_nearest",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STEPS = 98  # thresholds between the two infinite ones
MANY_ABSENT = 10  # frames without the target above which a clip says something of noticing that


class FCurve(NamedTuple):
    """Precision, recall and F at each threshold (K,), and the place of the largest F."""

    precision: Floats
    recall: Floats
    f: Floats
    best: int


def thresholds_nearest(scores: Floats) -> Floats:
    """100 thresholds from the scores of all clips, high to low, NaN left out; places rounded half up.

    Raises:
        BadData: there are fewer than 98 scores.

    Source: pysot.
    """
    ordered = np.sort(scores[~np.isnan(scores)])
    if len(ordered) < STEPS:
        raise BadData(f"pysot takes a hundred thresholds from {STEPS} scores or more, and there are {len(ordered)}; take other rules.")
    delta = len(ordered) // STEPS
    places = np.floor(np.linspace(delta - 1, len(ordered) - delta, STEPS) + 0.5).astype(int)
    return np.concatenate([[-np.inf], ordered[places], [np.inf]])[::-1]


def thresholds_descending(scores: Floats) -> Floats:
    """100 thresholds from the scores of all clips, high to low; places rounded half to even. All scores where they are fewer.

    Source: the VOT toolkit in Python.
    """
    ordered = np.sort(scores)[::-1]
    if len(ordered) > STEPS:
        delta = len(ordered) // STEPS
        ordered = ordered[np.round(np.linspace(delta, len(ordered) - delta, STEPS)).astype(int)]
    return np.concatenate([[np.inf], ordered, [-np.inf]])


def precision_recall(overlaps: Floats, scores: Floats, present: int, thresholds: Floats, *, zero_is_silent: bool) -> tuple[Floats, Floats]:
    """Tracking precision and recall of one clip at each threshold (K,).

    Args:
        overlaps: (T,) 0 where the target is absent, and at the start.
        scores: (T,) certainty.
        present: frames with the target.
        thresholds: (K,); frames with a score at or above are selected.
        zero_is_silent: at minus infinity, frames with a score above 0 only.

    Returns:
        Mean overlap of the selected frames, 1 where there are none; its sum by `present`.
    """
    selected = scores >= thresholds[:, np.newaxis]
    if zero_is_silent:
        selected[np.isneginf(thresholds)] = scores > 0
    sums, numbers = (selected * overlaps).sum(axis=1), selected.sum(axis=1)
    return np.where(numbers > 0, sums / np.maximum(numbers, 1), 1.0), sums / present


def f_curve(precision: Floats, recall: Floats) -> FCurve:
    """F of curves that are averaged over clips already, each (K,)."""
    with np.errstate(invalid="ignore"):
        f = 2 * precision * recall / (precision + recall)
    return FCurve(precision, recall, f, int(np.nanargmax(f)))


def most_certain_first(scores: Floats) -> NDArray[np.int64]:
    """Frames in order of falling score (N,); of equal scores the earlier frame first."""
    return np.argsort(-scores, kind="stable")


def ranked_f(overlaps: Floats, present: int) -> FCurve:
    """Precision, recall and F after each frame of all clips together, the most certain first.

    Args:
        overlaps: (N,) in order of falling score, 0 where the truth is unusable.
        present: frames with a usable truth.

    Returns:
        (N + 1,) each: precision 1 and recall 0 before the first. Between frames of equal score the curves depend on
        their order, which pytracking leaves to a sort that keeps none; F at its largest hardly does.

    Source: pytracking.
    """
    sums = overlaps.cumsum()
    recall = np.concatenate([[0.0], sums / present])
    precision = np.concatenate([[1.0], sums / np.arange(1, len(sums) + 1)])
    return f_curve(precision, recall)


def ranked_threshold(scores: Floats, best: int) -> float:
    """The score that `ranked_f` reports beside its place `best`; as published it is the one after, or the last."""
    ordered = np.sort(scores)[::-1]
    return float(ordered[min(best, len(ordered) - 1)])


@dataclass(frozen=True, slots=True)
class PresenceCounts:
    """Frames of one clip: tracked, lost (a region without overlap), missed (called absent), made up, noticed as absent."""

    tracked: int
    failed: int
    missed: int
    hallucinated: int
    noticed: int

    @property
    def present(self) -> int:
        """Frames with the target."""
        return self.tracked + self.failed + self.missed


def count_presence(overlaps: Floats, said: Bools, there: Bools) -> PresenceCounts:
    """What a tracker made of each frame.

    Args:
        overlaps: (T,).
        said: (T,) the tracker gave a region that is not empty; the start counts as empty.
        there: (T,) the target was there.
    """
    hit = overlaps > 0
    numbers = (there & hit, there & ~hit & said, there & ~hit & ~said, ~there & said, ~there & ~said)
    return PresenceCounts(*(int(frames.sum()) for frames in numbers))


def presence_accuracy(overlaps: Floats, there: Bools) -> float:
    """Mean overlap of the frames that were tracked, and of the start, which has none."""
    counted = (overlaps > 0) & there
    counted[0] = True
    return float(overlaps[counted].mean())


def presence_rates(counts: PresenceCounts) -> tuple[float, float, float, float]:
    """Of one clip: robustness, not-reported error, drift error, and absence detection (NaN with few absent frames)."""
    present, absent = counts.present, counts.hallucinated + counts.noticed
    detection = counts.noticed / absent if absent > MANY_ABSENT else float("nan")
    return counts.tracked / present, counts.missed / present, counts.failed / present, detection


def presence_success(overlaps: Floats, thresholds: Floats) -> Floats:
    """Share of frames above each threshold (K,), at 1 those that reach it."""
    shares: Floats = np.where(
        thresholds == 1, (overlaps[:, np.newaxis] >= thresholds).mean(axis=0), (overlaps[:, np.newaxis] > thresholds).mean(axis=0)
    )
    return shares
