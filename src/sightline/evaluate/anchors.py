"""Tracking started at anchors, forward or backward to the end of the sequence, as the VOT challenges run it since 2020.

A tracker is not started again: a run counts up to its failure. Values are overlaps in run order, of which the first, the
start's, is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EAO_LENGTHS",
    "AnchorScores",
    "AnchoredClip",
    "Run",
    "SequenceScores",
    "eao",
    "eao_curve",
    "run_order",
    "score",
    "score_sequence",
]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LOW_OVERLAP = 0.1  # at or below, for GRACE frames in a row, the tracker has failed
GRACE = 10

EAO_LENGTHS = {"vot2020": (115, 755), "vot2021": (115, 755), "vot2022": (115, 755)}
"""Lengths of runs over which a challenge averages the expected overlap."""


def run_order(anchor: int, frames: int, *, backward: bool) -> NDArray[np.int64]:
    """Frames in the order in which a run from an anchor sees them."""
    return np.arange(anchor, -1, -1) if backward else np.arange(anchor, frames)


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        overlaps: (n,) in run order.
        progress: frames before the failure; n where there is none.
    """

    overlaps: Floats
    progress: int

    @classmethod
    def of(cls, overlaps: Floats, there: Bools) -> Run:
        """A run from its overlaps (n,) and whether the target was there (n,); a frame without it breaks a series of low ones."""
        low = (overlaps <= LOW_OVERLAP) & there
        in_a_row = 0
        for i, is_low in enumerate(low.tolist()):
            in_a_row = in_a_row + 1 if is_low else 0
            if in_a_row == GRACE:
                return cls(overlaps, i + 1 - GRACE)
        return cls(overlaps, len(overlaps))

    @property
    def failed(self) -> bool:
        """Whether it ended early."""
        return self.progress < len(self.overlaps)


@dataclass(frozen=True, slots=True)
class AnchoredClip:
    """The runs of one sequence, and how many frames it has."""

    runs: Sequence[Run]
    frames: int


class SequenceScores(NamedTuple):
    """Accuracy and robustness (both 0..1) of one sequence, and what they weigh in the mean over sequences."""

    accuracy: float
    robustness: float
    accuracy_weight: float
    robustness_weight: float


class AnchorScores(NamedTuple):
    """Weighted means over sequences, 0..1."""

    accuracy: float
    robustness: float


def score_sequence(sequence: AnchoredClip) -> SequenceScores:
    """Mean overlap before failures, and the part of the runs that lies before them."""
    progress = sum(run.progress for run in sequence.runs)
    total = sum(len(run.overlaps) for run in sequence.runs)
    tracked = sum(float(run.overlaps[: run.progress].sum()) for run in sequence.runs)
    return SequenceScores(tracked / progress if progress else 0.0, progress / total, progress, sequence.frames)


def score(sequences: Sequence[AnchoredClip]) -> AnchorScores:
    """Accuracy weighted by frames tracked, robustness by frames of the sequence."""
    accuracy, robustness, accuracy_weight, robustness_weight = np.array([score_sequence(sequence) for sequence in sequences]).T
    return AnchorScores(weighted(accuracy, accuracy_weight), weighted(robustness, robustness_weight))


def weighted(values: Floats, weights: Floats) -> float:
    """Weighted mean, 0 where nothing has a weight."""
    return float(np.average(values, weights=weights)) if weights.any() else 0.0


def eao_curve(sequences: Sequence[AnchoredClip], length: int) -> Floats:
    """Expected overlap of runs of 0 .. length - 1 frames; averaged over runs, then over sequences by their number of runs.

    A failed run stays in the mean beyond its end, a run without failure leaves it.
    """
    sums, weights = np.zeros(length), np.zeros(length)
    for sequence in sequences:
        for run in sequence.runs:
            values, counted = expected(run, length)
            sums += values
            weights += counted
    curve = np.zeros(length)
    np.divide(sums, weights, out=curve, where=weights > 0)
    curve[0] = 0.0
    return curve


def expected(run: Run, length: int) -> tuple[Floats, Bools]:
    """Mean overlap of a run's frames 1 to i for i = 0 .. length - 1, and where the run counts."""
    frames = len(run.overlaps)
    kept = np.where(np.arange(frames) < run.progress, run.overlaps, 0.0)
    sums = np.concatenate([[0.0], kept[1:].cumsum()])
    lengths = np.arange(length)
    inside = lengths < frames
    values = sums[np.minimum(lengths, frames - 1)] / np.maximum(
        np.where(inside, lengths, lengths - 1), 1
    )  # as published: i - 1 beyond the end
    return np.where(inside | run.failed, values, 0.0), inside | run.failed


def eao(curve: Floats, low: int, high: int) -> float:
    """Expected average overlap: the mean of a curve from length `low` to `high`, as far as the curve goes."""
    return float(curve[low : high + 1].mean())
