"""Videos without labels, for pre-training: squares stand for objects, and stay where they are for up to a second.

A folder of video files, or one whose `index.jsonl` has a line with `file` for each (and perhaps `modality`). Every video is decoded once,
into a folder with an index and a tar file as `index.py` reads it, in the cache folder of `sightline.weights`. What lies there depends on
the videos alone, so that samples are the same for the same seed, whoever makes them.
"""

from __future__ import annotations

import gc
import hashlib
import json
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sightline.box import iou
from sightline.errors import BadData, VideoError
from sightline.frame import read
from sightline.frame.images import natural_order
from sightline.train.data.index import put, read_tracks
from sightline.train.data.problems import Problems
from sightline.train.data.track import Image, Track, held_out
from sightline.weights import cache_folder

__all__ = ["is_unlabelled", "read_unlabelled", "squares_in"]

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ogv", ".wmv", ".flv", ".3gp", ".ts")
EVERY = 5  # frames from one stored picture to the next
PICTURES = 6  # of a track, at most
LONG_SIDE = 480  # pixels of a stored picture, at most
CUT = 40.0  # mean difference of grey values between two stored pictures: another shot begins
SQUARES = 4  # of each kind in a picture
CANDIDATES = 32  # from which salient ones are chosen
LEAST, MOST = 1 / 10, 1 / 4  # sides, over the shorter side of the picture: four of them around a square still lie in it
VERSION = 1  # of what is stored


def is_unlabelled(folder: Path) -> bool:
    """Whether a folder holds videos without labels: what its index says, or where there is none, whether there are video files."""
    index = folder / "index.jsonl"
    if not index.is_file():
        return folder.is_dir() and bool(_videos(folder))
    with index.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    return '"file"' in first and '"shard"' not in first


def read_unlabelled(folder: Path, split: str, problems: Problems) -> list[Track]:
    """The tracks of a split: of one square each, of the sources `<folder>:salient`, where something is seen or moves, and `<folder>:random`.

    Every tenth video is the split "val", as of other data.

    Raises:
        BadData: nothing can be read; the index names no files; with `Problems.on_bad` "stop", a video that cannot be read.
    """
    entries = _entries(folder)
    kept = cache_folder() / "clips" / f"{folder.resolve().name}-{_digest(folder, entries)}"
    if not kept.is_dir():
        try:
            _store(folder, entries, kept)
        except OSError as error:
            raise BadData(
                f"cannot write {kept.parent} ({error.strerror}), where the pictures of {folder} are kept; let $SIGHTLINE_CACHE name another folder."
            ) from error
        finally:
            gc.collect()  # frames of PyAV are cycles, and convert by threads: a forked worker that found them would wait for these for ever
    for name, why in json.loads((kept / "problems.json").read_text(encoding="utf-8")).items():
        problems.add(name, why)
    return read_tracks(kept, split)


def squares_in(pictures: Sequence[Image], rng: Generator) -> dict[str, NDArray[np.float64]]:
    """Squares of a track's pictures, by kind, (`SQUARES`, 4) as x, y, w, h: `random`, and `salient` ones with much texture or motion.

    Args:
        pictures: of a track, (H, W, 3) each.
        rng: of the draws.
    """
    height, width = pictures[0].shape[:2]
    sides = min(height, width) * np.exp(rng.uniform(np.log(LEAST), np.log(MOST), CANDIDATES))
    corners = rng.random((CANDIDATES, 2)) * (np.array([width, height]) - sides[:, np.newaxis])
    squares = np.column_stack([corners, sides, sides]).round()
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in pictures]
    texture = cv2.magnitude(*(cv2.Sobel(grey[0], cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1))))
    total = cv2.integral(texture + np.abs(grey[-1] - grey[0]))
    x, y, side, _ = squares.astype(int).T
    energy = (total[y + side, x + side] - total[y, x + side] - total[y + side, x] + total[y, x]) / side**2
    best = squares[np.argsort(-energy, kind="stable")]
    chosen: list[NDArray[np.float64]] = []
    for square in best:
        if len(chosen) < SQUARES and all(iou(square, other) < 0.3 for other in chosen):
            chosen.append(square)
    return {"salient": np.array(chosen), "random": squares[:SQUARES]}


class _Window(NamedTuple):
    """Pictures of one shot, one after another, and the numbers of their frames."""

    pictures: list[Image]
    frames: list[int]


