"""Sequences with known boxes, to calibrate a network on and to check it on: pictures are read when they are asked for."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from sightline.box import Box
from sightline.errors import BadData
from sightline.evaluate.clips import open_dataset
from sightline.frame import Frame, read
from sightline.scene import Scene, render

if TYPE_CHECKING:
    from sightline.train.pairs import Picture

__all__ = ["Footage", "Shot", "Take", "open_footage", "rendered", "spread"]

Shot: TypeAlias = Callable[[], tuple[Frame, Box]]  # reads one picture, and says where the target is in it

NUM_SCENES, SCENE_FRAMES = 24, 25
SHORTEST = 2  # a template and something to look for it in


@dataclass(frozen=True, slots=True)
class Take:
    """One target: the first picture shows the template."""

    name: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True)
class Footage:
    """What networks are calibrated on, and what they are checked on: never the same sequence.

    Attributes:
        told: where it is from, for people.
        calibrate: at least one.
        check: at least one.
    """

    told: str
    calibrate: tuple[Take, ...]
    check: tuple[Take, ...]


def open_footage(folder: Path | None) -> Footage:
    """The sequences of a folder; rendered ones where there is none.

    Args:
        folder: SEQUENCE/img/*.jpg and SEQUENCE/groundtruth.txt, of which every second sequence is kept for checking; or a training
            folder with `index.jsonl`, whose splits "train" and "val" are used (needs the extra `train`).

    Raises:
        BadData: nothing there that can be read, or one sequence alone.
        ModuleNotFoundError: the extra is missing.
    """
    if folder is None:
        return rendered()
    if (folder / "index.jsonl").is_file():
        return _training(folder)
    takes = [_of_clip(clip.frames, clip.truth, clip.visible, clip.name) for clip in open_dataset("folder", folder)]
    return _checked(Footage(str(folder), _long(takes[::2]), _long(takes[1::2])))


def rendered(count: int = NUM_SCENES) -> Footage:
    """Rendered scenes: never as good as real pictures, and always at hand."""
    takes = [Take(f"scene {seed}", tuple(functools.partial(_of_scene, seed, i) for i in range(SCENE_FRAMES))) for seed in range(count)]
    return Footage("rendered scenes", tuple(takes[::2]), tuple(takes[1::2]))


def spread(items: Sequence[Take], count: int) -> list[Take]:
    """At most `count` of them, evenly from first to last."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def _training(folder: Path) -> Footage:
    from sightline.train.pairs import read_tracks  # late: torch comes with it

    def takes(split: str) -> tuple[Take, ...]:
        tracks = [track for track in read_tracks(folder, split) if not track.is_still]
        return _long([Take(track.name, tuple(functools.partial(_of_picture, picture) for picture in track.pictures)) for track in tracks])

    return _checked(Footage(str(folder), takes("train"), takes("val")))


def _long(takes: Sequence[Take]) -> tuple[Take, ...]:
    return tuple(take for take in takes if len(take.shots) >= SHORTEST)


def _checked(footage: Footage) -> Footage:
    if not footage.calibrate or not footage.check:
        raise BadData(
            f"{footage.told} has {len(footage.calibrate)} sequences to calibrate on and {len(footage.check)} to check on; "
            "expected at least one of each, of two pictures or more."
        )
    return footage


def _of_clip(frames: Sequence[str], truth: np.ndarray, visible: np.ndarray, name: str) -> Take:
    shots = [functools.partial(_of_file, path, Box(*box.tolist())) for path, box, seen in zip(frames, truth, visible, strict=True) if seen]
    return Take(name, tuple(shots))


def _of_file(path: str, box: Box) -> tuple[Frame, Box]:
    with contextlib.closing(read(path)) as images:
        return next(iter(images)), box


def _of_picture(picture: Picture) -> tuple[Frame, Box]:
    image, box = picture.read()
    return Frame(image), box


def _of_scene(seed: int, index: int) -> tuple[Frame, Box]:
    return _scene(seed)[index]


@functools.lru_cache(maxsize=1)  # takes are read one after the other
def _scene(seed: int) -> list[tuple[Frame, Box]]:
    shots = render(Scene(seed=seed, num_frames=SCENE_FRAMES, size=(480, 270), occlusion=0.0))
    return [(shot.frame, shot.box) for shot in shots]
