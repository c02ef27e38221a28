"""Results of others: boxes from an .npz file, or raw results in a folder or zip, in any layout that the toolkits know."""

from __future__ import annotations

import csv
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.annotation import words_of
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.region_files import box_around
from sightline.evaluate.results import Maker, read_bytes, rows_to_text, sha256, to_json, write_result
from sightline.weights import write_whole

__all__ = ["import_boxes"]

Floats = NDArray[np.float64]

BESIDE = re.compile(r"_(time|times|score|scores|confidence|object_presence_scores)(\.\w+)?$")  # files that hold no boxes
SUFFIXES = (".txt", ".csv")


def import_boxes(source: Path, dataset: Dataset, folder: Path, *, tracker: str, stamp: Callable[[str, str], Mapping[str, str]]) -> Maker:
    """Take over boxes that something else has made; they are scored as they are.

    Args:
        source: in the coordinates of the data set's files: an .npz file with one (T, 4) array `<tracker>/<sequence>` for each sequence; or a
            folder or .zip with a text file for each sequence, see `docs/how-to/evaluate.md`.
        dataset: what was tracked.
        folder: for the results.
        tracker: first part of the arrays' names; of files of several trackers, the folder that holds those of one.
        stamp: of the protocol by which they were made, `protocols.Protocol.stamp`.

    Returns:
        Whose facts say what was read, and what was done to it (`read_as`).

    Raises:
        BadData: nothing of that tracker is there, or something is no box.
        WeightsMissing: a file cannot be written.
    """
    is_files = source.is_dir() or source.suffix == ".zip"
    found = _from_files(source, dataset, tracker) if is_files else _from_arrays(source, dataset, tracker)
    maker = Maker(tracker, {"imported": source.name, "sha256": found.digest, "read_as": list(found.notes)})
    for clip in dataset:
        if clip.name in found.boxes:
            text = rows_to_text(found.boxes[clip.name])
            write_result(clip, folder, {f"{clip.name}.txt": text}, stamp=stamp(maker.digest(), clip.digest()))
    write_whole({folder / "run.json": to_json({"tracker": tracker, "tracker_hash": maker.digest(), **maker.facts})})
    return maker


@dataclass(frozen=True, slots=True)
class _Found:
    """Boxes (T, 4) by sequence, the SHA-256 of what they were read from, and what was done to them."""

    boxes: Mapping[str, Floats]
    digest: str
    notes: tuple[str, ...] = ()


def _from_arrays(file: Path, dataset: Dataset, tracker: str) -> _Found:
    prefix = f"{tracker}/"
    digest = sha256(read_bytes(file))
    try:
        with np.load(file, allow_pickle=False) as arrays:
            boxes = {name.removeprefix(prefix): np.asarray(arrays[name], np.float64) for name in arrays.files if name.startswith(prefix)}
            others = sorted({name.partition("/")[0] for name in arrays.files})
    except (OSError, ValueError, AttributeError) as error:
        raise BadData(
            f"{file} is not an .npz file of boxes ({error}); expected arrays named TRACKER/SEQUENCE, or a folder or .zip of text files."
        ) from error
    if not boxes:
        raise BadData(
            f"{file} has no array of the tracker {tracker!r}; it has {', '.join(others) or 'none at all'}. Name one by --tracker."
        )
    unknown = sorted(set(boxes) - {clip.name for clip in dataset} - set(dataset.missing))
    if unknown:
        raise BadData(f"{file} has boxes of {unknown[0]!r}, which is no sequence of {dataset.name}; {len(unknown)} in all.")
    for name, rows in boxes.items():
        if rows.ndim != 2 or rows.shape[1] != 4:
            raise BadData(f"{file}: {prefix}{name} is {rows.shape}; expected (frames, 4).")
    return _Found(boxes, digest)


def _from_files(source: Path, dataset: Dataset, tracker: str) -> _Found:
    contents = _zipped(source) if source.suffix == ".zip" else _unpacked(source)
    chosen = _chosen([path for path in contents if path.suffix in SUFFIXES and not BESIDE.search(path.stem)], dataset, source, tracker)
    boxes: dict[str, Floats] = {}
    notes: Counter[str] = Counter()
    read: dict[str, str] = {}
    for clip in dataset:
        if clip.name in chosen:
            path = chosen[clip.name]
            data = contents[path]()
            read[path.as_posix()] = sha256(data)
            boxes[clip.name] = _fitted(_rows(data, f"{source}/{path}", clip, notes), clip, notes)
    return _Found(
        boxes, sha256(to_json(read)), tuple(f"{note}: {count} of {len(boxes)} sequences" for note, count in sorted(notes.items()))
    )


def _unpacked(folder: Path) -> dict[PurePosixPath, Callable[[], bytes]]:
    def reader(path: Path) -> Callable[[], bytes]:
        return lambda: read_bytes(path)

    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {PurePosixPath(path.relative_to(folder).as_posix()): reader(path) for path in files}


def _zipped(file: Path) -> dict[PurePosixPath, Callable[[], bytes]]:
    try:
        archive = zipfile.ZipFile(file)
    except (OSError, zipfile.BadZipFile) as error:
        raise BadData(f"{file} is not a zip of results ({error}).") from error

    def reader(name: str) -> Callable[[], bytes]:
        return lambda: archive.read(name)

    return {PurePosixPath(name): reader(name) for name in archive.namelist() if not name.endswith("/")}


