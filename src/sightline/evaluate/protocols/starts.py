"""Robustness to the start: the same sequence from other first boxes, from later frames, from a mask or a point.

    spatial   twelve first boxes: moved by a tenth of the target's size towards the four sides and the four corners, and scaled to 80, 90, 110 and 120 %
              (SRE of Wu, Lim and Yang, "Online Object Tracking: A Benchmark", CVPR 2013, section 4)
    temporal  the true box at the beginnings of twenty equal parts of the sequence, each to the sequence's end (TRE, likewise)
    mask-start  the box around the first mask, and the one with its centre and spread: `sightline.box_from_mask` (data sets of masks)
    point     only the true centre of the first box is told: `sightline.box_from_point` has to find the size

SEQUENCE_START.txt                   x,y,w,h of every frame from the start on, for each start
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sightline.box import Box
from sightline.errors import BadData
from sightline.evaluate.clips import boxes_from_file
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.metrics import Frames, frame_values, success_auc
from sightline.evaluate.protocols.one_pass import by_rules
from sightline.evaluate.protocols.protocol import Counted, Files, Protocol
from sightline.evaluate.results import rows_to_text
from sightline.evaluate.rules import RULES, Rules
from sightline.loop import follow
from sightline.mark import box_from_mask, box_from_point
from sightline.tracker import Tracker

__all__ = ["MASK", "POINT", "SPATIAL", "STARTS", "TEMPORAL", "Start"]

SHIFT = 0.1  # of width and height
SCALES = (0.8, 0.9, 1.1, 1.2)
PARTS = 20


class Start(NamedTuple):
    """Where a run begins: its name in files, its first frame, and its box there; None where the tracker has to find it around the true centre."""

    name: str
    first: int
    box: Box | None


def spatial(clip: Clip) -> list[Start]:
    """Twelve boxes in the first frame."""
    x, y, w, h = clip.truth[0].tolist()
    sides = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
    corners = {"left-up": (-1, -1), "right-up": (1, -1), "left-down": (-1, 1), "right-down": (1, 1)}
    moved = [Start(name, 0, Box(x + SHIFT * w * i, y + SHIFT * h * j, w, h)) for name, (i, j) in (sides | corners).items()]
    return moved + [Start(f"scale{round(100 * s)}", 0, Box(x + w * (1 - s) / 2, y + h * (1 - s) / 2, w * s, h * s)) for s in SCALES]


def temporal(clip: Clip) -> list[Start]:
    """The true boxes at the beginnings of twenty parts; where the target is not seen there, of the next frame in which it is."""
    seen = np.flatnonzero(clip.visible & np.isfinite(clip.truth).all(axis=1))
    wanted = [part * len(clip.frames) // PARTS for part in range(PARTS)]
    firsts = sorted({int(seen[seen >= first][0]) for first in wanted if (seen >= first).any()})
    return [Start(f"{first + 1:06d}", first, Box(*clip.truth[first].tolist())) for first in firsts]


def point(_clip: Clip) -> list[Start]:
    """The centre of the first box."""
    return [Start("point", 0, None)]


def mask(clip: Clip) -> list[Start]:
    """Both boxes that a mask of the first frame can become.

    Raises:
        BadData: the data set has no masks.
    """
    shown = None if clip.regions is None else clip.regions[0]
    if shown is None or shown.dtype != np.bool_:
        raise BadData(f"{clip.name} has no mask of its first frame, and the protocol mask-start begins with it; choose another protocol.")
    return [Start("tight", 0, box_from_mask(shown)), Start("moments", 0, box_from_mask(shown, fit="moments"))]


def track(clip: Clip, tracker: Tracker[Any], origin: int, *, starts: Callable[[Clip], list[Start]]) -> Files:
    """Follow the target from each start to the end."""
    results = {}
    for start in starts(clip):
        box = start.box
        if box is None:
            with contextlib.closing(clip.read([start.first])) as images:
                box = box_from_point(tracker, next(iter(images)), Box(*clip.truth[start.first].tolist()).centre)
        rows = [step.estimate.box for step in follow(clip.read(range(start.first, len(clip.frames))), box=box, tracker=tracker.copy())]
        results[_file(clip, start)] = rows_to_text(np.array(rows, np.float64) + np.array([origin, origin, 0, 0]))
    return Files(results, {})


def lacking(clip: Clip, folder: Path, *, starts: Callable[[Clip], list[Start]]) -> str | None:
    """What is wrong with the boxes of a clip, in words."""
    for start in starts(clip):
        name, expected = _file(clip, start), len(clip.frames) - start.first
        if not (folder / name).is_file():
            return "no result"
        try:
            boxes = boxes_from_file(folder / name)
        except BadData as error:
            return f"damaged: {error}"
        if len(boxes) != expected:
            return f"{name} has {len(boxes)} rows for {expected} frames"
        if not np.isfinite(boxes).all():
            return f"not a number in {name}"
    return None


class Runs(NamedTuple):
    """Of all starts of one sequence: values of frames by rules, and the success AUC of each by no toolkit's."""

    frames: Sequence[Frames]
    aucs: Sequence[float]


