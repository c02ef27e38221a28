"""What a protocol is. `run` and `score` know nothing else of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.results import sha256, to_json
from sightline.tracker import Tracker

__all__ = ["Counted", "Figures", "Files", "Protocol"]

R = TypeVar("R")  # a way of counting
V = TypeVar("V")  # what is counted of one sequence

Figures = Mapping[str, float | None]


class Files(NamedTuple):
    """Files of one sequence: names below the folder of results, and contents.

    Attributes:
        results: of an older run those are kept where they differ.
        beside: scores and times.
    """

    results: Mapping[str, bytes]
    beside: Mapping[str, bytes]


class Counted(NamedTuple):
    """Figures of all sequences together, and of each."""

    means: Figures
    each: Sequence[Figures]


def _unknown(_clip: Clip, _folder: Path) -> None:
    """No parts."""


def _fits(_dataset: Dataset) -> None:
    """Any data set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol(Generic[R, V]):
    """One way to run a sequence and to score what came out. All functions stand in modules: they travel to other processes.

    Attributes:
        name: what users write.
        folder: of the results, below that of the tracker; empty for that folder itself.
        track: runs a tracker over a clip, in pixels from 0; the boxes of its files begin at the origin that is given.
            Raises `SightlineError` where the clip cannot be tracked.
        problem: what is wrong with the files of a clip at a first look: nothing (None), or the reason in words.
        values: what is counted of one sequence, by rules. Raises `BadData` where it cannot be.
        count: figures by rules; at least one sequence is given. None where there is no number.
        seconds: of each frame that counts for the speed, None without times.
        parts: where they went, (N, 4) as `speed.PARTS`; None where nobody knows.
        metrics: names of the figures.
        headings: of those that the table shows, in order.
        rules: ways of counting by name; the first where a data set names none of them.
        unfit: why no sequence of a data set can be run so, as the end of a sentence; None where some can.
        settings: what else decides about the files; results of other settings are made anew.
        finds_boxes: its files are boxes of every frame: they can be imported, and written for other toolkits.
    """

    name: str
    folder: str
    track: Callable[[Clip, Tracker[Any], int], Files]
    problem: Callable[[Clip, Path], str | None]
    values: Callable[[Clip, Dataset, Path, R], V]
    count: Callable[[Sequence[V], R], Counted]
    seconds: Callable[[Clip, Path], Sequence[float] | None]
    metrics: tuple[str, ...]
    headings: Mapping[str, str]
    rules: Mapping[str, R]
    parts: Callable[[Clip, Path], NDArray[np.float64] | None] = _unknown
    unfit: Callable[[Dataset], str | None] = _fits
    settings: Mapping[str, Any] = field(default_factory=dict)
    finds_boxes: bool = False

    def choose_rules(self, name: str | None, dataset: Dataset) -> str:
        """The name of the rules to count by: what is asked for, what the data set names, or the first.

        Raises:
            BadData: this protocol has no rules of the name that is asked for.
        """
        if name is not None and name not in self.rules:
            raise BadData(f"no rules are called {name!r}; the protocol {self.name} has {', '.join(self.rules)}.")
        return name or (dataset.rules if dataset.rules in self.rules else next(iter(self.rules)))

    def stamp(self, maker: str, data: str) -> dict[str, str]:
        """What results are of: the digests of their maker and of a clip, and one of the protocol."""
        return {"tracker": maker, "data": data, "protocol": sha256(to_json({"name": self.name, **self.settings}))}
