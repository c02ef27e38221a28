"""Runs of a tracker in the files of the VOT toolkit in Python, which reads them as its own.

SEQUENCE/NAME.txt                    per frame x,y,w,h, or a code: 1 start, 2 failure, 0 left out
SEQUENCE/NAME_confidence.value       what the tracker says of itself, in the same rows; empty where it says nothing
SEQUENCE/NAME_time.value             seconds that the tracker took

NAME is SEQUENCE_001 for a run from the first frame, and SEQUENCE_%08d for one from another frame, its number counted from 0.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.box import Box
from sightline.errors import BadData
from sightline.evaluate.dataset import Clip
from sightline.evaluate.protocols.protocol import Files
from sightline.evaluate.regions import Region
from sightline.evaluate.restarts import FAILED, SKIPPED, STARTED
from sightline.evaluate.results import read_bytes
from sightline.loop import Step, follow
from sightline.tracker import Tracker

__all__ = ["Trajectory", "regions_of", "rows_of", "scores_of", "seconds_in", "steps", "what_lacks"]

Floats = NDArray[np.float64]

DIGITS = 4  # of a box, as in messages of TraX: a run that the toolkit drives leaves the same numbers


@dataclass(slots=True)
class Trajectory:
    """One run, while it is made.

    Attributes:
        length: its frames.
        origin: added to x and y.
        regions, scores, seconds: the lines of its files, one per frame.
    """

    length: int
    origin: int
    regions: list[str] = field(init=False)
    scores: list[str] = field(init=False)
    seconds: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.regions, self.scores, self.seconds = [str(SKIPPED)] * self.length, [""] * self.length, [""] * self.length

    def begin(self, i: int, step: Step) -> None:
        """Frame i is a start."""
        self.regions[i], self.seconds[i] = str(STARTED), f"{step.seconds:.8f}"

    def add(self, i: int, step: Step, *, failed: bool = False) -> None:
        """What was said of frame i."""
        x, y, w, h = step.estimate.box
        box = (x + self.origin, y + self.origin, w, h)
        self.regions[i] = str(FAILED) if failed else ",".join(f"{value:.{DIGITS}f}" for value in box)
        self.scores[i] = "" if math.isnan(step.estimate.score) else f"{step.estimate.score:.6f}"
        self.seconds[i] = f"{step.seconds:.8f}"


def to_files(clip: Clip, runs: Mapping[str, Trajectory]) -> Files:
    """The files of all runs of a clip, by their names."""
    results, beside = {}, {}
    for name, run in runs.items():
        results[f"{clip.name}/{name}.txt"] = _lines(run.regions)
        beside[f"{clip.name}/{name}_confidence.value"] = _lines(run.scores)
        beside[f"{clip.name}/{name}_time.value"] = _lines(run.seconds)
    return Files(results, beside)


def steps(clip: Clip, order: Sequence[int], tracker: Tracker[Any]) -> Generator[tuple[int, Step], None, None]:
    """Follow a clip's target through its frames in this order, from the box of the first; the place in the order with each step.

    Raises:
        BadData: the first frame has no box.
    """
    if not np.isfinite(clip.truth[order[0]]).all():
        raise BadData(f"{clip.name} has no box in frame {order[0]} to start from.")
    with contextlib.closing(follow(clip.read(order), box=clip.truth[order[0]], tracker=tracker.copy())) as found:
        yield from enumerate(found)


def rounded(box: Box) -> Floats:
    """A box as its file will have it, pixels from 0."""
    return np.array([round(value, DIGITS) for value in box], np.float64)


def what_lacks(clip: Clip, folder: Path, runs: Mapping[str, int]) -> str | None:
    """What is wrong with the runs of these names and lengths, in words; None where nothing is."""
    for name, length in runs.items():
        path = folder / clip.name / f"{name}.txt"
        if not path.is_file():
            return "no result" if len(runs) == 1 else f"no {clip.name}/{name}.txt"
        try:
            rows = rows_of(path)
        except BadData as error:
            return f"damaged: {error}"
        if len(rows) != length:
            return f"{'short' if len(rows) < length else 'long'}: {len(rows)} rows for {length} frames in {path.name}"
    return None


def rows_of(path: Path) -> Floats:
    """(T, 4) boxes, or a code and three NaN.

    Raises:
        BadData: the file cannot be read, or a line is neither.
    """
    rows = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        try:
            values = [float(word) for word in line.split(",")]
        except ValueError:
            values = []
        if len(values) not in (1, 4) or not all(map(math.isfinite, values)):
            raise BadData(f"{path}:{number}: {line.strip()[:60]!r} is neither a box nor a code; expected x,y,w,h or one number.")
        rows.append(values if len(values) == 4 else [values[0], math.nan, math.nan, math.nan])
    return np.array(rows, np.float64).reshape(-1, 4)


def scores_of(clip: Clip, folder: Path, name: str) -> Floats:
    """(T,) what the tracker said of itself in a run, NaN where nothing.

    Raises:
        BadData: the file cannot be read, or a line is no number.
    """
    return _column(folder / clip.name / f"{name}_confidence.value")


def seconds_in(clip: Clip, folder: Path, names: Sequence[str]) -> list[float]:
    """Seconds of all frames of these runs in which the tracker gave a box."""
    seconds: list[float] = []
    for name in names:
        rows, times = rows_of(folder / clip.name / f"{name}.txt"), _column(folder / clip.name / f"{name}_time.value")
        seconds += times[~np.isnan(rows[:, 1]) & ~np.isnan(times)].tolist()
    return seconds


def regions_of(clip: Clip) -> Sequence[Region]:
    """The truth of every frame, pixels from 0; a code of one number where there is none."""
    if clip.regions is not None:
        return clip.regions
    return tuple(row if np.isfinite(row).all() else np.zeros(1) for row in clip.truth)


def _column(path: Path) -> Floats:
    values = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        try:
            values.append(float(line) if line.strip() else math.nan)
        except ValueError:
            raise BadData(f"{path}:{number}: {line.strip()[:60]!r} is not a number.") from None
    return np.array(values, np.float64)


def _lines(words: Sequence[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()


def _text(path: Path) -> str:
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise BadData(f"{path} is no text ({error}).") from error
