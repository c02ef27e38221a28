"""Sequences with known boxes, to calibrate a network on and to check it on: pictures are read when they are asked for.

Boxes need not be true, for forms of a network are compared with each other: those that it says itself in f32 do as well.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

from sightline.box import Box, BoxLike
from sightline.errors import BadData
from sightline.evaluate.clips import open_dataset
from sightline.frame import Frame, read
from sightline.loop import follow
from sightline.scene import Scene, render
from sightline.tracker import Tracker

if TYPE_CHECKING:
    from sightline.train.pairs import Picture

__all__ = ["Footage", "Shot", "Take", "followed", "open_footage", "spread"]

Shot: TypeAlias = Callable[[], tuple[Frame, Box]]  # reads one picture, and says where the target is in it

NUM_SCENES, SCENE_FRAMES = 12, 25
PIECE, NUM_PIECES, FEWEST_PIECES = 24, 60, 4  # frames of a piece of a video, and pieces at most; at least, for each use
KEPT, LOOKS = 6, 3  # frames from one that is kept to the next; crops that each of those is good for, at other places
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
        told: where it is from, in words.
        calibrate: at least one.
        check: at least one, of real pictures.
        objects: how many different ones the check shows.
        drawn: rendered scenes, from which ranges come as well; they say nothing of how good a form is.
    """

    told: str
    calibrate: tuple[Take, ...]
    check: tuple[Take, ...]
    objects: int
    drawn: tuple[Take, ...] = ()


def open_footage(folder: Path) -> Footage:
    """The sequences of a folder.

    Args:
        folder: SEQUENCE/img/*.jpg and SEQUENCE/groundtruth.txt, of which every second sequence is kept for checking; or a training
            folder with `index.jsonl`, whose splits "train" and "val" are used (needs the extra `train`).

    Raises:
        BadData: nothing there that can be read, or one sequence alone.
        ModuleNotFoundError: the extra is missing.
    """
    if folder.is_file():
        raise BadData(
            f"{folder} is a file without boxes; say where the target is in its first frame (--box X,Y,W,H), or give a folder of sequences."
        )
    if (folder / "index.jsonl").is_file():
        return _training(folder)
    takes = [_of_clip(clip.frames, clip.truth, clip.visible, clip.name) for clip in open_dataset("folder", folder)]
    return _checked(str(folder), takes[::2], takes[1::2])


def followed(source: str, box: BoxLike, tracker: Tracker[Any]) -> Footage:
    """Pieces of one video, in turn for calibrating and for checking.

    One target alone is no variety, so ranges come from rendered scenes as well. The check sees no scenes: they are easier than real pictures, and a
    form that loses the boxes of real ones may keep those of scenes.

    Args:
        source: what `sightline.read` takes.
        box: the target in the first frame.
        tracker: says where it is in the others.

    Raises:
        BadData: too few frames in which the target is found.
        VideoError, BadBox: the source cannot be read, or the box is not in it.
    """
    pieces: list[list[Shot]] = [[]]
    for step in itertools.islice(follow(source, box=box, tracker=tracker), NUM_PIECES * PIECE):
        index = step.frame.index % PIECE
        if index == 0 and pieces[-1]:
            pieces.append([])
        if index % KEPT == 0 and step.estimate.status != "lost":
            shot = functools.partial(_of_jpeg, _jpeg(step.frame), step.estimate.box)
            pieces[-1] += [shot] * (LOOKS if pieces[-1] else 1)  # the first one is the template
    name = Path(source).name
    takes = _long([Take(f"{name}/frame {i * PIECE}", tuple(shots)) for i, shots in enumerate(pieces)])
    if len(takes) < 2 * FEWEST_PIECES:
        raise BadData(
            f"{source} has {len(takes)} pieces of {PIECE} frames in which the target is found; expected {2 * FEWEST_PIECES} or more. "
            "Give a longer video, or another --box."
        )
    return Footage(source, takes[::2], takes[1::2], objects=1, drawn=_rendered())


def spread(items: Sequence[Take], count: int) -> list[Take]:
    """At most `count` takes, evenly from first to last; where names are SOURCE/TRACK, as many of every source, as far as it has them."""
    sources: dict[str, list[Take]] = {}
    for take in items:
        source, slash, _ = take.name.partition("/")
        sources.setdefault(source if slash else "", []).append(take)
    shares = dict.fromkeys(sources, 0)
    for _ in range(min(count, len(items))):
        fewest = min((source for source in sources if shares[source] < len(sources[source])), key=lambda source: shares[source])
        shares[fewest] += 1
    return [several[i * len(several) // shares[source]] for source, several in sources.items() for i in range(shares[source])]


def _training(folder: Path) -> Footage:
    from sightline.train.pairs import read_tracks  # late: torch comes with it

    def takes(split: str) -> tuple[Take, ...]:
        tracks = [track for track in read_tracks(folder, split) if not track.is_still]
        return _long([Take(track.name, tuple(functools.partial(_of_picture, picture) for picture in track.pictures)) for track in tracks])

    return _checked(str(folder), takes("train"), takes("val"))


def _long(takes: Sequence[Take]) -> tuple[Take, ...]:
    return tuple(take for take in takes if len(take.shots) >= SHORTEST)


def _checked(told: str, calibrate: Sequence[Take], check: Sequence[Take]) -> Footage:
    """Sequences that each show an object of their own."""
    footage = Footage(told, _long(calibrate), _long(check), objects=len(_long(check)))
    if not footage.calibrate or not footage.check:
        raise BadData(
            f"{told} has {len(footage.calibrate)} sequences to calibrate on and {len(footage.check)} to check on; "
            "expected at least one of each, of two pictures or more."
        )
    return footage


def _rendered() -> tuple[Take, ...]:
    return tuple(
        Take(f"scene {seed}", tuple(functools.partial(_of_scene, seed, i) for i in range(SCENE_FRAMES))) for seed in range(NUM_SCENES)
    )


def _of_clip(frames: Sequence[str], truth: np.ndarray, visible: np.ndarray, name: str) -> Take:
    shots = [functools.partial(_of_file, path, Box(*box.tolist())) for path, box, seen in zip(frames, truth, visible, strict=True) if seen]
    return Take(name, tuple(shots))


def _of_file(path: str, box: Box) -> tuple[Frame, Box]:
    with contextlib.closing(read(path)) as images:
        return next(iter(images)), box


def _of_picture(picture: Picture) -> tuple[Frame, Box]:
    image, box = picture.read()
    return Frame(image), box


def _jpeg(frame: Frame) -> bytes:
    """Hundreds of frames are kept at once, and videos are lossy anyway."""
    _, content = cv2.imencode(".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 95))
    return content.tobytes()


def _of_jpeg(content: bytes, box: Box) -> tuple[Frame, Box]:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None  # our own
    return Frame(image.astype(np.uint8, copy=False)), box


def _of_scene(seed: int, index: int) -> tuple[Frame, Box]:
    return _scene(seed)[index]


@functools.lru_cache(maxsize=1)  # takes are read one after the other
def _scene(seed: int) -> list[tuple[Frame, Box]]:
    shots = render(Scene(seed=seed, num_frames=SCENE_FRAMES, size=(480, 270), occlusion=0.0))
    return [(shot.frame, shot.box) for shot in shots]
