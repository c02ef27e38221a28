"""Figures of results that stand in a folder, and a list of what does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.protocols import ONE_PASS, Protocol
from sightline.evaluate.results import Maker, combined, lacks, read_record
from sightline.evaluate.speed import SPEEDS, speed

__all__ = ["Summary", "score"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one tracker on one data set.

    Attributes:
        expected: sequences that the data set has.
        means: the protocol's metrics by the rules, and over all frames `fps` and `speed.SPEEDS`; None where there is none, or where there are gaps.
        sequences: the same of each evaluated sequence, and its frames.
        gaps: what is missing or wrong, by sequence.
        tracker_hash: SHA-256 of what made the results.
        dataset_hash: SHA-256 of the data set, missing sequences left out.
        timed_on: processors and threads that the times are from; with several there is no mean speed.
        rules: by which the metrics are counted.
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
    protocol: Protocol[Any, Any] = ONE_PASS,
    failed: Mapping[str, str] | None = None,
    partial_means: bool = False,
    rules: str | None = None,
) -> Summary:
    """Score what stands in a folder, and list what does not.

    Boxes are compared with the annotation as its files have it.

    Args:
        dataset: what was tracked.
        folder: the results.
        maker: what has to have made them.
        protocol: by what they have to be made.
        failed: what is known already of sequences without a result.
        partial_means: give means where there are gaps, too.
        rules: a name of the protocol's rules; None for those of the data set.

    Raises:
        BadData: an image has disappeared, or there are no such rules.
    """
    name = protocol.choose_rules(rules, dataset)
    counted = protocol.rules[name]
    digests = {clip.name: clip.digest() for clip in dataset}
    gaps: dict[str, str] = {missing: f"missing in the data set: {lacking}" for missing, lacking in dataset.missing.items()}
    values: dict[str, Any] = {}
    for clip in dataset:
        problem = (failed or {}).get(clip.name) or lacks(clip, folder, protocol.stamp(maker.digest(), digests[clip.name]), protocol.problem)
        if problem is None and not clip.visible.any():
            problem = "no frame of it shows a target"
        try:
            values[clip.name] = protocol.values(clip, dataset, folder, counted) if problem is None and dataset.scored else None
        except BadData as error:
            problem = str(error)
        if problem is not None:
            gaps[clip.name] = problem
    done = [clip for clip in dataset if clip.name not in gaps]
    means: dict[str, float | None] = dict.fromkeys(protocol.metrics)
    figures: dict[str, Mapping[str, float | None]] = {clip.name: dict.fromkeys(protocol.metrics) for clip in done}
    whole = partial_means or not gaps
    if done and dataset.scored:
        all_together, each = protocol.count([values[clip.name] for clip in done], counted)
        figures = {clip.name: row for clip, row in zip(done, each, strict=True)}
        means |= all_together if whole else {}
    speeds = {clip.name: _speed(clip, folder, protocol) for clip in done}
    timed = [one for one in speeds.values() if one.fps is not None]
    machines = sorted({one.timed_on for one in timed})
    means |= _together(timed if whole and len(machines) == 1 else [])
    return Summary(
        expected=len(dataset) + len(dataset.missing),
        means=means,
        sequences={clip.name: {**figures[clip.name], **_facts(clip, dataset, speeds[clip.name])} for clip in done},
        gaps=gaps,
        tracker_hash=maker.digest(),
        dataset_hash=combined(digests),
        timed_on=tuple(machines),
        rules=name,
    )


@dataclass(frozen=True, slots=True)
class Speed:
    """The timed frames of one sequence.

    Attributes:
        seconds: (N,) that the tracker took; empty where nothing was timed.
        parts: (N, 4) where they went, as `speed.PARTS`; None where nobody knows.
        timed_on: processor and threads.
    """

    seconds: Floats
    parts: Floats | None
    timed_on: str

    @property
    def fps(self) -> float | None:
        """Frames per second; None without times."""
        return len(self.seconds) / float(self.seconds.sum()) if self.seconds.sum() else None


def _speed(clip: Clip, folder: Path, protocol: Protocol[Any, Any]) -> Speed:
    seconds = protocol.seconds(clip, folder)
    return Speed(np.asarray(seconds or [], np.float64), protocol.parts(clip, folder), read_record(clip, folder).get("timed_on", ""))


def _together(speeds: Sequence[Speed]) -> dict[str, float | None]:
    """Speed over the frames of all sequences; parts where they are known of all."""
    if not speeds:
        return dict.fromkeys(("fps", *SPEEDS))
    seconds, parts = np.concatenate([one.seconds for one in speeds]), [one.parts for one in speeds if one.parts is not None]
    return {
        "fps": len(seconds) / float(seconds.sum()),
        **speed(seconds, np.concatenate(parts) if len(parts) == len(speeds) else None),
    }


def _facts(clip: Clip, dataset: Dataset, timed: Speed) -> dict[str, Any]:
    return {
        "fps": timed.fps,
        **speed(timed.seconds, timed.parts),
        "frames": len(clip.frames),
        "absent": len(clip.frames) - int(clip.visible.sum()) if dataset.scored else None,
        "seconds": float(timed.seconds.sum()) or None,
        "timed_on": timed.timed_on or None,
    }
