"""The same boxes by the rules of several toolkits: how far the figures are apart, and what makes the difference."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from sightline.errors import BadData
from sightline.evaluate.metrics import evaluate, frame_values
from sightline.evaluate.report.compare import Comparison, Entry
from sightline.evaluate.report.tables import Cell, Column, Table
from sightline.evaluate.rules import RULES, Rules, rules_of_one_kind

__all__ = ["other_rules"]

SHOWN = {"auc": "AUC", "precision": "P", "norm_precision": "P norm"}  # in the order of `metrics.Scores`
LEAST = 0.0005  # smaller differences are not explained
REASONS = 3

# Fields of `Rules` that only together are one decision; fields that are not here decide ties.
DECISIONS = {
    "which frames count": ("dropped", "denominator"),
    "which truth is usable": ("valid", "valid_seen", "valid_centre"),
    "what an unusable frame is worth": ("invalid_error", "invalid_normal", "unseen_error"),
    "rounding": ("rounding", "truth_rounding"),
    "bad predictions": ("repair",),
    "the first frame": ("first",),
    "boxes cut to the image": ("bounded",),
    "size of the target": ("normal_floor", "normal_eps"),
    "mean": ("pool", "skip_zero"),
    "thresholds and score": ("success", "precision", "normal"),
}


def other_rules(comparison: Comparison) -> Table:
    """Figures of every tracker by the rules that people use on data sets of this kind.

    Why two rows differ is found by changing one thing at a time, for the best tracker: the row of the comparison takes one decision of the other
    row, and is counted again. Where several things work together these parts do not add up.
    """
    names = rules_of_one_kind(comparison.rules.name)
    boxes = _Boxes.of(comparison, bounded=any(RULES[name].bounded for name in names))
    found = {name: [_counted(boxes, entry, RULES[name]) for entry in comparison.entries] for name in names}
    reasons = {name: _reasons(boxes, comparison.entries[0], comparison.rules, RULES[name]) for name in names}
    rows: list[tuple[Cell, ...]] = []
    for metric, title in SHOWN.items():
        columns = []
        for name in names:
            values = [figures[metric] if figures else None for figures in found[name]]
            columns.append(values)
            rows.append((title, name, *values, reasons[name][metric]))
        rows.append((title, "all", *(_range(values) for values in zip(*columns, strict=True)), ""))
    return Table(
        name="rules",
        title="The same boxes by other rules",
        caption=(
            f"Figures of the same results by the rules of toolkits; all others are counted by {comparison.rules.name}. "
            f"The last column: what changes that row of {comparison.entries[0].label} most, one decision taken over at a time."
        ),
        columns=(
            Column("metric", "text"),
            Column("rules", "text"),
            *(Column(entry.label) for entry in comparison.entries),
            Column("differs in", "text"),
        ),
        rows=tuple(rows),
        rank="rows",
    )


@dataclass(frozen=True, slots=True)
class _Boxes:
    """A comparison, with (width, height) of the first image of each sequence where some rules cut boxes to it."""

    comparison: Comparison
    sizes: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, comparison: Comparison, *, bounded: bool) -> _Boxes:
        sizes = {clip.name: clip.size() for clip in comparison.clips} if bounded else {}
        return cls(comparison, sizes)


def _counted(boxes: _Boxes, entry: Entry, rules: Rules) -> dict[str, float | None] | None:
    """Figures of one tracker by one row; None where the row refuses its boxes."""
    origin = np.array([boxes.comparison.origin, boxes.comparison.origin, 0, 0])
    try:
        frames = [
            frame_values(entry.boxes[clip.name] + origin, clip.annotations(), clip.visible, rules=rules, size=boxes.sizes.get(clip.name))
            for clip in boxes.comparison.clips
        ]
    except BadData:
        return None
    _, scores = evaluate(frames, rules)
    return {key: value / rules.scale if np.isfinite(value) else None for key, value in zip(SHOWN, astuple(scores), strict=True)}


def _reasons(boxes: _Boxes, entry: Entry, ours: Rules, theirs: Rules) -> dict[str, str]:
    """What of `theirs` changes each figure most."""
    base, whole = _counted(boxes, entry, ours), _counted(boxes, entry, theirs)
    if base is None or whole is None:
        return dict.fromkeys(SHOWN, "its toolkit refuses some of the boxes" if whole is None else "")
    told: dict[str, list[tuple[float, str]]] = {metric: [] for metric in SHOWN}
    apart = [metric for metric in SHOWN if abs(_difference(whole[metric], base[metric])) >= LEAST]
    for words, changed in _changes(ours, theirs) if apart else ():
        values = _counted(boxes, entry, changed) or base
        for metric in apart:
            difference = _difference(values[metric], base[metric])
            if abs(difference) >= LEAST:
                told[metric].append((difference, f"{words} {difference:+.3f}"))
    return {
        metric: ", ".join(text for _, text in sorted(parts, key=lambda part: -abs(part[0]))[:REASONS]) for metric, parts in told.items()
    }


def _changes(ours: Rules, theirs: Rules) -> Iterator[tuple[str, Rules]]:
    """Our row with one decision of theirs, for each that differs."""
    for words, fields in DECISIONS.items():
        taken: dict[str, Any] = {field: getattr(theirs, field) for field in fields}
        changed = dataclasses.replace(ours, **taken)
        if changed != ours:
            yield words, changed


def _difference(a: float | None, b: float | None) -> float:
    return (a or 0.0) - (b or 0.0)


def _range(values: Sequence[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None