def compare(clip: Clip, dataset: Dataset, folder: Path, rules: Rules, *, starts: Callable[[Clip], list[Start]]) -> Runs:
    """Boxes from each start beside the truth."""
    size = clip.size() if rules.bounded else None
    truth = np.where(clip.visible[:, np.newaxis], clip.truth, np.nan)
    frames, aucs = [], []
    for start in starts(clip):
        boxes, rest = boxes_from_file(folder / _file(clip, start)), slice(start.first, None)
        frames.append(frame_values(boxes, clip.annotations()[..., rest, :], clip.visible[rest], rules=rules, size=size))
        aucs.append(success_auc(boxes - np.array([dataset.origin, dataset.origin, 0, 0]), truth[rest]))
    return Runs(frames, aucs)


def count(sequences: Sequence[Runs], rules: Rules) -> Counted:
    """Means over all runs; the spread and the worst are of the starts of a sequence, then averaged over sequences."""
    each = [{**_shares(one.frames, rules), "auc_spread": float(np.std(one.aucs)), "auc_worst": min(one.aucs)} for one in sequences]
    between = {key: float(np.mean([row[key] for row in each])) for key in ("auc_spread", "auc_worst")}
    return Counted({**_shares([run for one in sequences for run in one.frames], rules), **between}, each)


def _shares(runs: Sequence[Frames], rules: Rules) -> Mapping[str, Any]:
    found = by_rules(runs, rules)
    return {key: found[key] for key in ("auc", "precision", "norm_precision", "ao")}


def _file(clip: Clip, start: Start) -> str:
    return f"{clip.name}_{start.name}.txt"


def _no_times(_clip: Clip, _folder: Path) -> None:
    """Speed is not what these runs are for."""


def _protocol(name: str, starts: Callable[[Clip], list[Start]], settings: Mapping[str, Any]) -> Protocol[Rules, Runs]:
    return Protocol(
        name=name,
        folder=name,
        track=partial(track, starts=starts),
        problem=partial(lacking, starts=starts),
        values=partial(compare, starts=starts),
        count=count,
        seconds=_no_times,
        metrics=("auc", "precision", "norm_precision", "ao", "auc_spread", "auc_worst"),
        headings={"auc": "AUC", "precision": "precision", "auc_spread": "spread", "auc_worst": "worst start"},
        rules={"sightline": RULES["sightline"], **RULES},
        settings=settings,
    )


SPATIAL = _protocol("spatial", spatial, {"shift": SHIFT, "scales": SCALES})
TEMPORAL = _protocol("temporal", temporal, {"parts": PARTS})
POINT = _protocol("point", point, {})
MASK = _protocol("mask-start", mask, {})
STARTS = (SPATIAL, TEMPORAL, POINT, MASK)
