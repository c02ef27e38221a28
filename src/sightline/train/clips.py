"""Tracks out of unlabelled clips: what moves by itself is followed by two trackers, there and back, and kept where all agree.

    python -m sightline.train.clips --clips CLIPS --fear FILE --vittrack FILE --output OUT

CLIPS holds video files and `index.jsonl` (`file`, `licence`, `modality`, perhaps `footage`); OUT becomes a data folder as
`sightline.train.pairs` reads it. Only clips under an open licence are used. Every tenth clip goes to the split "val".
"""

from __future__ import annotations

import json
import math
import tarfile
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline import zoo
from sightline.box import Box, iou
from sightline.errors import BadData, SightlineError, VideoError
from sightline.frame import Frame, read
from sightline.tracker import Tracker
from sightline.train.data.index import put
from sightline.train.program import program
from sightline.train.start import tracker_in
from sightline.weights import part_beside, remove_parts

__all__ = ["Follower", "Labels", "follow", "is_open", "label_clips", "moving_boxes"]

OPEN = ("Apache-2.0", "MIT", "BSD", "CC0", "CC BY 4.0")
MOTION = 3  # frames between the two pictures that are compared
LONGEST, SHORTEST = 60, 16  # frames of a track
LOOKS = 10  # moments of a clip at which something may move
PICTURES = 20  # of a track that are stored, about
CONTEXT, LONG_SIDE = 4.5, 288  # of a stored picture: side over sqrt(w h); pixels


class Follower(Protocol):
    """What labels a clip: a tracker that says how sure it is."""

    def init(self, frame: Frame, box: Box) -> None:
        """Mark the target."""

    def update(self, frame: Frame) -> tuple[Box, float]:
        """Where it is in the next frame, and how likely (0..1)."""


@dataclass(frozen=True, slots=True)
class Labels:
    """One object: its box in each frame from `start` on."""

    start: int
    boxes: tuple[Box, ...]


class _Joint:
    """A tracker of this package as a `Follower`."""

    def __init__(self, tracker: Tracker[Any]) -> None:
        self._tracker = tracker

    def init(self, frame: Frame, box: Box) -> None:
        self._tracker.init(frame, box)

    def update(self, frame: Frame) -> tuple[Box, float]:
        estimate = self._tracker.update(frame)
        return estimate.box, estimate.score


def is_open(entry: dict[str, Any]) -> bool:
    """Whether a clip may be learnt from and the result be published, by what its line of the index says."""
    return str(entry["licence"]).startswith(OPEN) and "DAVIS" not in str(entry.get("footage", ""))


def moving_boxes(first: Frame, second: Frame) -> list[Box]:
    """Up to three boxes of the first frame around what moves against the camera, the largest first.

    Dense optical flow; the camera is a homography fitted to it; what departs from that in one connected piece, neither tiny
    nor huge nor at the frame's edge, is an object.
    """
    flow = _flow(first, second)
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    at = np.stack([columns, rows], axis=-1)
    sparse = at[8::12, 8::12].reshape(-1, 2)
    cv2.setRNGSeed(0)
    camera, _ = cv2.findHomography(sparse, sparse + flow[8::12, 8::12].reshape(-1, 2), cv2.RANSAC, 2.0)
    if camera is None:
        return []
    still = cv2.perspectiveTransform(at.reshape(1, -1, 2), camera).reshape(height, width, 2) - at
    departs = np.linalg.norm(still - flow, axis=-1)
    mask = (departs > max(1.2, 0.6 * float(np.percentile(departs, 97)))).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    pieces = cv2.connectedComponentsWithStats(mask)[2][1:]
    found = [(area, Box(*map(float, box))) for *box, area in pieces.tolist() if _is_object(box, area, width, height)]
    return [box for _, box in sorted(found, reverse=True)[:3]]


