"""Tiny data sets in the layouts of the public ones: a bright square that moves over a dim noisy ground."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

WIDTH, HEIGHT = 96, 72
BOX = (30, 20, 16, 12)


def box_at(frame: int) -> tuple[int, int, int, int]:
    x, y, w, h = BOX
    return x + frame, y, w, h


def picture(frame: int, bright: int = 220) -> np.ndarray:
    image = np.random.default_rng(frame).integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y, w, h = box_at(frame)
    image[y : y + h, x : x + w] = bright
    return image


def save(path: Path, frame: int, bright: int = 220) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        path.write_bytes(simplejpeg.encode_jpeg(picture(frame, bright), quality=92))
    else:
        cv2.imwrite(str(path), picture(frame, bright))


def rows(num: int, delimiter: str = ",", *, absent: Sequence[int] = (), nan: Sequence[int] = ()) -> str:
    lines = []
    for frame in range(num):
        row: tuple[object, ...] = (0, 0, 0, 0) if frame in absent else ("NaN",) * 4 if frame in nan else box_at(frame)
        lines.append(delimiter.join(map(str, row)) + "\n")
    return "".join(lines)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def lasot(root: Path, names: Sequence[str], num: int = 6) -> None:
    for name in names:
        folder = root / name.rpartition("-")[0] / name
        for frame in range(num):
            save(folder / "img" / f"{frame + 1:08d}.jpg", frame)
        write(folder / "groundtruth.txt", rows(num, absent=[4]))
        write(folder / "full_occlusion.txt", ",".join("1" if frame == 2 else "0" for frame in range(num)))
        write(folder / "out_of_view.txt", ",".join("1" if frame == 4 else "0" for frame in range(num)))


def got10k(root: Path, numbers: Sequence[int], num: int = 5) -> None:
    for number in numbers:
        folder = root / "train" / f"GOT-10k_Train_{number:06d}"
        for frame in range(num):
            save(folder / f"{frame + 1:08d}.jpg", frame)
        write(folder / "groundtruth.txt", rows(num))
        write(folder / "absence.label", "".join(f"{int(frame == 3)}\n" for frame in range(num)))
        write(folder / "cover.label", "".join(f"{0 if frame == 4 else 8}\n" for frame in range(num)))
        write(folder / "meta_info.ini", f"[METAINFO]\nobject_class: {'dog' if number % 2 else 'cat'}\n")


def trackingnet(root: Path, chunks: Sequence[int], num: int = 12) -> None:
    for chunk in chunks:
        for frame in range(num):
            save(root / f"TRAIN_{chunk}" / "frames" / f"video{chunk}" / f"{frame}.jpg", frame)
        write(root / f"TRAIN_{chunk}" / "anno" / f"video{chunk}.txt", rows(num))


def tnl2k(root: Path, name: str, num: int = 5) -> None:
    for frame in range(num):
        save(root / name / "imgs" / f"{frame:05d}.png", frame)
    write(root / name / "groundtruth.txt", rows(num, absent=[1]))
    write(root / name / "language.txt", "the bright square")


def coco(root: Path) -> None:
    annotations = []
    for number, (box, crowd) in enumerate([((5, 5, 60, 55), 0), ((1, 1, 20, 20), 0), ((2, 2, 80, 60), 1), ((0, 0, 70, 60), 0)]):
        annotations.append({"id": number, "image_id": number, "bbox": box, "iscrowd": crowd, "category_id": 1 + number % 2})
        if number != 3:
            save(root / "train2017" / f"{number:012d}.jpg", number)
    images = [{"id": number, "file_name": f"{number:012d}.jpg"} for number in range(4)]
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}]
    write(
        root / "annotations" / "instances_train2017.json",
        json.dumps({"images": images, "annotations": annotations, "categories": categories}),
    )


def vid(root: Path, num: int = 4) -> None:
    below = Path("VID") / "train" / "ILSVRC2015_VID_train_0000" / "ILSVRC2015_train_00005003"
    for frame in range(num):
        save(root / "Data" / below / f"{frame:06d}.JPEG", frame)
        x, y, w, h = box_at(frame)
        bounds = f"<bndbox><xmax>{x + w}</xmax><xmin>{x}</xmin><ymax>{y + h}</ymax><ymin>{y}</ymin></bndbox>"
        entry = f"<object><trackid>0</trackid><name>n02958343</name>{bounds}<occluded>{int(frame == 1)}</occluded></object>"
        second = entry.replace("<trackid>0", "<trackid>1") if frame > 1 else ""
        write(root / "Annotations" / below / f"{frame:06d}.xml", f"<annotation><folder>a</folder>{entry}{second}</annotation>")


def masks(root: Path, resolution: str = "480p", *, hidden: int = 1, void: bool = True, num: int = 3) -> None:
    for frame in range(num):
        save(root / "JPEGImages" / resolution / "bear" / f"{frame:05d}.jpg", frame)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        x, y, w, h = box_at(frame)
        mask[y : y + h, x : x + w] = 1
        mask[60:66, 5:11] = 0 if frame == hidden else 2
        mask[0:8, 0:8] = 255 if void else 0  # neither way
        path = root / "Annotations" / resolution / "bear" / f"{frame:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), mask)


def cameras(
    root: Path, name: str, visible: str, infrared: str, truths: Sequence[str], *, corners: bool = False, num: int = 4, spare: int = 1
) -> None:
    for frame in range(num):
        save(root / name / visible / f"v{frame + 1:03d}.png", frame)
        save(root / name / infrared / f"i{frame + 7:03d}.png", frame, bright=140)
    lines = [f"{x} {y} {x + w} {y + h}" if corners else f"{x},{y},{w},{h}" for x, y, w, h in map(box_at, range(num - spare))]
    for truth in truths:
        write(root / name / truth, "\n".join(lines) + "\n")


def own(root: Path, num_sequences: int, num: int = 6) -> None:
    for number in range(num_sequences):
        for frame in range(num):
            save(root / f"clip{number:02d}" / "img" / f"{frame:04d}.jpg", frame)
        write(root / f"clip{number:02d}" / "groundtruth.txt", rows(num))
