"""Two cameras on one scene, visible and infrared: GTOT, RGBT234, LasHeR. Pictures are paired by their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.box import xywh_from_xyxy
from sightline.errors import BadData
from sightline.evaluate.clips import boxes_from_file
from sightline.frame.images import SUFFIXES, natural_order
from sightline.train.data.problems import Problems
from sightline.train.data.track import Floats, Modality, Shots, Track, have_boxes

__all__ = ["CAMERAS", "Cameras", "read_pairs"]


@dataclass(frozen=True, slots=True)
class Cameras:
    """Files of a sequence of one data set.

    Attributes:
        visible: folder of its visible images, from the sequence's folder on.
        infrared: likewise.
        truth: its annotation, in the visible images where there is one for each; the first that is there.
        corners: rows are two corners, in any order, instead of x, y, w, h.
    """

    visible: str
    infrared: str
    truth: tuple[str, ...]
    corners: bool = False


CAMERAS: dict[str, Cameras] = {
    "gtot": Cameras("v", "i", ("groundTruth_v.txt", "groundTruth_i.txt"), corners=True),
    "rgbt234": Cameras("visible", "infrared", ("visible.txt", "init.txt")),
    "lasher": Cameras("visible", "infrared", ("init.txt", "visible.txt")),
}


def read_pairs(
    source: str, cameras: Cameras, root: Path, problems: Problems, names: frozenset[str] | None = None, modality: Modality = "both"
) -> list[Track]:
    """The tracks of a data set of two cameras.

    Args:
        source: what the tracks say they are of.
        cameras: where its files lie.
        root: the folder of the sequences.
        problems: where sequences that are missing or wrong are noted.
        names: only these sequences.
        modality: "both", or the pictures of one camera alone.

    Raises:
        BadData: there is no sequence.
    """
    base = next((root / below for below in ("", "train", "TrainingSet") if _sequences(root / below, cameras)), root)
    found = {folder.name: folder for folder in _sequences(base, cameras)}
    if not found:
        raise BadData(
            f"{root} holds no sequence of {source}; expected folders with {cameras.visible}/, {cameras.infrared}/ and {cameras.truth[0]}."
        )
    for name in sorted((names or frozenset()) - found.keys()):
        problems.add(f"{source}/{name}", f"no folder {base / name}")
    tracks = []
    for name, folder in found.items():
        if names is not None and name not in names:
            continue
        try:
            tracks.append(_track(source, folder, cameras, modality, problems))
        except BadData as error:
            problems.add(f"{source}/{name}", str(error))
    return tracks


def _sequences(base: Path, cameras: Cameras) -> list[Path]:
    return natural_order(path for path in base.iterdir() if (path / cameras.visible).is_dir()) if base.is_dir() else []


def _track(source: str, folder: Path, cameras: Cameras, modality: Modality, problems: Problems) -> Track:
    truth = next((folder / name for name in cameras.truth if (folder / name).is_file()), None)
    if truth is None or not (folder / cameras.infrared).is_dir():
        raise BadData(f"{folder} has no {cameras.infrared}/ or none of {', '.join(cameras.truth)}")
    boxes = boxes_from_file(truth)
    if cameras.corners:
        ends = np.stack([boxes[:, :2], boxes[:, 2:]])
        boxes = xywh_from_xyxy(np.concatenate([ends.min(axis=0), ends.max(axis=0)], axis=1)).astype(np.float64)
    both = [_images(folder / name) for name in (cameras.visible, cameras.infrared)]
    length = min(len(boxes), *map(len, both))
    if length == 0:
        raise BadData(f"{folder} has {len(both[0])} visible and {len(both[1])} infrared images and {len(boxes)} boxes")
    problems.count(f"images of {source} without a partner or a box", sum(map(len, both)) - 2 * length)
    boxed = have_boxes(boxes[:length])
    problems.count(f"frames of {source} without a box", int((~boxed).sum()))
    first, second = (images[:length] for images in both)
    boxes = np.where(boxed[:, np.newaxis], boxes[:length], np.nan)
    shots = _shots(first, second, boxes, modality)
    return Track(folder.name, source, False, shots, boxed, boxed, modality=modality, place=f"{source}/{folder.name}")


def _shots(first: Sequence[str], second: Sequence[str], boxes: Floats, modality: Modality) -> Shots:
    if modality == "both":
        return Shots.of(first, boxes, second)
    return Shots.of(first if modality == "visible" else second, boxes)


def _images(folder: Path) -> list[str]:
    return [str(path) for path in natural_order(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)]
