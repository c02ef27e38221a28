"""Figures of results that stand in a folder, and a list of what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import BadData
from sightline.evaluate.clips import Clip, Dataset
from sightline.evaluate.protocols import ONE_PASS, Protocol
from sightline.evaluate.results import Maker, combined, lacks, read_record

__all__ = ["Summary", "score"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one tracker on one data set.

    Attributes:
        expected: sequences that the data set has.
        means: the protocol's metrics by the rules, and `fps` over all frames; None where there is none, or where there are gaps.
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
    timed = [speed for speed in speeds.values() if speed.fps is not None]
    machines = sorted({speed.timed_on for speed in timed})
    means["fps"] = sum(speed.frames for speed in timed) / sum(speed.seconds for speed in timed) if whole and len(machines) == 1 else None
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
    """Frames of one sequence that were timed, seconds that the tracker took for them, and on what; none where nothing was."""

    frames: int = 0
    seconds: float = 0.0
    timed_on: str = ""

    @property
    def fps(self) -> float | None:
        """Frames per second; None without times."""
        return self.frames / self.seconds if self.seconds else None


def _speed(clip: Clip, folder: Path, protocol: Protocol[Any, Any]) -> Speed:
    seconds = protocol.seconds(clip, folder)
    return Speed() if seconds is None else Speed(len(seconds), sum(seconds), read_record(clip, folder).get("timed_on", ""))


def _facts(clip: Clip, dataset: Dataset, speed: Speed) -> dict[str, Any]:
    return {
        "fps": speed.fps,
        "frames": len(clip.frames),
        "absent": len(clip.frames) - int(clip.visible.sum()) if dataset.scored else None,
        "seconds": speed.seconds or None,
        "timed_on": speed.timed_on or None,
    }
