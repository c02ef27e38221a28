"""Anchors: runs from many frames, each to one end of the sequence, as the VOT challenges have it since 2020.

The data set says where runs begin and in which direction; nobody is started again. Files: `trajectory`, one run for each anchor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import BadData
from sightline.evaluate import anchors
from sightline.evaluate.anchors import AnchoredClip, Run
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.protocols.protocol import Counted, Files, Protocol
from sightline.evaluate.protocols.trajectory import (
    Trajectory,
    regions_of,
    rows_of,
    seconds_in,
    steps,
    to_files,
    what_lacks,
)
from sightline.evaluate.regions import is_empty, raster_overlap
from sightline.tracker import Tracker

__all__ = ["ANCHORS", "AnchorRules"]


@dataclass(frozen=True, slots=True)
class AnchorRules:
    """Lengths of runs over which the expected overlap is averaged."""

    eao: tuple[int, int]


def track(clip: Clip, tracker: Tracker[Any], origin: int) -> Files:
    """Follow the target from every anchor.

    Raises:
        BadData: the data set names no anchors of this clip.
    """
    orders = orders_of(clip)
    if not orders:
        raise BadData(f"{clip.name} names no frames to start from; expected an anchor.value (1 forward, -1 backward) beside its truth.")
    runs = {}
    for name, order in orders.items():
        runs[name] = Trajectory(len(order), origin)
        for i, step in steps(clip, order, tracker):
            if i == 0:
                runs[name].begin(i, step)
            else:
                runs[name].add(i, step)
    return to_files(clip, runs)


def orders_of(clip: Clip) -> dict[str, list[int]]:
    """Frames of each run in the order that it sees them, by the run's name."""
    marks = np.zeros(0, np.int8) if clip.anchors is None else clip.anchors
    return {
        f"{clip.name}_{anchor:08d}": anchors.run_order(anchor, len(clip.frames), backward=bool(marks[anchor] < 0)).tolist()
        for anchor in np.flatnonzero(marks).tolist()
    }


def unfit(dataset: Dataset) -> str | None:
    """Whether nothing names anchors."""
    if any(orders_of(clip) for clip in dataset):
        return None
    return "none of its sequences names frames to start from (an anchor.value beside the truth: 1 forward, -1 backward, 0 for other frames)"


def lacking(clip: Clip, folder: Path) -> str | None:
    """What is wrong with the runs of a clip, in words."""
    orders = orders_of(clip)
    return what_lacks(clip, folder, {name: len(order) for name, order in orders.items()}) if orders else "no anchors"


def judge(clip: Clip, dataset: Dataset, folder: Path, rules: AnchorRules) -> AnchoredClip:
    """Overlaps of the runs of one sequence, and where they fail."""
    del rules
    size, regions = clip.size(), regions_of(clip)
    runs = []
    for name, order in orders_of(clip).items():
        rows = rows_of(folder / clip.name / f"{name}.txt") - (dataset.origin, dataset.origin, 0, 0)
        overlaps = [raster_overlap(row, regions[frame], size) for row, frame in zip(rows[1:], order[1:], strict=True)]
        there = np.array([not is_empty(regions[frame]) for frame in order])
        runs.append(Run.of(np.array([0.0, *overlaps]), there))
    return AnchoredClip(runs, len(clip.frames))


def count(sequences: Sequence[AnchoredClip], rules: AnchorRules) -> Counted:
    """Accuracy, robustness and expected average overlap."""
    return Counted(_figures(sequences, rules), [_figures([one], rules) for one in sequences])


def _figures(sequences: Sequence[AnchoredClip], rules: AnchorRules) -> dict[str, float | None]:
    scores, (low, high) = anchors.score(sequences), rules.eao
    return {
        "accuracy": scores.accuracy,
        "robustness": scores.robustness,
        "eao": anchors.eao(anchors.eao_curve(sequences, high), low, high),
    }


def seconds_of(clip: Clip, folder: Path) -> list[float]:
    """Of all frames but the anchors."""
    return seconds_in(clip, folder, list(orders_of(clip)))


ANCHORS = Protocol(
    name="anchors",
    folder="anchors",
    track=track,
    problem=lacking,
    values=judge,
    count=count,
    seconds=seconds_of,
    metrics=("accuracy", "robustness", "eao"),
    headings={"accuracy": "accuracy", "robustness": "robustness", "eao": "EAO"},
    unfit=unfit,
    rules={name: AnchorRules(lengths) for name, lengths in sorted(anchors.EAO_LENGTHS.items(), reverse=True)},
)