def _chosen(paths: Iterable[PurePosixPath], dataset: Dataset, source: Path, tracker: str) -> dict[str, PurePosixPath]:
    """The file of each sequence that has one."""
    by_stem: dict[str, list[PurePosixPath]] = {}
    for path in paths:
        by_stem.setdefault(path.stem, []).append(path)
    names = [*(clip.name for clip in dataset), *dataset.missing]
    before = Counter(
        stem[: -len(name)] for name in names for stem in by_stem if stem.endswith(name)
    )  # results of some toolkits begin with the tracker's or the data set's name
    prefixes = ["", *(prefix for prefix, count in before.most_common(1) if prefix and count > len(by_stem) // 2)]
    chosen = {}
    for name in names:
        stem = next((stem for stem in _spellings(name, prefixes) if stem in by_stem), None)
        if stem is not None:
            chosen[name] = _of_tracker(by_stem[stem], source, tracker)
    if not chosen:
        raise BadData(f"{source} has no results of {dataset.name}; expected files such as {names[0]}.txt, in any folder of it.")
    return chosen


def _spellings(name: str, prefixes: Iterable[str]) -> Iterable[str]:
    """What the file of a sequence may be called: `Jogging_1` is Jogging-1 or Jogging.1 elsewhere; the GOT-10k toolkit counts its runs."""
    targets = [name, *(re.sub(r"_(\d)$", rf"{between}\1", name) for between in "-.")]
    return (f"{prefix}{target}{run}" for prefix in prefixes for target in targets for run in ("", "_001"))


def _of_tracker(paths: list[PurePosixPath], source: Path, tracker: str) -> PurePosixPath:
    """One file of several that have the same name: that below the tracker's folder."""
    own = [path for path in paths if tracker in path.parts] if len(paths) > 1 else paths
    if len(own) != 1:
        folders = ", ".join(str(path.parent) for path in paths[:4])
        raise BadData(
            f"{source} has {len(paths)} files {paths[0].name} ({folders}, ...); give the folder of one tracker and run, or its name by --tracker."
        )
    return own[0]


def _rows(data: bytes, where: str, clip: Clip, notes: Counter[str]) -> Floats:
    """(N, 4) of a text file whose lines are boxes, polygons, or a box for each camera; the first may be a code."""
    try:
        lines = data.decode("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise BadData(f"{where} is no text ({error}).") from error
    if lines and set("xywh") <= set(words_of(lines[0])):
        notes["a table with a header; its boxes count whatever their status"] += 1
        return _titled(lines, where)
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(np.array([float(word) for word in words_of(line)], np.float64))
            known = rows[-1].size in (4, 8) or rows[-1].size == number == 1
        except ValueError:
            known = False
        if not known:
            raise BadData(
                f"{where}:{number}: {line.strip()[:60]!r} is no box; expected 4 numbers, or 8: corners, or a box for each camera."
            )
    if rows and rows[0].size == 1:
        notes["the first line is a code, and stands for the given box"] += 1
        rows[0] = clip.rows[0]
    if not any(row.size == 8 for row in rows):
        return np.array(rows).reshape(-1, 4)
    if any(_is_polygon(row) for row in rows) or not (clip.extra or clip.extra_rows is not None):
        notes["polygons, by the boxes around them"] += 1
        return np.array([box_around(row) for row in rows])
    notes["a box for each camera, of which the first counts"] += 1
    return np.array([row[:4] for row in rows])


def _titled(lines: Sequence[str], where: str) -> Floats:
    """(N, 4) of what `sightline track --results` writes as .csv: boxes at the numbers of their frames, NaN where one has no row."""
    boxes: dict[int, list[float]] = {}
    for number, row in enumerate(csv.DictReader(lines), start=2):
        try:
            frame, box = int(row.get("frame") or len(boxes)), [float(row[column]) for column in "xywh"]
        except (TypeError, ValueError):
            raise BadData(
                f"{where}:{number}: {lines[number - 1].strip()[:60]!r} is no row of a track; expected its first line's columns."
            ) from None
        if frame in boxes:
            raise BadData(f"{where}:{number}: a second box of frame {frame}; expected the track of one target, from its first frame on.")
        boxes[frame] = box
    rows = np.full((max(boxes, default=-1) + 1, 4), np.nan)
    for frame, box in boxes.items():
        rows[frame] = box
    return rows


def _is_polygon(row: Floats) -> bool:
    """Whether eight numbers are the corners of an upright rectangle, in turn."""
    x, y = row[0::2], row[1::2]
    return row.size == 8 and bool(x[0] == x[3] != x[1] == x[2] and y[0] == y[1] != y[2] == y[3])


def _fitted(rows: Floats, clip: Clip, notes: Counter[str]) -> Floats:
    """Rows of a whole result: without the first frame it gets the given box; with frames that the data set leaves out it is cut."""
    if len(rows) == len(clip.frames) - 1:
        notes["without the first frame, which has the given box"] += 1
        return np.concatenate([clip.rows[:1], rows])
    if clip.dropped and len(rows) == len(clip.frames) + clip.dropped:
        notes["cut to the frames that are annotated"] += 1
        return rows[: len(clip.frames)]
    return rows