def _store(folder: Path, entries: Sequence[dict[str, Any]], kept: Path) -> None:
    """Decode all videos into the folder `kept`, which appears when it is whole."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    broken: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=kept.parent) as made:
        part = Path(made) / "part"
        part.mkdir()
        with tarfile.open(part / "clips.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            groups = []
            for number, entry in enumerate(entries):
                try:
                    found = [_lines(tar, window, number, entry, folder) for window in _windows(folder / str(entry["file"]))]
                except (VideoError, BadData) as error:
                    broken[f"{folder.name}/{entry['file']}"] = str(error)
                    continue
                if not found:
                    broken[f"{folder.name}/{entry['file']}"] = f"it has less than {EVERY + 1} frames of one shot"
                groups += [found] if found else []
        groups = groups if len(groups) > 1 else [[lines] for group in groups for lines in group]  # of one video, windows
        if not groups:
            raise BadData(f"{folder} holds no video that can be read ({next(iter(broken.values()), 'it is empty')}).")
        held = held_out(len(groups))
        with (part / "index.jsonl").open("w", encoding="utf-8") as index:
            for number, group in enumerate(groups):
                for split in ("train", "val") if len(groups) == 1 else ("val" if number in held else "train",):
                    index.writelines(json.dumps({**line, "split": split}) + "\n" for lines in group for line in lines)
        (part / "problems.json").write_text(json.dumps(broken), encoding="utf-8")
        try:
            part.rename(kept)
        except OSError:
            if not kept.is_dir():  # else another process was faster
                raise


def _lines(tar: tarfile.TarFile, window: _Window, number: int, entry: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Put a window's pictures into the tar file; the lines of the index for all squares in them."""
    height, width = window.pictures[0].shape[:2]
    stored = [put(tar, f"{number:06d}_{frame:07d}.jpg", image) for image, frame in zip(window.pictures, window.frames, strict=True)]
    rng = np.random.default_rng((zlib.crc32(str(entry["file"]).encode()), window.frames[0]))
    common = {"kind": "video", "modality": entry.get("modality", "visible"), "crop": [0, 0, width, height], "frame_size": [width, height]}
    return [
        {
            **place, **common, "source": f"{folder.resolve().name}:{kind}", "track": f"{entry['file']}_{window.frames[0]}_{i}",
            "frame": frame, "box": square.tolist(),
        }
        for kind, squares in squares_in(window.pictures, rng).items()
        for i, square in enumerate(squares)
        for place, frame in zip(stored, window.frames, strict=True)
    ]  # fmt: skip


def _windows(path: Path) -> Iterator[_Window]:
    """Every `EVERY`th picture of a video, made smaller, by shots and at most `PICTURES` together; single ones are left out."""
    window = _Window([], [])
    with read(path) as frames:
        for frame in frames:
            if frame.index % EVERY:
                continue
            image = _small(frame.image)
            if len(window.pictures) == PICTURES or (window.pictures and _is_cut(window.pictures[-1], image)):
                if len(window.pictures) > 1:
                    yield window
                window = _Window([], [])
            window.pictures.append(image)
            window.frames.append(frame.index)
    if len(window.pictures) > 1:
        yield window


def _small(image: Image) -> Image:
    shrink = min(1.0, LONG_SIDE / max(image.shape[:2]))
    size = (max(16, round(image.shape[1] * shrink)), max(16, round(image.shape[0] * shrink)))
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA) if shrink < 1 else image, np.uint8)


def _is_cut(before: Image, after: Image) -> bool:
    if before.shape != after.shape:
        return True
    first, second = (
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 18), interpolation=cv2.INTER_AREA) for image in (before, after)
    )
    return float(np.abs(first.astype(np.float32) - second).mean()) > CUT


def _videos(folder: Path) -> list[Path]:
    return natural_order(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def _entries(folder: Path) -> list[dict[str, Any]]:
    """A line for each video: `file`, and what else the index says."""
    index = folder / "index.jsonl"
    if not index.is_file():
        return [{"file": path.name} for path in _videos(folder)]
    entries = []
    for number, line in enumerate(index.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            entry = json.loads(line)
            entries.append({"file": str(entry["file"]), "modality": str(entry.get("modality", "visible"))})
        except (ValueError, KeyError, TypeError) as error:
            raise BadData(f"{index}, line {number}: {error!r}; expected one JSON object with `file` for each video.") from error
    return entries


def _digest(folder: Path, entries: Sequence[dict[str, Any]]) -> str:
    """Tells what is to be stored from all else: another video, other numbers, another folder of videos."""
    files = [(folder / str(entry["file"])) for entry in entries]
    states = [[path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else None for path in files]
    numbers = (VERSION, EVERY, PICTURES, LONG_SIDE, CUT, SQUARES, CANDIDATES, LEAST, MOST)
    return hashlib.sha256(json.dumps([entries, states, numbers]).encode()).hexdigest()[:16]
