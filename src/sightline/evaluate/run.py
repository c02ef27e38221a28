"""One-pass evaluation whose results are files (`results`): a run that was interrupted goes on, and nothing that is missing is passed over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import SightlineError
from sightline.evaluate.clips import Clip, Dataset
from sightline.evaluate.results import Maker, combined, lacks, to_json, write_result
from sightline.fleet import Lost, Pool
from sightline.frame import read
from sightline.loop import follow
from sightline.tracker import Tracker
from sightline.weights import write_whole

__all__ = ["Ran", "evaluate"]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did.

    Attributes:
        skipped: sequences whose results were complete.
        made: sequences that were tracked now, with the reason: "no result", or what was wrong with the one that was there.
        failed: sequences that could not be tracked, with the reason.
    """

    skipped: tuple[str, ...]
    made: Mapping[str, str]
    failed: Mapping[str, str] = field(default_factory=dict)


def evaluate(
    tracker: Tracker[Any],
    dataset: Dataset,
    folder: Path,
    *,
    maker: Maker,
    pool: Pool,
    timed_on: str,
    setting: Mapping[str, Any],
    report: Callable[[Clip], None] = lambda _: None,
) -> Ran:
    """Track every sequence once from its first box, except those whose results are complete.

    Args:
        tracker: any; copies of it are used.
        dataset: what to track.
        folder: for the results, see `results`; of one tracker and one data set.
        maker: what `tracker` is.
        pool: where to run.
        timed_on: processor and threads, for the times.
        setting: what else `run.json` should tell of the machine.
        report: called for each sequence that is done or skipped.

    Raises:
        WeightsMissing: a file cannot be written.
        BadData: an image has disappeared.
    """
    digests = {clip.name: clip.digest() for clip in dataset}
    _remove_parts(folder)
    run = {"tracker": maker.name, "tracker_hash": maker.digest(), **maker.facts, **setting, "timed_on": timed_on}
    data = {"name": dataset.name, "hash": combined(digests), "missing": dict(dataset.missing)}
    left_out = {clip.name: clip.dropped for clip in dataset if clip.dropped}
    run |= {"dataset": {**data, "sequences": len(dataset), "frames": sum(len(clip.frames) for clip in dataset), "left_out": left_out}}
    write_whole({folder / "run.json": to_json(run)})
    reasons = {clip.name: lacks(clip, folder, maker.digest(), digests[clip.name]) for clip in dataset}
    for clip in dataset:
        if reasons[clip.name] is None:
            report(clip)
    due = [clip for clip in dataset if reasons[clip.name] is not None]
    made: dict[str, str] = {}
    failed: dict[str, str] = {}
    stamps = {name: {"tracker": maker.digest(), "data": digest, "timed_on": timed_on} for name, digest in digests.items()}
    work = partial(_track_clip, tracker=tracker, folder=folder, stamps=stamps, origin=dataset.origin)
    with contextlib.closing(pool.map(work, due)) as results:
        for number, problem in results:
            name = due[number].name
            if problem is None:
                made[name] = reasons[name] or ""
            else:
                failed[name] = f"not tracked: {problem.reason if isinstance(problem, Lost) else problem}"
            report(due[number])
    return Ran(tuple(clip.name for clip in dataset if reasons[clip.name] is None), made, failed)


def _track_clip(clip: Clip, *, tracker: Tracker[Any], folder: Path, stamps: Mapping[str, Mapping[str, str]], origin: int) -> str | None:
    """Track one sequence and write its files; what keeps it from being tracked is returned."""
    boxes, scores, seconds = [], [], []
    try:
        for step in follow(read(clip.frames), box=clip.truth[0], tracker=tracker.copy()):
            boxes.append(step.estimate.box)
            scores.append(step.estimate.score)
            seconds.append(step.seconds)
    except SightlineError as error:
        return str(error)
    rows = np.array(boxes, np.float64) + np.array([origin, origin, 0, 0])
    beside = {
        f"scores/{clip.name}_score.txt": "".join(f"{value:.6f}\n" for value in scores).encode(),
        f"times/{clip.name}_time.txt": "".join(f"{value:.8f}\n" for value in seconds).encode(),
    }
    write_result(clip, folder, rows, stamp=stamps[clip.name], beside=beside)
    return None


def _remove_parts(folder: Path) -> None:
    """Take away what a killed run left half-written; results are never removed."""
    for part in folder.glob("**/.*.part"):
        part.unlink(missing_ok=True)