def _flow(first: Frame, second: Frame) -> NDArray[np.float32]:
    """(H, W, 2) how each pixel moves, in pixels."""
    grey = [cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    flow: NDArray[np.float32] = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(grey[0], grey[1], None)  # type: ignore[call-overload]  # no start
    return flow


def _is_object(box: Sequence[int], area: int, width: int, height: int) -> bool:
    x, y, w, h = box
    inside = x >= 2 and y >= 2 and x + w <= width - 2 and y + h <= height - 2
    return inside and min(w, h) >= 12 and 200 <= w * h <= 0.25 * width * height and max(w / h, h / w) <= 4 and area >= 0.35 * w * h


def follow(frames: Sequence[Frame], start: int, box: Box, first: Follower, second: Follower) -> Labels | None:
    """Follow a box with both trackers as long as they agree and are sure, then back with the first.

    Returns:
        The mean of the way there and the way back, or None where it is short or the ways differ.
    """
    there = [box]
    first.init(frames[start], box)
    second.init(frames[start], box)
    for frame in frames[start + 1 : start + LONGEST + 1]:
        (a, sure_a), (b, sure_b) = first.update(frame), second.update(frame)
        if _overlap(a, b) < 0.55 or sure_a < 0.5 or sure_b < 0.35:
            break
        there.append(_mean(a, a, b))
    if len(there) < SHORTEST:
        return None
    back = [there[-1]]
    first.init(frames[start + len(there) - 1], there[-1])
    back += [first.update(frames[start + i])[0] for i in range(len(there) - 2, -1, -1)]
    back.reverse()
    overlaps = [_overlap(a, b) for a, b in zip(there, back, strict=True)]
    if overlaps[0] < 0.5 or np.mean(overlaps) < 0.65:
        return None
    return Labels(start, tuple(_mean(a, b) for a, b in zip(there, back, strict=True)))


def label_clip(frames: Sequence[Frame], first: Follower, second: Follower, looks: int = LOOKS) -> list[Labels]:
    """All tracks of a clip: objects that move at one of about so many moments, each followed once."""
    kept: list[Labels] = []
    for start in range(0, max(1, len(frames) - 25), max(60 // looks, len(frames) // looks)):
        for box in moving_boxes(frames[start], frames[min(start + MOTION, len(frames) - 1)]):
            if not any(_is_known(labels, start, box) for labels in kept):
                labels = follow(frames, start, box, first, second)
                kept += [labels] if labels else []
    return kept


def _is_known(labels: Labels, start: int, box: Box) -> bool:
    i = start - labels.start
    return 0 <= i < len(labels.boxes) and _overlap(labels.boxes[i], box) > 0.4


def label_clips(folder: Path, first: Follower, second: Follower, out: Path, looks: int = LOOKS) -> Generator[str, None, None]:
    """Label every open clip of a folder and write a data folder, which appears when it is whole; yields a line for each clip when it is done.

    What a killed run left half-written in it is taken away: nobody else may write there.

    Raises:
        BadData: `folder` holds no index, or `out` cannot be written.
    """
    entries = _entries(folder / "index.jsonl")
    parts = {name: part_beside(out / name) for name in ("clips.tar", "index.jsonl")}
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        remove_parts(out)
        with parts["clips.tar"].open("wb") as file, tarfile.open("clips.tar", "w", fileobj=file, format=tarfile.USTAR_FORMAT) as tar:
            lines: list[str] = []
            for number, entry in enumerate(entries):
                found, told = _labelled(folder, entry, first, second, looks)
                common = {"split": "val" if number % 10 == 9 else "train", "modality": str(entry.get("modality", "visible"))}
                for frames, labels in found:
                    lines += _store(tar, frames, labels, Path(entry["file"]).stem, common)
                yield f"{entry['file']}: {told}"
        parts["index.jsonl"].write_text("".join(lines), encoding="utf-8")
        for name, part in parts.items():
            part.replace(out / name)
    except OSError as error:
        if isinstance(error, SightlineError):
            raise
        raise BadData(f"cannot write {out} ({error.strerror or error}); choose another --output.") from error
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
        if is_new:
            with suppress(OSError):  # it is not empty: all went well
                out.rmdir()


def _entries(index: Path) -> list[dict[str, Any]]:
    try:
        entries: list[Any] = [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise BadData(f"cannot read {index} ({error}); give a folder of clips with its index.jsonl.") from error
    for number, entry in enumerate(entries, start=1):
        if not (isinstance(entry, dict) and {"file", "licence"} <= entry.keys()):
            raise BadData(f"{index}, line {number}: expected one JSON object with `file` and `licence` for each clip.")
    return entries


def _labelled(
    folder: Path, entry: dict[str, Any], first: Follower, second: Follower, looks: int
) -> tuple[list[tuple[list[Frame], Labels]], str]:
    """The tracks of a clip with its frames, and what is said of it."""
    if not is_open(entry):
        return [], "left out, its licence is not open"
    try:
        frames = list(read(folder / entry["file"]))
    except VideoError as error:
        return [], f"left out ({error})"
    found = [(frames, labels) for labels in label_clip(frames, first, second, looks)]
    return found, f"{len(found)} tracks"


def _store(tar: tarfile.TarFile, frames: Sequence[Frame], labels: Labels, clip: str, common: dict[str, str]) -> list[str]:
    """Put pictures of a track into the tar; their lines of the index."""
    lines = []
    track = f"clips/{clip}_{labels.start:03d}_{round(labels.boxes[0].x)}"
    for i in range(0, len(labels.boxes), max(1, len(labels.boxes) // PICTURES)):
        frame, box = frames[labels.start + i], labels.boxes[i]
        image, crop, scale = _surroundings(frame, box)
        x, y, *_ = crop
        line = {
            **put(tar, f"{track}_{i:03d}.jpg", image), "source": "clips", "kind": "video", "track": track, "frame": labels.start + i, **common,
            "box": [(box.x - x) * scale[0], (box.y - y) * scale[1], box.w * scale[0], box.h * scale[1]],
            "crop": crop, "frame_size": [frame.width, frame.height],
        }  # fmt: skip
        lines.append(json.dumps(line) + "\n")
    return lines


def _surroundings(frame: Frame, box: Box) -> tuple[NDArray[np.uint8], list[int], tuple[float, float]]:
    """The picture around a box, which part of the frame it is (x, y, w, h), and its scale across and down."""
    side = max(CONTEXT * math.sqrt(box.w * box.h), 1.25 * max(box.w, box.h), 32.0)
    cx, cy = box.centre
    left, top = max(0, round(cx - side / 2)), max(0, round(cy - side / 2))
    right, bottom = min(frame.width, round(cx + side / 2)), min(frame.height, round(cy + side / 2))
    image = np.ascontiguousarray(frame.image[top:bottom, left:right])
    shrink = min(1.0, LONG_SIDE / max(image.shape[:2]))
    if shrink < 1:
        size = (round(image.shape[1] * shrink), round(image.shape[0] * shrink))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]  # uint8 in, uint8 out
    scale = (image.shape[1] / (right - left), image.shape[0] / (bottom - top))
    return image, [left, top, right - left, bottom - top], scale


def _mean(*several: Box) -> Box:
    return Box(*(sum(values) / len(several) for values in zip(*several, strict=True)))


def _overlap(a: Box, b: Box) -> float:
    return float(iou(np.array(a), np.array(b)))


def main(clips: Path, *, fear: Path, vittrack: Path, output: Path, looks: int = LOOKS) -> None:
    """Label the clips of a folder.

    Args:
        clips: folder of video files with its index.jsonl.
        fear: the published FEAR-XS, as `sightline convert` reads it: one of its two graphs, the other beside it; or what `sightline export`
            made of it, as "fear-xs-smooth".
        vittrack: the published VitTrack graph, likewise.
        output: data folder to write.
        looks: moments of each clip at which moving objects are looked for; more of them find more.
    """
    import sys

    import torch

    torch.set_num_threads(1)
    first, second = (_Joint(tracker_in(path, zoo.find(name))) for path, name in ((fear, "fear-xs-smooth"), (vittrack, "vittrack-nano")))
    with closing(label_clips(clips, first, second, output, looks)) as lines:
        for line in lines:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    program(main)
