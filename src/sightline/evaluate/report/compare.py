"""Finished results of several trackers on one data set, scored alike over the same sequences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.clips import boxes_from_file
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.metrics import Curves, average
from sightline.evaluate.protocols.one_pass import ONE_PASS, Compared, by_rules, figures
from sightline.evaluate.results import lacks
from sightline.evaluate.rules import Rules

__all__ = ["METRICS", "Comparison", "Entry", "compare", "result_folders"]

Floats = NDArray[np.float64]

METRICS = {"auc": "AUC", "precision": "P", "norm_precision": "P norm", "ao": "AO", "sr50": "SR50", "sr75": "SR75"}
SHOWN_GAPS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One tracker.

    Attributes:
        label: what it is called here: the name of its folder of results.
        tracker: what it was called when it was run.
        boxes: (T, 4) predictions of each compared sequence, frame pixels, origin 0.
        sequences: figures of each compared sequence, as `sightline eval` has them.
        curves: over all compared sequences, 0..1.
        means: a key of `METRICS` -> 0..1; None where the rules give no number.
        fps: frames per second, None without times or with times from several machines.
        timed_on: the machines.
        attributes: AUC of the sequences that have an attribute together.
        tracker_hash: SHA-256 of what made the results.
    """

    label: str
    tracker: str
    boxes: Mapping[str, Floats]
    sequences: Mapping[str, Mapping[str, Any]]
    curves: Curves
    means: Mapping[str, float | None]
    fps: float | None
    timed_on: tuple[str, ...]
    attributes: Mapping[str, float | None]
    tracker_hash: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Trackers by falling AUC.

    Attributes:
        dataset: its name.
        origin: coordinate of the first pixel in its files.
        rules: by which every figure is counted.
        clips: sequences that all trackers have results of: every figure is over these.
        expected: sequences that the data set has.
        entries: one per tracker.
        gaps: label -> sequence -> what is missing or wrong.
        attributes: attribute -> how many of the clips have it; in alphabetical order.
    """

    dataset: str
    origin: int
    rules: Rules
    clips: tuple[Clip, ...]
    expected: int
    entries: tuple[Entry, ...]
    gaps: Mapping[str, Mapping[str, str]]
    attributes: Mapping[str, int]


def result_folders(given: Sequence[Path]) -> dict[str, Path]:
    """Folders of one tracker's results each, by their names: those given, and those that lie in the ones given.

    Raises:
        BadData: a folder holds no results, or two have one name.
    """
    found: dict[str, Path] = {}
    for path in given:
        inside = [path] if (path / "run.json").is_file() else sorted(run.parent for run in path.glob("*/run.json"))
        if not inside:
            raise BadData(f"{path} holds no results; expected the folder of a tracker that `sightline eval` wrote, or one folder above.")
        for folder in inside:
            label = folder.resolve().name
            if label in found and found[label].resolve() != folder.resolve():
                raise BadData(f"{found[label]} and {folder} have one name; rename one of them: its name is what the report calls it.")
            found[label] = folder
    return found


def compare(dataset: Dataset, folders: Mapping[str, Path], *, partial: bool = False, rules: str | None = None) -> Comparison:
    """Score what lies in the folders of results.

    Args:
        dataset: what was tracked.
        folders: by label, see `result_folders`.
        partial: leave out sequences that some tracker has no whole result of, instead of refusing.
        rules: a name of `rules.RULES`; None for those of the data set.

    Raises:
        BadData: no such rules; the truth is not public; results are missing or wrong; a file cannot be read.
    """
    if not dataset.scored:
        raise BadData(f"the boxes of {dataset.name} are not public: there is nothing to report.")
    counted = ONE_PASS.rules[ONE_PASS.choose_rules(rules, dataset)]
    digests = {clip.name: clip.digest() for clip in dataset}
    runs = {label: _run(folder) for label, folder in folders.items()}
    gaps: dict[str, dict[str, str]] = {}
    found: dict[str, dict[str, Compared]] = {label: {} for label in folders}
    for label, folder in folders.items():
        gaps[label] = {name: f"missing in the data set: {lacking}" for name, lacking in dataset.missing.items()}
        for clip in dataset:
            problem = lacks(clip, folder, ONE_PASS.stamp(runs[label]["tracker_hash"], digests[clip.name]), ONE_PASS.problem)
            if problem is None and not clip.visible.any():
                problem = "no frame of it shows a target"
            if problem is None:
                try:
                    found[label][clip.name] = ONE_PASS.values(clip, dataset, folder, counted)
                except BadData as error:
                    problem = str(error)
            if problem is not None:
                gaps[label][clip.name] = problem
    clips = tuple(clip for clip in dataset if not any(clip.name in missing for missing in gaps.values()))
    lacking = sum(len(missing) for missing in gaps.values())
    if lacking and not partial:
        raise BadData(
            f"{lacking} result{'s are' if lacking > 1 else ' is'} missing or wrong: {_in_a_line(gaps)}. Mend them by `sightline eval`, or add --partial."
        )
    if not clips:
        raise BadData(f"there is no sequence that all trackers have a result of: {_in_a_line(gaps)}.")
    entries = [_entry(label, runs[label], folder, dataset, clips, found[label], counted) for label, folder in folders.items()]
    return Comparison(
        dataset=dataset.name,
        origin=dataset.origin,
        rules=counted,
        clips=clips,
        expected=len(dataset) + len(dataset.missing),
        entries=tuple(sorted(entries, key=lambda entry: -(entry.means["auc"] or 0.0))),
        gaps={label: missing for label, missing in gaps.items() if missing},
        attributes=_attributes(clips),
    )


def _entry(
    label: str,
    run: Mapping[str, Any],
    folder: Path,
    dataset: Dataset,
    clips: Sequence[Clip],
    found: Mapping[str, Compared],
    rules: Rules,
) -> Entry:
    origin = np.array([dataset.origin, dataset.origin, 0, 0])
    boxes = {clip.name: boxes_from_file(folder / f"{clip.name}.txt") - origin for clip in clips}
    rows = {clip.name: {**figures(clip, dataset, folder), **by_rules([found[clip.name].frames], rules)} for clip in clips}
    timed = [row for row in rows.values() if row["seconds"]]
    machines = tuple(sorted({row["timed_on"] for row in timed}))
    seconds = sum(row["seconds"] for row in timed)
    together = [found[clip.name].frames for clip in clips]
    curves = average(together, rules)
    return Entry(
        label=label,
        tracker=run["tracker"],
        boxes=boxes,
        sequences=rows,
        curves=Curves(curves.success / rules.scale, curves.precision / rules.scale, curves.normal / rules.scale),
        means=by_rules(together, rules),
        fps=sum(row["frames"] - 1 for row in timed) / seconds if len(machines) == 1 else None,
        timed_on=machines,
        attributes={
            attribute: by_rules([found[clip.name].frames for clip in clips if attribute in clip.attributes], rules)["auc"]
            for attribute in _attributes(clips)
        },
        tracker_hash=run["tracker_hash"],
    )


def _attributes(clips: Sequence[Clip]) -> dict[str, int]:
    names = sorted({attribute for clip in clips for attribute in clip.attributes})
    return {name: sum(name in clip.attributes for clip in clips) for name in names}


def _run(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {"tracker": str(told["tracker"]), "tracker_hash": str(told["tracker_hash"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadData(f"{path} does not say by what the results were made ({error}); run `sightline eval` again.") from error


def _in_a_line(gaps: Mapping[str, Mapping[str, str]]) -> str:
    told = [f"{label}/{name} ({reason})" for label, missing in gaps.items() for name, reason in missing.items()]
    return "; ".join(told[:SHOWN_GAPS]) + (f", and {len(told) - SHOWN_GAPS} more" if len(told) > SHOWN_GAPS else "")
