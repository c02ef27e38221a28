"""Videos with masks: DAVIS and YouTube-VOS. The box of an object is that of its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.frame.images import SUFFIXES, natural_order
from sightline.train.data.problems import Problems
from sightline.train.data.track import Shots, Track, have_boxes

__all__ = ["read_masks"]

VOID = 0xE0E0C0  # pixels that count neither way, in the palette of DAVIS
LEAST = 16  # pixels: less of an object is no target


def read_masks(source: str, root: Path, problems: Problems, names: frozenset[str] | None = None) -> list[Track]:
    """The tracks of `Annotations/[480p/]<video>/%05d.png` with the images `JPEGImages/[480p/]<video>/%05d.jpg`.

    Colours of a palette, or grey values, are objects; black is none. Every mask is read once: about 3 ms each.

    Raises:
        BadData: there is no mask.
    """
    base = next((root / below for below in ("", "train", "valid") if (root / below / "Annotations").is_dir()), root)
    resolution = next((name for name in ("480p", "Full-Resolution") if (base / "Annotations" / name).is_dir()), "")
    masks, images = base / "Annotations" / resolution, base / "JPEGImages" / resolution
    folders = natural_order(path for path in masks.iterdir() if path.is_dir()) if masks.is_dir() else []
    if not folders:
        raise BadData(f"{masks} holds no video; expected that of DAVIS or YouTube-VOS, with its masks as PNG.")
    chosen = [folder for folder in folders if names is None or folder.name in names]
    return [track for folder in chosen for track in _video(source, folder, images / folder.name, problems)]


def _video(source: str, folder: Path, images: Path, problems: Problems) -> Iterator[Track]:
    paths = natural_order(path for path in images.iterdir() if path.suffix.lower() in SUFFIXES) if images.is_dir() else []
    there = {path.stem: path.name for path in paths}
    files: list[bytes] = []
    found: dict[int, dict[int, tuple[float, float, float, float]]] = {}
    for path in natural_order(folder.glob("*.png")):
        mask = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if path.stem not in there or mask is None:
            why = "the mask cannot be decoded" if path.stem in there else f"there is no image of it in {images}"
            problems.add(f"{source}/{folder.name}/{path.name}", why)
            continue
        for colour, box in _boxes(mask.astype(np.uint8, copy=False)):
            found.setdefault(colour, {})[len(files)] = box
        files.append(there[path.stem].encode())
    for number, (_, rows) in enumerate(sorted(found.items()), start=1):
        truth = np.full((len(files), 4), np.nan)
        for i, row in rows.items():
            truth[i] = row
        boxed = have_boxes(truth)
        problems.count(f"frames of {source} without a box", int((~boxed).sum()))
        yield Track(
            f"{folder.name}_{number}",
            source,
            False,
            Shots(str(images), np.array(files), truth),
            boxed,
            boxed,
            place=f"{source}/{folder.name}",
        )


def _boxes(mask: NDArray[np.uint8]) -> Iterator[tuple[int, tuple[float, float, float, float]]]:
    """The colours of a mask (H, W, 3), and the box x, y, w, h around the pixels of each."""
    packed = (mask.astype(np.int32) * np.array([1, 1 << 8, 1 << 16])).sum(axis=2)  # OpenCV's order: blue first
    for colour in np.unique(packed).tolist():
        is_here = packed == colour
        if colour in (0, VOID) or is_here.sum() < LEAST:
            continue
        rows, columns = np.flatnonzero(is_here.any(axis=1)), np.flatnonzero(is_here.any(axis=0))
        x, y = float(columns[0]), float(rows[0])
        yield colour, (x, y, float(columns[-1]) + 1 - x, float(rows[-1]) + 1 - y)
