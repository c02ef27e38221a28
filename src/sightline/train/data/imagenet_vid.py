"""ImageNet-VID: every object of a video is a track; its boxes stand in one XML file for each frame."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sightline.errors import BadData
from sightline.frame.images import natural_order
from sightline.train.data.problems import Problems
from sightline.train.data.track import Shots, Track, have_boxes

__all__ = ["read_vid"]

Row = tuple[float, float, float, float]


def read_vid(source: str, root: Path, problems: Problems, split: str = "train") -> list[Track]:
    """The tracks of `Annotations/VID/<split>/**/<video>/%06d.xml` with the images of `Data/VID/<split>/**/<video>/%06d.JPEG`.

    Corners are pixel indices from 0 on, the last one inside as published: w = xmax - xmin.

    Raises:
        BadData: there is no annotation.
    """
    annotations, images = root / "Annotations" / "VID" / split, root / "Data" / "VID" / split
    folders = sorted({path.parent for path in annotations.rglob("*.xml")})
    if not folders:
        raise BadData(f"{annotations} holds no annotation; expected that of ImageNet-VID.")
    return [track for folder in folders for track in _video(source, folder, images / folder.relative_to(annotations), problems)]


def _video(source: str, folder: Path, images: Path, problems: Problems) -> Iterator[Track]:
    name = folder.name
    there = {path.stem: path.name for path in images.iterdir()} if images.is_dir() else {}
    frames: list[str] = []
    boxes: defaultdict[str, dict[int, Row]] = defaultdict(dict)
    hidden: set[tuple[str, int]] = set()
    kinds: dict[str, str] = {}
    for path in natural_order(folder.glob("*.xml")):
        if path.stem not in there:
            problems.add(f"{source}/{name}/{path.stem}", f"there is no image of it in {images}")
            continue
        try:
            for track, kind, row, is_hidden in _objects(path):
                boxes[track][len(frames)], kinds[track] = row, kind
                if is_hidden:
                    hidden.add((track, len(frames)))
        except (ElementTree.ParseError, OSError, ValueError, AttributeError) as error:
            problems.add(f"{source}/{name}/{path.name}", f"{path} cannot be read ({error!r})")
            continue
        frames.append(there[path.stem])
    files = np.array([frame.encode() for frame in frames])
    for track, rows in boxes.items():
        truth = np.full((len(frames), 4), np.nan)
        for i, row in rows.items():
            truth[i] = row
        boxed = have_boxes(truth)
        visible = boxed & np.array([(track, i) not in hidden for i in range(len(frames))])
        problems.count(f"frames of {source} without a box", int((~boxed).sum()))
        shots = Shots(str(images), files, truth)
        yield Track(f"{name}_{track}", source, False, shots, visible, boxed, kind=kinds[track], place=f"{source}/{name}")


def _objects(path: Path) -> Iterator[tuple[str, str, Row, bool]]:
    """Number, class, box x, y, w, h, and whether it is occluded, of the objects of one frame."""
    for entry in ElementTree.parse(path).getroot().iter("object"):  # noqa: S314  the files of the data set; entities are not resolved
        x1, y1, x2, y2 = (float(entry.find(f"bndbox/{side}").text or "") for side in ("xmin", "ymin", "xmax", "ymax"))  # type: ignore[union-attr]  # AttributeError is caught
        track, kind = entry.findtext("trackid", "0"), entry.findtext("name", "")
        yield track, kind, (x1, y1, x2 - x1, y2 - y1), entry.findtext("occluded", "0") == "1"
