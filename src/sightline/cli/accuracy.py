"""Accuracy beside speed: what `sightline eval` has found of the trackers that are timed, and a plot of the two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sightline.cli.extras import needing
from sightline.errors import BadData, SightlineError

if TYPE_CHECKING:
    from sightline.measure.report import Report, Row

__all__ = ["Aucs", "aucs_in", "draw", "kind_of"]

Kind: TypeAlias = tuple[str, str]  # a tracker; "f32", or the engine and the precision: a file in int8 is made for one engine
Aucs: TypeAlias = Mapping[Kind, float]


def aucs_in(folder: Path | None, *, needed: bool) -> Aucs:
    """Success AUC of one pass by tracker, engine and precision, from every summary that `sightline eval` has left below a folder.

    Raises:
        SightlineError: there is no folder, and one is needed.
        BadData: what is there is no results, or of several data sets.
    """
    if folder is None:
        if needed:
            raise SightlineError("--plot draws accuracy over speed: say with --accuracy where `sightline eval` has written its results.")
        return {}
    found: dict[Kind, float] = {}
    data: set[str] = set()
    for path in sorted(folder.rglob("summary.json")):
        told = _object_in(path)
        if told.get("protocol", "one-pass") == "one-pass" and isinstance(told.get("auc"), float):
            made_by = str(_object_in(path.with_name("run.json")).get("engine", ""))
            found[kind_of(str(told.get("tracker")), made_by)] = told["auc"]
            data.add(str(told.get("dataset")))
    if not found or len(data) > 1:
        said = (
            f"of several data sets ({', '.join(sorted(data))}); name the folder of one"
            if data
            else "no finished results of `sightline eval`"
        )
        raise BadData(f"--accuracy {folder} holds {said}.")
    return found


def kind_of(tracker: str, label: str) -> Kind:
    """What an accuracy is of: boxes in f32 are those of every engine.

    Args:
        tracker: its name.
        label: the engine, and the precision where that is not f32, see `Opening.label`.
    """
    return tracker, label if " " in label else "f32"


def draw(report: Report, plot: Path) -> None:
    """The rows that have an accuracy, one for each tracker and precision: the fastest."""
    from sightline.evaluate.report.plots import draw_speed, rendered
    from sightline.weights import write_whole

    best: dict[tuple[object, ...], Row] = {}
    for row in sorted(report.rows, key=lambda row: row.times.p50 / row.targets):
        if row.auc is not None:
            best.setdefault((row.tracker, row.setting and row.setting.subject.precision, row.auc), row)
    points = [(row.times.name.replace(row.tracker, row.spec), row.times.fps, row.auc) for row in best.values() if row.auc is not None]
    with needing("plots", "--plot"):
        write_whole({plot: rendered(draw_speed(points, where=str(report.machine["processor"])), plot.suffix.lower()[1:])})


def _object_in(path: Path) -> dict[str, Any]:
    """What `sightline eval` has written to a file; empty where there is none."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise BadData(f"{path} cannot be read ({error}): run `sightline eval` again.") from error
