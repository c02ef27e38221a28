"""Masks: one pass from the box around the first mask; every frame's mask is compared with the truth, as in DAVIS.

SEQUENCE.txt                   a mask for each frame, as VOT writes it (m x,y,w,h,runs); 1 for the first, which is given
times/SEQUENCE_time.txt        seconds that the tracker took, one per frame; the first is `init`
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.masks import MaskStatistics, boundary_f, region_j, statistics
from sightline.evaluate.protocols.protocol import Counted, Figures, Files, Protocol
from sightline.evaluate.region_files import MaskImages, WrittenRegions, mask_to_text
from sightline.evaluate.regions import Region
from sightline.evaluate.results import read_bytes
from sightline.loop import follow
from sightline.tracker import Tracker

__all__ = ["MASKS"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

METRICS = ("jf", *(f"{letter}_{name}" for letter in "jf" for name in MaskStatistics._fields))


def track(clip: Clip, tracker: Tracker[Any], origin: int) -> Files:
    """Follow the target from the box around its first mask to the end."""
    del origin  # pixels of a mask count from 0 in every file
    lines, seconds = ["1"], []
    with contextlib.closing(follow(clip.read(), box=clip.truth[0], tracker=tracker.copy())) as steps:
        for i, step in enumerate(steps):
            seconds.append(f"{step.seconds:.8f}\n")
            if i and step.estimate.mask is None:
                raise BadData(
                    f"{tracker.spec.name} says nothing of pixels, so there are no masks to score; choose another protocol or tracker."
                )
            if step.estimate.mask is not None:
                lines.append(mask_to_text(step.estimate.mask.shows(step.frame.size)))
    return Files({f"{clip.name}.txt": "".join(f"{line}\n" for line in lines).encode()}, {_times(clip): "".join(seconds).encode()})


def lacking(clip: Clip, folder: Path) -> str | None:
    """What is wrong with the masks of a clip, in words."""
    path = folder / f"{clip.name}.txt"
    if not path.is_file():
        return "no result"
    try:
        found = WrittenRegions.of(path)
    except BadData as error:
        return f"damaged: {error}"
    if len(found) != len(clip.frames):
        return f"{'short' if len(found) < len(clip.frames) else 'long'}: {len(found)} masks for {len(clip.frames)} frames"
    return None


class Judged(NamedTuple):
    """J and F of the frames between the first and the last of one object."""

    j: Floats
    f: Floats


def judge(clip: Clip, dataset: Dataset, folder: Path, rules: str) -> Judged:
    """Every mask of one sequence beside the true one."""
    del dataset, rules
    if clip.regions is None:
        raise BadData("the data set has no masks to compare with")
    if len(clip.frames) < 3:
        raise BadData("it has no frame between its first and its last, which do not count")
    found = WrittenRegions.of(folder / f"{clip.name}.txt")
    values = []
    for i in range(1, len(clip.frames) - 1):
        truth = clip.regions[i]
        if truth.dtype != np.bool_:
            raise BadData(f"its truth in frame {i} is no mask")
        void = clip.regions.void_at(i) if isinstance(clip.regions, MaskImages) else None
        shape = (max(truth.shape[0], found[i].shape[0]), max(truth.shape[1], found[i].shape[1])) if void is None else void.shape
        ours, theirs = _spread(found[i], shape), _spread(truth, shape)
        values.append((region_j(ours, theirs, void), boundary_f(ours, theirs, void)))
    j, f = np.array(values, np.float64).T
    return Judged(j, f)


def count(sequences: Sequence[Judged], rules: str) -> Counted:
    """Of each object the mean, recall and decay of J and F; then the means over objects."""
    del rules
    each = [_figures(one) for one in sequences]
    return Counted({key: float(np.mean([row[key] for row in each])) for key in METRICS}, each)


def seconds_of(clip: Clip, folder: Path) -> list[float]:
    """Of every frame but the first."""
    return [float(word) for word in read_bytes(folder / _times(clip)).split()[1:]]


def _figures(one: Judged) -> Figures:
    found = {
        f"{letter}_{name}": value for letter, values in zip("jf", one, strict=True) for name, value in statistics(values)._asdict().items()
    }
    return {"jf": (found["j_mean"] + found["f_mean"]) / 2, **found}


def _spread(mask: Region, shape: tuple[int, ...]) -> Bools:
    """A mask that may end before the image does, at the image's size."""
    spread = np.zeros(shape, bool)
    part = mask[: shape[0], : shape[1]]
    spread[: part.shape[0], : part.shape[1]] = part
    return spread


def _times(clip: Clip) -> str:
    return f"times/{clip.name}_time.txt"


MASKS = Protocol(
    name="masks",
    folder="masks",
    track=track,
    problem=lacking,
    values=judge,
    count=count,
    seconds=seconds_of,
    metrics=METRICS,
    headings={"jf": "J&F", "j_mean": "J", "j_recall": "J recall", "f_mean": "F", "f_recall": "F recall"},
    rules={"davis": "davis"},
)
