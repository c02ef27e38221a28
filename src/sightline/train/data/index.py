"""Folders with `index.jsonl`: crops of frames in tar files.

A line is one JPEG that shows an object with 4.5 times its size around it: `shard`, `offset`, `length` say where the file lies; `box` is
x, y, w, h in its pixels; `crop` and `frame_size` say which part of which frame it is; `track` names the object, `source` the data set,
`kind` is "video" or "still", `frame` counts frames, `split` is "train" or "val"; `class` and `modality` may be there.
"""

from __future__ import annotations

import io
import json
import math
import tarfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from sightline.box import Box
from sightline.errors import BadData
from sightline.train.data.problems import Problems
from sightline.train.data.track import Image, Modality, Track, have_boxes

__all__ = ["Stored", "put", "read_tracks"]

MODALITIES: dict[str, Modality] = {"thermal": "infrared", "infrared": "infrared"}


@dataclass(frozen=True, slots=True)
class Stored:
    """One JPEG of the data: where it lies, the object in its pixels, and which part (x, y, w, h) of which frame it is."""

    shard: Path
    offset: int
    length: int
    frame: int
    box: Box
    crop: Box
    frame_size: tuple[int, int]

    @property
    def name(self) -> str:
        """The tar file, and where in it."""
        return f"{self.shard} at byte {self.offset}"

    def decode(self) -> Image:
        """The picture as it is stored, (H, W, 3) RGB.

        Raises:
            BadData: it cannot be read.
        """
        try:
            with self.shard.open("rb") as file:
                file.seek(self.offset)
                image: Image = simplejpeg.decode_jpeg(file.read(self.length), colorspace="RGB")
        except (OSError, ValueError) as error:
            raise BadData(f"{self.name} cannot be read ({error}); restore the file.") from error
        return image

    def read(self, shrink: int = 1) -> tuple[Image, Box]:  # noqa: ARG002  # stored small: there is nothing to be gained
        """The picture, reflected beyond its sides where the frame continues, and the object's box in it.

        A search region may reach further than the stored picture. Black there would tell the network where the target is
        not; at the true border of a frame it belongs there, as when tracking.
        """
        image = self.decode()
        x, y, w, h = self.crop
        goes_on = (x > 0, y > 0, x + w < self.frame_size[0], y + h < self.frame_size[1])
        reach = math.ceil(1.6 * math.sqrt(self.box.w * self.box.h))  # further out the object itself would be mirrored
        left, top, right, bottom = (reach * side for side in goes_on)
        canvas = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT_101)
        return canvas, self.box._replace(x=self.box.x + left, y=self.box.y + top)  # type: ignore[return-value]  # uint8 in, uint8 out

    def in_frame(self) -> tuple[Image, Box]:
        """The picture at its place in a frame of the true size, its mean colour all around, and the object's box there."""
        image = self.decode()
        width, height = self.frame_size
        x, y, w, h = (round(value) for value in self.crop)
        frame = np.empty((height, width, 3), np.uint8)
        frame[:] = image.mean(axis=(0, 1)).astype(np.uint8)
        scaled = cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR)
        frame[y : y + h, x : x + w] = scaled[: height - y, : width - x]
        across, down = self.crop.w / image.shape[1], self.crop.h / image.shape[0]
        box = Box(self.crop.x + self.box.x * across, self.crop.y + self.box.y * down, self.box.w * across, self.box.h * down)
        return frame, box


def read_tracks(folder: Path, split: str, problems: Problems | None = None) -> list[Track]:
    """The tracks of one split, in the order of the index.

    Args:
        folder: of the index.
        split: "train" or "val".
        problems: where pictures without a box are noted; None: they are an error.

    Raises:
        BadData: no index, or a line that is not what the module's docstring says.
    """
    problems = problems or Problems("stop")
    index = folder / "index.jsonl"
    try:
        lines = index.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadData(
            f"cannot read {index} ({error.strerror}); --data takes a folder with index.jsonl and the tar files it names."
        ) from error
    pictures: defaultdict[tuple[str, str, bool], list[Stored]] = defaultdict(list)
    more: dict[tuple[str, str, bool], tuple[str, Modality]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            if entry["split"] != split:
                continue
            key = entry["track"], entry["source"], entry["kind"] == "still"
            is_shown = bool(have_boxes(np.array([entry["box"], entry["crop"]], np.float64)).all())
            picture = _picture(folder, entry)
            label = str(entry.get("class", "")), MODALITIES.get(str(entry.get("modality")), "visible")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadData(f"{index}, line {number}: {error!r}; expected one JSON object for each picture.") from error
        if not is_shown:
            problems.add(f"{index}, line {number}", f"its box {entry['box']} or its crop {entry['crop']} has no area")
            continue
        pictures[key].append(picture)
        more[key] = label
    for members in pictures.values():
        members.sort(key=lambda picture: picture.frame)
    return [
        Track(
            name,
            source,
            is_still,
            tuple(members),
            kind=more[name, source, is_still][0],
            modality=more[name, source, is_still][1],
        )
        for (name, source, is_still), members in pictures.items()
    ]


def put(tar: tarfile.TarFile, name: str, image: Image) -> dict[str, Any]:
    """Store a picture (H, W, 3) as a JPEG in a tar file in the format USTAR: what its line of the index says of the file."""
    content = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=85, colorspace="RGB")
    member = tarfile.TarInfo(name)
    member.size = len(content)
    offset = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(member, io.BytesIO(content))
    shard = Path(str(tar.name)).name
    return {"shard": shard, "name": name, "offset": offset, "length": len(content), "size": [image.shape[1], image.shape[0]]}


def _picture(folder: Path, entry: dict[str, Any]) -> Stored:
    width, height = entry["frame_size"]
    box = Box(*(float(value) for value in entry["box"]))
    return Stored(
        folder / str(entry["shard"]),
        int(entry["offset"]),
        int(entry["length"]),
        int(entry["frame"]),
        box._replace(w=max(box.w, 1.0), h=max(box.h, 1.0)),
        Box(*(float(value) for value in entry["crop"])),
        (int(width), int(height)),
    )
