"""Render every picture of the README and the docs into docs/images: `python docs/pictures.py [--tracker NAME]`.

All of them come from the scene renderer, and every box that they show was found by a tracker.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray

import sightline
from sightline.box import iou
from sightline.draw import draw
from sightline.scene import KINDS, Scene, SceneFrame, render

Picture: TypeAlias = NDArray[Any]  # (H, W, 3) uint8 RGB

IMAGES = Path(__file__).parent / "images"
STRIDE = 6  # the frame in which people stand with their feet furthest apart
GAP = 6  # white pixels between the parts of a picture

HERO = Scene(seed=3, target="car", size=(640, 360), num_frames=150)
PAIR = Scene(seed=11, target="person", size=(640, 360), num_frames=90, look="pair")


def main(tracker: str = "kestrel-nano") -> None:
    """Render all pictures.

    Args:
        tracker: a name from `sightline zoo`, or a weights file.
    """
    save("hero.png", grid(tracked(HERO, tracker, (0, 50, 100, 149)), columns=2))
    pair = next(render(PAIR, [STRIDE]))
    save("pair.png", grid([pair.frame.image, np.asarray(pair.frame.extra)], columns=2))
    save("scenes.png", grid([portrait(Scene(seed=seed, target=kind, occlusion=0)) for seed, kind in enumerate(KINDS, 11)], columns=5))


def tracked(scene: Scene, tracker: str, moments: Sequence[int]) -> list[Picture]:
    """Some frames of a scene with the boxes that the tracker found, started in the first frame only."""
    shots = list(render(scene))
    pictures = []
    overlaps = []
    for shot, step in zip(shots, sightline.follow((shot.frame for shot in shots), box=shots[0].box, tracker=tracker), strict=True):
        estimate = step.estimate
        if shot.visible:
            overlaps.append(float(iou(np.array(estimate.box), np.array(shot.box))))
        if shot.frame.index in moments:
            pictures.append(draw(shot.frame.image, estimate.box, label=estimate.status, status=estimate.status))
    print(f"{tracker} on {scene}: mean overlap with the truth {np.mean(overlaps):.3f}")
    return pictures


def portrait(scene: Scene) -> Picture:
    """A square about the target of one frame."""
    shot: SceneFrame = next(render(scene, [STRIDE]))
    side = round(1.6 * max(shot.box.w, shot.box.h))
    corner = np.round(np.subtract(shot.box.centre, side / 2)).astype(int)
    left, top = (int(np.clip(at, 0, limit - side)) for at, limit in zip(corner, scene.size, strict=True))
    return cv2.resize(shot.frame.image[top : top + side, left : left + side], (200, 200), interpolation=cv2.INTER_CUBIC)


def grid(pictures: Iterable[Picture], *, columns: int) -> Picture:
    """Pictures of one size in rows, white between them."""
    cells = list(pictures)
    height, width = cells[0].shape[:2]
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for i, cell in enumerate(cells):
        top, left = i // columns * (height + GAP), i % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = cell
    return sheet


def save(name: str, picture: Picture) -> None:
    """Write a picture, at most 1000 pixels wide."""
    scale = min(1.0, 1000 / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / name
    cv2.imwrite(str(path), cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{path.name}: {small.shape[1]}x{small.shape[0]}, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    tyro.cli(main)
