"""A comparison as a folder of files: tables, plots, one JSON object, one page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sightline.evaluate.protocols.one_pass import PLAINEST
from sightline.evaluate.published import METRICS as PUBLISHED_METRICS
from sightline.evaluate.published import Published
from sightline.evaluate.report.compare import METRICS, Comparison, Entry
from sightline.evaluate.report.other_rules import other_rules
from sightline.evaluate.report.page import Limits, make_page
from sightline.evaluate.report.plots import draw_plots, rendered
from sightline.evaluate.report.tables import Cell, Column, Table, to_csv, to_latex, to_markdown
from sightline.weights import write_whole

__all__ = ["as_json", "make_tables", "write_report"]

TITLES = {
    "auc": "AUC",
    "precision": "precision",
    "normalised-precision": "normalised precision",
    "ao": "AO",
    "sr50": "SR50",
    "sr75": "SR75",
    "fps": "fps",
}
PLOT_KINDS = ("svg", "pdf", "png")


def write_report(comparison: Comparison, output: Path, *, published: Sequence[Published] = (), limits: Limits | None = None) -> list[Path]:
    """Write everything into a folder; files of an earlier report are replaced.

    Args:
        comparison: what is shown.
        output: the folder; made where it is missing.
        published: figures of others on the same data set.
        limits: of the pictures in the page.

    Returns:
        The files, the page first.

    Raises:
        BadData: an image cannot be read.
        WeightsMissing: a file cannot be written.
        ModuleNotFoundError: matplotlib is not installed.
    """
    tables = make_tables(comparison, published)
    figures = draw_plots(comparison)
    plots = {name: {kind: rendered(figure, kind) for kind in PLOT_KINDS} for name, figure in figures.items()}
    page = make_page(
        comparison,
        plots={name: kinds["svg"] for name, kinds in plots.items()},
        above=tables[:1],
        below=tables[1:],
        rules=counted_by(comparison),
        limits=limits or Limits(),
    )
    contents = {"report.html": page, "report.md": _markdown(comparison, tables, list(plots)), "report.json": _dumped(comparison, published)}
    for table in tables:
        for suffix, convert in (("md", to_markdown), ("csv", to_csv), ("tex", to_latex)):
            contents[f"tables/{table.name}.{suffix}"] = convert(table)
    files = {output / name: text.encode() for name, text in contents.items()}
    files |= {output / "plots" / f"{name}.{kind}": data for name, kinds in plots.items() for kind, data in kinds.items()}
    write_whole(files)
    return list(files)


def make_tables(comparison: Comparison, published: Sequence[Published]) -> list[Table]:
    """All trackers, each sequence, each attribute, and what others published; tables without rows are left out."""
    entries = comparison.entries
    labels = tuple(Column(entry.label) for entry in entries)
    frames = {clip.name: len(clip.frames) for clip in comparison.clips}
    values: list[tuple[Cell, ...]] = [
        (name, number, *(entry.sequences[name]["auc"] for entry in entries)) for name, number in frames.items()
    ]
    by_attribute: list[tuple[Cell, ...]] = [
        (name, number, *(entry.attributes[name] for entry in entries)) for name, number in sorted(comparison.attributes.items())
    ]
    count = Column("frames", "count", ranked=False)
    tables = [
        _overall(comparison, published),
        Table(
            name="sequences",
            title="Sequences",
            caption=f"AUC on each sequence of {comparison.dataset}.",
            columns=(Column("sequence", "text"), count, *labels),
            rows=(
                *values,
                ("mean", sum(frames.values()), *(entry.means["auc"] for entry in entries)),
            ),
            rank="rows",
        ),
        Table(
            name="attributes",
            title="Attributes",
            caption=f"AUC of the sequences of {comparison.dataset} with an attribute.",
            columns=(Column("attribute", "text"), Column("sequences", "count", ranked=False), *labels),
            rows=tuple(by_attribute),
            rank="rows",
        ),
        other_rules(comparison),
        _others(comparison, published),
    ]
    return [table for table in tables if table.rows]


def counted_by(comparison: Comparison) -> str:
    """The name of the rules, and what the plainest ones are."""
    name = comparison.rules.name
    return f"{name} ({PLAINEST}; normalised precision: 0.2 sides of the target)" if name == "sightline" else f"{name} (docs/evaluation.md)"


def as_json(comparison: Comparison, published: Sequence[Published]) -> dict[str, Any]:
    """What `report.json` has."""
    return {
        "dataset": comparison.dataset,
        "evaluated": len(comparison.clips),
        "expected": comparison.expected,
        "rules": comparison.rules.name,
        "trackers": [
            {
                "label": entry.label,
                "tracker": entry.tracker,
                "tracker_hash": entry.tracker_hash,
                **entry.means,
                "fps": entry.fps,
                "timed_on": list(entry.timed_on),
                "curves": {field.name: getattr(entry.curves, field.name).tolist() for field in dataclasses.fields(entry.curves)},
                "attributes": dict(entry.attributes),
                "sequences": dict(entry.sequences),
            }
            for entry in comparison.entries
        ],
        "attributes": dict(comparison.attributes),
        "gaps": {label: dict(gaps) for label, gaps in comparison.gaps.items()},
        "published": [dataclasses.asdict(figure) for figure in published],
    }


def _overall(comparison: Comparison, published: Sequence[Published]) -> Table:
    """One row per tracker; figures that others published of it stand beside ours, and say that they are."""
    trackers = {entry.tracker for entry in comparison.entries}
    told = [metric for metric in PUBLISHED_METRICS if any(row.tracker in trackers and row.metric == metric for row in published)]
    times = sorted({machine for entry in comparison.entries for machine in entry.timed_on})
    timed = f"Speed on {'DIFFERENT machines: ' * (len(times) > 1)}{'; '.join(times)}." if times else "No times were taken."
    return Table(
        name="trackers",
        title="Trackers",
        caption=f"{len(comparison.clips)} sequences of {comparison.dataset}, counted by {comparison.rules.name}. {timed}"
        + " Published: by others, by their rules." * bool(told),
        columns=(
            Column("tracker", "text"),
            *(Column(title) for title in METRICS.values()),
            Column("fps", "rate"),
            *(Column(f"{TITLES[metric]}, published", "rate" if metric == "fps" else "share", ranked=False) for metric in told),
        ),
        rows=tuple(
            (
                entry.label,
                *(entry.means[key] for key in METRICS),
                entry.fps,
                *(_range([row.value for row in published if (row.tracker, row.metric) == (entry.tracker, metric)]) for metric in told),
            )
            for entry in comparison.entries
        ),
    )


def _range(values: Sequence[float]) -> Cell:
    """One number, or the smallest and the largest of several."""
    if len(set(values)) > 1:
        return min(values), max(values)
    return values[0] if values else None


def _others(comparison: Comparison, published: Sequence[Published]) -> Table:
    return Table(
        name="published",
        title="Published by others",
        caption=f"Figures on {comparison.dataset} as their authors give them: by their rules, not measured here; ours beside them where there are any.",
        columns=(
            Column("tracker", "text"),
            Column("metric", "text"),
            Column("published", ranked=False),
            Column("ours", ranked=False),
            Column("source", "text"),
        ),
        rows=tuple(
            (row.tracker, TITLES.get(row.metric, row.metric), row.value, _ours(comparison.entries, row), row.source) for row in published
        ),
    )


def _ours(entries: Sequence[Entry], figure: Published) -> float | None:
    key = PUBLISHED_METRICS.get(figure.metric)
    found = [entry.fps if key == "fps" else entry.means.get(key or "") for entry in entries if entry.tracker == figure.tracker]
    return found[0] if len(found) == 1 else None


def _markdown(comparison: Comparison, tables: Sequence[Table], plots: Sequence[str]) -> str:
    lines = [f"# {', '.join(entry.label for entry in comparison.entries)} on {comparison.dataset}", ""]
    lines += [f"{len(comparison.clips)} of {comparison.expected} sequences. Counted by: {counted_by(comparison)}.", ""]
    for label, gaps in comparison.gaps.items():
        lines += [*(f"- MISSING: {label}/{name}: {reason}" for name, reason in gaps.items()), ""]
    for i, table in enumerate(tables):
        lines += [f"## {table.title}", "", table.caption, "", to_markdown(table)]
        if i == 0:
            lines += [*(f"![{name.replace('_', ' ')}](plots/{name}.png)" for name in plots), ""]
    return "\n".join(lines)


def _dumped(comparison: Comparison, published: Sequence[Published]) -> str:
    return json.dumps(as_json(comparison, published), indent=1) + "\n"
