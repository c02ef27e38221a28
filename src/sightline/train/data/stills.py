"""Still pictures as tracks of one: COCO with its boxes, ImageNet without any (pre-training only)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.box import Box
from sightline.errors import BadData
from sightline.frame.images import SUFFIXES, natural_order
from sightline.train.data.problems import Problems
from sightline.train.data.track import Image, Shots, Track, decode

__all__ = ["read_coco", "read_folder_of_images"]

LEAST_SIDE = 50.0  # pixels: smaller objects of COCO are not learnt from, as in the PyTracking family


def read_coco(source: str, year: str, root: Path, problems: Problems, split: str = "train") -> list[Track]:
    """Objects of `annotations/instances_<split><year>.json` in the images of `<split><year>/`: one track for each.

    Crowds, and objects of less than 50 pixels along a side, are left out and counted.

    Raises:
        BadData: the annotation is missing or not what COCO's looks like.
    """
    path, folder = root / "annotations" / f"instances_{split}{year}.json", root / f"{split}{year}"
    if not folder.is_dir():
        folder = root / "images" / f"{split}{year}"
    there = frozenset(entry.name for entry in folder.iterdir()) if folder.is_dir() else frozenset[str]()
    if not there:
        raise BadData(f"there is no folder of images {root / f'{split}{year}'}; expected that of COCO {year} beside its annotations.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images = {image["id"]: image for image in content["images"]}
        kinds = {category["id"]: str(category["name"]) for category in content["categories"]}
        return list(_objects(source, content["annotations"], images, kinds, folder, there, problems))
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}); expected COCO's annotations.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadData(f"{path} is no file of COCO's instances ({error!r}).") from error


def _objects(
    source: str,
    annotations: list[dict[str, Any]],
    images: Mapping[int, dict[str, Any]],
    kinds: Mapping[int, str],
    folder: Path,
    there: frozenset[str],
    problems: Problems,
) -> Iterator[Track]:
    for annotation in annotations:
        x, y, w, h = (float(value) for value in annotation["bbox"])
        if annotation.get("iscrowd"):
            problems.count(f"crowds of {source}", 1)
        elif not (w > LEAST_SIDE and h > LEAST_SIDE):  # NaN too
            problems.count(f"objects of {source} of {LEAST_SIDE:.0f} pixels or less", 1)
        elif annotation["image_id"] not in images:
            problems.add(f"{source}/{annotation['id']}", f"its image {annotation['image_id']} is not in the list of images")
        elif images[annotation["image_id"]]["file_name"] not in there:
            problems.add(f"{source}/{images[annotation['image_id']]['file_name']}", f"there is no such file in {folder}")
        else:
            file = images[annotation["image_id"]]["file_name"]
            shots = Shots(str(folder), np.array([file.encode()]), np.array([[x, y, w, h]]))
            kind = kinds.get(annotation["category_id"], "")
            yield Track(f"{Path(file).stem}_{annotation['id']}", source, True, shots, kind=kind, place=f"{source}/{file}")


@dataclass(frozen=True, slots=True)
class Whole:
    """A picture without a box: what is in its middle stands for the object, a quarter of its shorter side wide and high."""

    file: str

    @property
    def name(self) -> str:
        """Its path."""
        return self.file

    def read(self, shrink: int = 1) -> tuple[Image, Box]:
        """See `sightline.train.data.track.Picture`."""
        try:
            image, _ = decode(Path(self.file).read_bytes(), self.file, shrink)
        except OSError as error:
            raise BadData(f"{self.file} cannot be read ({error.strerror}); restore the file.") from error
        height, width = image.shape[:2]
        side = min(width, height) / 4
        return image, Box((width - side) / 2, (height - side) / 2, side, side)

    def in_frame(self) -> tuple[Image, Box]:
        """See `sightline.train.data.track.Picture`."""
        return self.read()


def read_folder_of_images(source: str, root: Path, problems: Problems) -> list[Track]:
    """All pictures of a folder and the folders in it, such as ImageNet's `<class>/<name>.JPEG`; the folder's name is the class.

    Raises:
        BadData: there is none.
    """
    base = next((root / below for below in ("train", "Data/CLS-LOC/train") if (root / below).is_dir()), root)
    tracks = []
    for folder in [base, *natural_order(path for path in base.iterdir() if path.is_dir())]:
        paths = natural_order(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        if not paths and folder != base:
            problems.add(f"{source}/{folder.name}", f"{folder} holds no image")
        kind = "" if folder == base else folder.name
        tracks += [Track(str(path.relative_to(base)), source, True, (Whole(str(path)),), kind=kind, place=str(path)) for path in paths]
    if not tracks:
        raise BadData(f"{root} holds no image; expected folders of them, one for each class.")
    return tracks
