"""Figures of results that stand in a folder, and a list of what does not."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import BadData
from sightline.evaluate.clips import Clip, Dataset, boxes_from_file
from sightline.evaluate.metrics import Frames, average_overlap, frame_values, mean_iou, precision, share_above, success_auc
from sightline.evaluate.metrics import evaluate as count_all
from sightline.evaluate.results import Maker, combined, lacks, read_bytes, read_record
from sightline.evaluate.rules import Rules, find_rules
from sightline.frame import read

__all__ = ["METRICS", "RULES", "Summary", "figures", "score"]

METRICS = ("auc", "precision", "norm_precision", "ao", "sr50", "sr75")
RULES = (  # the row "sightline" in words
    "one pass, first frame included; frames without a visible target left out; success: mean of 21 shares of IoU > t; "
    "precision: 20 px; mean over sequences; fps: tracked frames / seconds of the tracker"
)


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one tracker on one data set.

    Attributes:
        expected: sequences that the data set has.
        means: `METRICS` by the rules, `mean_iou` over the sequences, `fps` over all frames; None where there is none, or where there are gaps.
        sequences: the same of each evaluated sequence, and its frames.
        gaps: what is missing or wrong, by sequence.
        tracker_hash: SHA-256 of what made the results.
        dataset_hash: SHA-256 of the data set, missing sequences left out.
        timed_on: processors and threads that the times are from; with several there is no mean speed.
        rules: by which `METRICS` are counted.
    """

    expected: int
    means: Mapping[str, float | None]
    sequences: Mapping[str, Mapping[str, Any]]
    gaps: Mapping[str, str]
    tracker_hash: str
    dataset_hash: str
    timed_on: tuple[str, ...]
    rules: str


def score(
    dataset: Dataset,
    folder: Path,
    *,
    maker: Maker,
    failed: Mapping[str, str] | None = None,
    partial_means: bool = False,
    rules: str | None = None,
) -> Summary:
    """Score what stands in a folder, and list what does not.

    Boxes are compared with the annotation as its files have it. Every figure is in 0..1, whatever scale the toolkit prints.

    Args:
        dataset: what was tracked.
        folder: the results.
        maker: what has to have made them.
        failed: what is known already of sequences without a result.
        partial_means: give means where there are gaps, too.
        rules: a name of `rules.RULES`; None for those of the data set.

    Raises:
        BadData: an image has disappeared, or there are no such rules.
    """
    counted = find_rules(rules or dataset.rules)
    digests = {clip.name: clip.digest() for clip in dataset}
    gaps: dict[str, str] = {name: f"missing in the data set: {lacking}" for name, lacking in dataset.missing.items()}
    sequences: dict[str, dict[str, Any]] = {}
    values: list[Frames] = []
    for clip in dataset:
        problem = (failed or {}).get(clip.name) or lacks(clip, folder, maker.digest(), digests[clip.name])
        if problem is None and not clip.visible.any():
            problem = "no frame of it shows a target"
        if problem is None and dataset.scored:
            try:
                values.append(_values(clip, folder, counted))
            except BadData as error:
                problem = str(error)
        if problem is not None:
            gaps[clip.name] = problem
        else:
            sequences[clip.name] = {**figures(clip, dataset, folder), **_by_rules(values[-1:], counted)}
    whole = partial_means or not gaps
    means: dict[str, float | None] = dict(_by_rules(values if whole else [], counted))
    means["mean_iou"] = _mean(row["mean_iou"] for row in sequences.values()) if whole else None
    timed = [row for row in sequences.values() if row["seconds"]]
    machines = sorted({row["timed_on"] for row in timed})
    seconds = sum(row["seconds"] for row in timed)
    means["fps"] = sum(row["frames"] - 1 for row in timed) / seconds if whole and len(machines) == 1 else None
    return Summary(
        expected=len(dataset) + len(dataset.missing),
        means=means,
        sequences=sequences,
        gaps=gaps,
        tracker_hash=maker.digest(),
        dataset_hash=combined(digests),
        timed_on=tuple(machines),
        rules=counted.name,
    )


def _values(clip: Clip, folder: Path, rules: Rules) -> Frames:
    """Overlaps and errors of one sequence, in the coordinates of the data set's files."""
    size = None
    if rules.bounded:
        with contextlib.closing(read(clip.frames[0])) as images:
            first = next(iter(images))
        size = first.width, first.height
    return frame_values(boxes_from_file(folder / f"{clip.name}.txt"), clip.rows, clip.visible, rules=rules, size=size)


def _by_rules(clips: Sequence[Frames], rules: Rules) -> dict[str, float | None]:
    """The figures of `METRICS` of all these sequences together, 0..1; None without any, or where the rules give no number."""
    if not clips:
        return dict.fromkeys(METRICS)
    _, scores = count_all(clips, rules)
    figures = [scores.success, scores.precision, scores.normal, *(share_above(clips, threshold, rules) for threshold in (0.5, 0.75))]
    auc, precise, normal, half, three_quarters = (figure / rules.scale for figure in figures)
    found = {"auc": auc, "precision": precise, "norm_precision": normal, "ao": average_overlap(clips, rules)}
    found |= {"sr50": half, "sr75": three_quarters}
    return {key: value if math.isfinite(value) else None for key, value in found.items()}


def figures(clip: Clip, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Plain metrics of one sequence, of no toolkit (None where its truth is not public), its frames and its speed (None without times)."""
    boxes = boxes_from_file(folder / f"{clip.name}.txt") - np.array([dataset.origin, dataset.origin, 0, 0])
    truth = np.where(clip.visible[:, np.newaxis], clip.truth, np.nan)
    record, times = read_record(clip, folder), f"times/{clip.name}_time.txt"
    seconds = sum(map(float, read_bytes(folder / times).split()[1:])) if times in record["files"] else None
    metrics = {"auc": success_auc, "precision": precision, "mean_iou": mean_iou}
    return {
        **{key: metric(boxes, truth) if dataset.scored else None for key, metric in metrics.items()},
        "fps": (len(boxes) - 1) / seconds if seconds else None,
        "frames": len(boxes),
        "absent": len(boxes) - int(clip.visible.sum()) if dataset.scored else None,
        "seconds": seconds,
        "timed_on": record.get("timed_on"),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
