"""Finished results of several trackers on one data set, scored alike over the same sequences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.clips import Clip, Dataset, boxes_from_file
from sightline.evaluate.metrics import Curves, Frames, average_overlap, evaluate, frame_values, share_above
from sightline.evaluate.protocols.one_pass import ONE_PASS, figures
from sightline.evaluate.results import lacks
from sightline.evaluate.rules import RULES

__all__ = ["METRICS", "PLAIN", "Comparison", "Entry", "compare", "result_folders"]

Floats = NDArray[np.float64]

PLAIN = replace(RULES["got10k-uav123"], name="sightline", first="as-is", union_eps=0.0, normal_floor=0.0, normal=RULES["pysot"].normal)
"""What `sightline eval` counts by, as a row that has curves too: plain overlaps, frames without a visible target left out."""

METRICS = {"auc": "AUC", "precision": "P", "norm_precision": "P norm", "mean_iou": "mean IoU", "op50": "OP50", "op75": "OP75"}
SHOWN_GAPS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One tracker.

    Attributes:
        label: what it is called here: the name of its folder of results.
        tracker: what it was called when it was run.
        boxes: (T, 4) predictions of each compared sequence, frame pixels, origin 0.
        sequences: figures of each compared sequence, as `sightline eval` has them.
        curves: over all compared sequences.
        means: a key of `METRICS` -> 0..1.
        fps: frames per second, None without times or with times from several machines.
        timed_on: the machines.
        attributes: mean AUC over the sequences that have an attribute.
        tracker_hash: SHA-256 of what made the results.
    """

    label: str
    tracker: str
    boxes: Mapping[str, Floats]
    sequences: Mapping[str, Mapping[str, Any]]
    curves: Curves
    means: Mapping[str, float]
    fps: float | None
    timed_on: tuple[str, ...]
    attributes: Mapping[str, float]
    tracker_hash: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Trackers by falling AUC.

    Attributes:
        dataset: its name.
        clips: sequences that all trackers have results of: every figure is over these.
        expected: sequences that the data set has.
        entries: one per tracker.
        gaps: label -> sequence -> what is missing or wrong.
        attributes: attribute -> how many of the clips have it; in alphabetical order.
    """

    dataset: str
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


def compare(dataset: Dataset, folders: Mapping[str, Path], *, partial: bool = False) -> Comparison:
    """Score what lies in the folders of results.

    Args:
        dataset: what was tracked.
        folders: by label, see `result_folders`.
        partial: leave out sequences that some tracker has no whole result of, instead of refusing.

    Raises:
        BadData: the truth is not public; results are missing or wrong; a file cannot be read.
    """
    if not dataset.scored:
        raise BadData(f"the boxes of {dataset.name} are not public: there is nothing to report.")
    digests = {clip.name: clip.digest() for clip in dataset}
    runs = {label: _run(folder) for label, folder in folders.items()}
    gaps: dict[str, dict[str, str]] = {}
    for label, folder in folders.items():
        gaps[label] = {name: f"missing in the data set: {lacking}" for name, lacking in dataset.missing.items()}
        for clip in dataset:
            problem = lacks(clip, folder, ONE_PASS.stamp(runs[label]["tracker_hash"], digests[clip.name]), ONE_PASS.problem)
            if problem is None and not clip.visible.any():
                problem = "no frame of it shows a target"
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
    entries = [_entry(label, runs[label], folder, dataset, clips) for label, folder in folders.items()]
    return Comparison(
        dataset=dataset.name,
        clips=clips,
        expected=len(dataset) + len(dataset.missing),
        entries=tuple(sorted(entries, key=lambda entry: -entry.means["auc"])),
        gaps={label: missing for label, missing in gaps.items() if missing},
        attributes=_attributes(clips),
    )


def _entry(label: str, run: Mapping[str, Any], folder: Path, dataset: Dataset, clips: Sequence[Clip]) -> Entry:
    origin = np.array([dataset.origin, dataset.origin, 0, 0])
    boxes = {clip.name: boxes_from_file(folder / f"{clip.name}.txt") - origin for clip in clips}
    rows = {clip.name: figures(clip, dataset, folder) for clip in clips}
    frames = [_values(clip, boxes[clip.name]) for clip in clips]
    curves, scores = evaluate(frames, PLAIN)
    timed = [row for row in rows.values() if row["seconds"]]
    machines = tuple(sorted({row["timed_on"] for row in timed}))
    seconds = sum(row["seconds"] for row in timed)
    means = {
        "auc": scores.success,
        "precision": scores.precision,
        "norm_precision": scores.normal,
        "mean_iou": average_overlap(frames, PLAIN),
        "op50": share_above(frames, 0.5, PLAIN),
        "op75": share_above(frames, 0.75, PLAIN),
    }
    fps = sum(row["frames"] - 1 for row in timed) / seconds if len(machines) == 1 else None
    by_attribute = {
        attribute: float(np.mean([rows[clip.name]["auc"] for clip in clips if attribute in clip.attributes]))
        for attribute in _attributes(clips)
    }
    return Entry(label, run["tracker"], boxes, rows, curves, means, fps, machines, by_attribute, run["tracker_hash"])


def _values(clip: Clip, boxes: Floats) -> Frames:
    truth = np.where(clip.visible[:, np.newaxis], clip.truth, np.nan)
    return frame_values(boxes, truth, rules=PLAIN)


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
