"""Evaluation whose results are files (`results`), by any protocol: a run that was interrupted goes on, and nothing that is missing is passed over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.protocols import ONE_PASS, PROTOCOLS, Protocol
from sightline.evaluate.results import Maker, combined, lacks, to_json, write_result
from sightline.evaluate.watch import Board
from sightline.fleet import Lost, Pool
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
    protocol: Protocol[Any, Any] = ONE_PASS,
    pool: Pool,
    timed_on: str,
    setting: Mapping[str, Any],
    report: Callable[[Clip], None] = lambda _: None,
    board: Board | None = None,
) -> Ran:
    """Track every sequence by a protocol, except those whose results are complete.

    Args:
        tracker: any; copies of it are used.
        dataset: what to track.
        folder: for the results, see `results`; of one tracker, one data set and one protocol.
        maker: what `tracker` is.
        protocol: a row of `protocols.PROTOCOLS`.
        pool: where to run.
        timed_on: processor and threads, for the times.
        setting: what else `run.json` should tell of the machine.
        report: called for each sequence that is done or skipped.
        board: where those that track tell how far they are.

    Raises:
        WeightsMissing: a file cannot be written.
        BadData: an image has disappeared.
    """
    digests = {clip.name: clip.digest() for clip in dataset}
    _remove_parts(folder)
    run = {
        "tracker": maker.name,
        "protocol": {"name": protocol.name, **protocol.settings},
        "tracker_hash": maker.digest(),
        **maker.facts,
        **setting,
        "timed_on": timed_on,
    }
    data = {"name": dataset.name, "hash": combined(digests), "missing": dict(dataset.missing)}
    left_out = {clip.name: clip.dropped for clip in dataset if clip.dropped}
    run |= {"dataset": {**data, "sequences": len(dataset), "frames": sum(len(clip.frames) for clip in dataset), "left_out": left_out}}
    write_whole({folder / "run.json": to_json(run)})
    stamps = {name: protocol.stamp(maker.digest(), digest) for name, digest in digests.items()}
    reasons = {clip.name: lacks(clip, folder, stamps[clip.name], protocol.problem) for clip in dataset}
    for clip in dataset:
        if reasons[clip.name] is None:
            report(clip)
    due = [clip for clip in dataset if reasons[clip.name] is not None]
    made: dict[str, str] = {}
    failed: dict[str, str] = {}
    told = {name: {**stamp, "timed_on": timed_on} for name, stamp in stamps.items()}
    work = partial(_track_clip, protocol=protocol, tracker=tracker, folder=folder, stamps=told, origin=dataset.origin, board=board)
    with contextlib.closing(pool.map(work, due)) as results:
        for number, problem in results:
            name = due[number].name
            if problem is None:
                made[name] = reasons[name] or ""
            else:
                failed[name] = f"not tracked: {problem.reason if isinstance(problem, Lost) else problem}"
            report(due[number])
    return Ran(tuple(clip.name for clip in dataset if reasons[clip.name] is None), made, failed)


def _track_clip(
    clip: Clip,
    *,
    protocol: Protocol[Any, Any],
    tracker: Tracker[Any],
    folder: Path,
    stamps: Mapping[str, Mapping[str, str]],
    origin: int,
    board: Board | None,
) -> str | None:
    """Track one sequence and write its files; what keeps it from being tracked is returned."""
    if board is not None:
        clip = replace(clip, each=board.begin(clip.name))
    if "extra" not in tracker.spec.feed:
        clip = replace(clip, extra=())  # nobody looks at the second pictures
    try:
        files = protocol.track(clip, tracker, origin)
    except SightlineError as error:
        return str(error)
    write_result(clip, folder, files.results, stamp=stamps[clip.name], beside=files.beside)
    return None


def _remove_parts(folder: Path) -> None:
    """Take away what a killed run left half-written, but not in the folders of other protocols; results are never removed."""
    others = {protocol.folder for protocol in PROTOCOLS.values()}
    for part in folder.glob("**/.*.part"):
        if part.relative_to(folder).parts[0] not in others:
            part.unlink(missing_ok=True)
