"""Render every picture of the README and the docs into docs/images: `python docs/pictures.py [--tracker NAME]`.

All of them come from the scene renderer, and every box that they show was found by a tracker. The picture of a report is taken in
Chromium (Debian's package `chromium`); where there is none it stays as it is.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray

import sightline
from sightline.box import iou
from sightline.builtin import DEFAULT
from sightline.draw import draw
from sightline.evaluate.clips import open_dataset
from sightline.evaluate.imported import import_boxes
from sightline.evaluate.protocols import ONE_PASS
from sightline.evaluate.report.compare import compare, result_folders
from sightline.evaluate.report.write import write_report
from sightline.evaluate.results import make_folder
from sightline.scene import KINDS, Scene, SceneFrame, render

Picture: TypeAlias = NDArray[Any]  # (H, W, 3) uint8 RGB

IMAGES = Path(__file__).parent / "images"
STRIDE = 6  # the frame in which people stand with their feet furthest apart
GAP = 6  # white pixels between the parts of a picture

HERO = Scene(seed=3, target="car", size=(640, 360), num_frames=150)
REPORT = {
    "car-passing": Scene(seed=3, target="car", size=(480, 270), num_frames=120),
    "drone": Scene(seed=8, target="drone", size=(480, 270), num_frames=120, occlusion=0, motion=0.8),
    "person-among-others": Scene(seed=11, target="person", size=(480, 270), num_frames=120, distractors=4),
    "person-at-night": Scene(seed=5, target="person", size=(480, 270), num_frames=120, look="thermal"),
    "leaves-and-returns": Scene(seed=4, target="car", size=(480, 270), num_frames=150, absent=0.15),
}
PAIR = Scene(seed=11, target="person", size=(640, 360), num_frames=90, look="pair")


def main(tracker: str = DEFAULT) -> None:
    """Render all pictures.

    Args:
        tracker: a name from `sightline zoo`, or a weights file.
    """
    save("hero.png", grid(tracked(HERO, tracker, (0, 50, 100, 149)), columns=2))
    pair = next(render(PAIR, [STRIDE]))
    save("pair.png", grid([pair.frame.image, np.asarray(pair.frame.extra)], columns=2))
    save("scenes.png", grid([portrait(Scene(seed=seed, target=kind, occlusion=0)) for seed, kind in enumerate(KINDS, 11)], columns=5))
    save_report(tracker)


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


def save_report(tracker: str) -> None:
    """The page of `sightline report` about a tracker, OpenCV's MIL and a box that stays where it was."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("report.png: left as it is, there is no chromium here")
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as started:
        page_file = report_page(Path(name), tracker)
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 1500})
        page.goto(page_file.as_uri())
        page.click("#clips button:has-text('car-passing')")
        page.evaluate("show(70)")
        page.wait_for_function("document.getElementById('view').dataset.shown === 'car-passing:70'")
        picture = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        browser.close()
    assert picture is not None
    save("report.png", cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))


def report_page(folder: Path, tracker: str) -> Path:
    """Sequences, results and report in a folder; its page."""
    boxes = {}
    for name, scene in REPORT.items():
        shots = list(render(scene))
        write_sequence(folder / "data" / name, scene, shots)
        steps = sightline.follow((shot.frame for shot in shots), box=shots[0].box, tracker=tracker)
        boxes[f"{tracker}/{name}"] = np.array([step.estimate.box for step in steps])
        boxes[f"opencv-MIL/{name}"] = boxes_of_mil(shots)
        boxes[f"first-box/{name}"] = np.tile(shots[0].box, (len(shots), 1))
    np.savez(folder / "boxes.npz", **boxes)  # type: ignore[arg-type]  # names are arrays', not the option's
    data = open_dataset("folder", folder / "data")
    for label in (tracker, "opencv-MIL", "first-box"):
        import_boxes(folder / "boxes.npz", data, make_folder(folder / "results", data, label), tracker=label, stamp=ONE_PASS.stamp)
    comparison = compare(data, result_folders([folder / "results" / "folder"]))
    return write_report(comparison, folder / "report")[0]


def write_sequence(folder: Path, scene: Scene, shots: Sequence[SceneFrame]) -> None:
    """Images and truth as `sightline eval --dataset folder` reads them, and what is difficult about the scene."""
    (folder / "img").mkdir(parents=True)
    for shot in shots:
        image = cv2.cvtColor(shot.frame.image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / "img" / f"{shot.frame.index + 1:06d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    rows = [",".join(f"{value:.3f}" for value in (shot.box if shot.visible else [np.nan] * 4)) for shot in shots]
    (folder / "groundtruth.txt").write_text("\n".join(rows) + "\n")
    knobs = {"occlusion": scene.occlusion, "look-alikes": scene.distractors, "light": scene.light, "absent": scene.absent}
    named = [name for name, value in knobs.items() if value] + [scene.target]
    (folder / "meta.json").write_text(json.dumps({"attributes": named}))


def boxes_of_mil(shots: Sequence[SceneFrame]) -> NDArray[np.float64]:
    """What OpenCV's TrackerMIL finds, which takes whole pixels; where it finds nothing the box stays."""
    cv2.setRNGSeed(1)  # it draws at random
    tracker = cv2.TrackerMIL.create()
    boxes = [tuple(round(value) for value in shots[0].box)]
    tracker.init(cv2.cvtColor(shots[0].frame.image, cv2.COLOR_RGB2BGR), boxes[0])
    for shot in shots[1:]:
        found, box = tracker.update(cv2.cvtColor(shot.frame.image, cv2.COLOR_RGB2BGR))
        boxes.append(tuple(box) if found else boxes[-1])
    return np.array(boxes, np.float64)


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
