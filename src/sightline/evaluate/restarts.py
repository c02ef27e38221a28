"""Tracking that is started again after every failure, as the VOT challenges of 2013 to 2019 ran it.

A run is a float array (T, 4): a box in each frame, or a code in the first column and NaN in the others. Two programs score
such runs, and not alike: the older one pools frames, the newer one weights sequences by their length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.box import iou
from sightline.evaluate.regions import Region

__all__ = [
    "EAO_LENGTHS",
    "Fragment",
    "RestartScores",
    "accuracy_and_failures",
    "burnt",
    "codes",
    "eao",
    "eao_curve",
    "eao_pooled",
    "fragments",
    "overlaps_of",
    "restarted",
    "score_pooled",
    "score_restarts",
]


Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SKIPPED, STARTED, FAILED = 0, 1, 2  # codes of a run
SKIP = 5  # a run starts again so many frames after a failure
BURN_IN = 10  # frames after a start that say nothing of accuracy
SENSITIVITY = 30  # robustness is exp(-SENSITIVITY x failures / frames)

EAO_LENGTHS = {
    "vot2015": (108, 371),
    "vot2016": (108, 371),
    "vot2017": (100, 356),
    "vot2018": (100, 356),
    "vot2019": (46, 291),
}
"""Lengths of sequences over which a challenge averages the expected overlap; before there was none."""


def restarted(boxes: Floats, truth: Floats, *, skip: int = SKIP) -> Floats:
    """The run that a tracker which always gives `boxes` would have made.

    Args:
        boxes: (T, 4) x, y, w, h; not modified.
        truth: (T, 4); a frame in which the two have no area in common is a failure.
        skip: frames from a failure to the next start.

    Returns:
        (T, 4): boxes, or a code (1 start, 2 failure, 0 left out) and three NaN.
    """
    lost = ~(iou(boxes, truth) > 0)
    run = np.full((len(truth), 4), np.nan)
    run[:, 0] = SKIPPED
    start = 0
    while start < len(truth):
        run[start, 0] = STARTED
        failures = np.flatnonzero(lost[start + 1 :])
        end = start + 1 + int(failures[0]) if len(failures) else len(truth)
        run[start + 1 : end] = boxes[start + 1 : end]
        if end < len(truth):
            run[end, 0] = FAILED
        start = end + skip
    return run


def codes(run: Floats) -> Floats:
    """Code of each frame (T,), NaN where there is a box."""
    return np.where(np.isnan(run[:, 1:]).all(axis=1), run[:, 0], np.nan)


def burnt(run: Floats, frames: int = BURN_IN) -> Bools:
    """Frames (T,) from a start to `frames` after it, without the last."""
    marks = np.zeros(len(run), dtype=bool)
    for start in np.flatnonzero(codes(run) == STARTED):
        marks[start : start + frames] = True
    return marks


def overlaps_of(run: Floats, truth: Iterable[Region], overlap: Callable[[Floats, Region], float]) -> Floats:
    """Overlap of each frame (T,), by a rule of `sightline.evaluate.regions`; a code is a region of one number."""
    rows = [row[:1] if is_coded else row for row, is_coded in zip(run, ~np.isnan(codes(run)), strict=True)]
    return np.array([overlap(row, region) for row, region in zip(rows, truth, strict=True)])


@dataclass(frozen=True, slots=True)
class RestartScores:
    """Accuracy and robustness of all sequences.

    Attributes:
        accuracy: mean overlap, 0..1.
        failures: number of failures; by the newer program their mean, weighted by length.
        robustness: failures per hundred frames (lower is better), or by the newer program exp(-30 failures / length).
    """

    accuracy: float
    failures: float
    robustness: float


def score_pooled(runs: Sequence[Floats], overlaps: Sequence[Floats]) -> RestartScores:
    """Frames of all sequences together, as the older program counts.

    Args:
        runs: of each sequence.
        overlaps: of each, (T,), NaN at codes.
    """
    kept = np.concatenate([np.where(burnt(run), np.nan, values) for run, values in zip(runs, overlaps, strict=True)])
    failures = sum(int((codes(run) == FAILED).sum()) for run in runs)
    accuracy = float(np.nanmean(kept)) if np.isfinite(kept).any() else math.nan
    return RestartScores(accuracy, failures, 100 * failures / len(kept))


def accuracy_and_failures(run: Floats, overlaps: Floats) -> tuple[float, int]:
    """Of one sequence by the newer program: mean overlap outside of burn-in and codes, 0 where nothing is left; failures."""
    code = codes(run)
    counted = ~burnt(run) & (code != FAILED) & (code != SKIPPED)
    return (float(overlaps[counted].mean()) if counted.any() else 0.0), int((code == FAILED).sum())


def score_restarts(runs: Sequence[Floats], overlaps: Sequence[Floats]) -> RestartScores:
    """Means over sequences weighted by length, as the newer program counts."""
    lengths = np.array([len(run) for run in runs], dtype=np.float64)
    each = np.array([accuracy_and_failures(run, values) for run, values in zip(runs, overlaps, strict=True)])
    accuracy, failures = (float(np.average(column, weights=lengths)) for column in each.T)
    return RestartScores(accuracy, failures, math.exp(-SENSITIVITY * failures / lengths.mean()))


@dataclass(frozen=True, slots=True)
class Fragment:
    """The overlaps from a start to the frame before its failure, or to the end.

    Attributes:
        overlaps: (n,).
        failed: it ended by a failure: beyond it the overlap is 0, not unknown.
        weight: what it counts for in the mean of the older program.
    """

    overlaps: Floats
    failed: bool
    weight: float = 1.0


def fragments(run: Floats, overlaps: Floats, *, skip: int = SKIP) -> list[Fragment]:
    """The fragments of a run (T, 4), of overlaps (T,)."""
    code = codes(run)
    found = []
    for start in np.flatnonzero(code == STARTED):
        failures = np.flatnonzero(code[start:] == FAILED)
        if not len(failures):
            found.append(Fragment(overlaps[start:], False))
            continue
        end = start + int(failures[0])
        # as published: a fragment reaches to the next start, and that may be the first frame which is none
        is_beyond = end + skip == len(run)
        found.append(Fragment(overlaps[start:end], True, (len(run) - start) / (len(run) - start + 1) if is_beyond else 1.0))
    return found


def expected_overlap(parts: Sequence[Fragment], length: int, *, weighted: bool) -> Floats:
    """Mean overlap of frames 1 to i, averaged over the fragments that are known so far, for i = 1 .. length - 1."""
    weights = np.array([[part.weight if weighted else 1.0] for part in parts])
    rows = [np.pad(part.overlaps, (0, length - len(part.overlaps)), constant_values=0.0 if part.failed else np.nan) for part in parts]
    means = np.stack(rows)[:, 1:].cumsum(axis=1) / np.arange(1, length)
    known = ~np.isnan(means)
    with np.errstate(invalid="ignore"):
        curve: Floats = np.where(known, means * weights, 0.0).sum(axis=0) / (known * weights).sum(axis=0)
    return curve


def eao_curve(parts: Sequence[Fragment]) -> Floats:
    """Expected overlap of sequences of 0, 1, .. frames, to the longest fragment; the newer program's, 0 at 0."""
    return np.concatenate([[0.0], expected_overlap(parts, max(len(part.overlaps) for part in parts), weighted=False)])


def eao(curve: Floats, low: int, high: int) -> float:
    """Expected average overlap: the mean of a curve from length `low` to `high`, both included, as far as it goes."""
    return float(curve[low : high + 1].mean())


def eao_pooled(parts: Sequence[Fragment], longest: int, low: int, high: int) -> float:
    """Expected average overlap by the older program.

    Args:
        parts: of all sequences.
        longest: frames of the longest sequence.
        low: first length; as published its value is looked up one place too early, as is that of `high`.
        high: last length.
    """
    curve = np.concatenate([[1.0], expected_overlap(parts, longest, weighted=True)])
    return float(np.nanmean(curve[low - 1 : high]))
