"""Data sets as sequences of clips: images in order, boxes, and where the target is seen."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from sightline.box import xywh_from_xyxy
from sightline.errors import BadData
from sightline.evaluate.layouts import LAYOUTS, Flag, Layout, Part
from sightline.evaluate.regions import Region
from sightline.frame.images import SUFFIXES, natural_order

__all__ = ["Clip", "Dataset", "boxes_from_file", "open_dataset"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One sequence.

    Attributes:
        name: of the sequence, unique in its data set.
        frames: paths of its T images, in order.
        truth: (T, 4) float64 boxes x, y, w, h in pixels, origin 0; NaN where the file has no box (NaN, or no area).
        rows: (T, 4) float64, the same as the data set's files have it: their origin, their way of writing that there is no box.
        visible: (T,) bool; False without a box, and where the data set's flags say that the target is not seen.
        attributes: what the data set says of the sequence.
        dropped: images without a row of the annotation, or rows without an image, at the end.
        anchors: (T,) int8, 1 where the data set begins a run forward, -1 backward, 0 elsewhere; None where it names no such frames.
        regions: T regions of `regions`, pixels from 0, a code where there is none; None where the truth is boxes and nothing else.
    """

    name: str
    frames: tuple[str, ...]
    truth: Floats
    rows: Floats
    visible: NDArray[np.bool_]
    attributes: frozenset[str] = frozenset()
    dropped: int = 0
    anchors: NDArray[np.int8] | None = None
    regions: tuple[Region, ...] | None = None

    def digest(self) -> str:
        """SHA-256 of boxes, regions, visibility, anchors, and the name and size in bytes of every image (their pixels are not read).

        Raises:
            BadData: an image is gone.
        """
        content = hashlib.sha256(self.truth.tobytes() + self.visible.tobytes())
        for array in (*(self.regions or ()), *(() if self.anchors is None else (self.anchors,))):
            content.update(array.tobytes())
        for frame in self.frames:
            try:
                size = os.stat(frame).st_size  # noqa: PTH116  no Path for each of a million images
            except OSError as error:
                raise BadData(f"{frame} cannot be read ({error.strerror}); restore it, or the whole sequence {self.name}.") from error
            content.update(f"{os.path.basename(frame)} {size}\n".encode())  # noqa: PTH119
        return content.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Dataset(Sequence[Clip]):
    """Clips of one data set.

    Attributes:
        name: key of `layouts.LAYOUTS`.
        clips: those that are whole, in the data set's order.
        missing: sequences that the data set has and this copy of it has not, with what is missing.
        origin: coordinate of the first pixel in its files; result files follow it.
        scored: all boxes are public, so results can be scored.
        protocol: how it is run, unless the user says otherwise: a name of `protocols.PROTOCOLS`.
        rules: by which results of that protocol are scored, unless the user says otherwise.
    """

    name: str
    clips: tuple[Clip, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    origin: int = 0
    scored: bool = True
    protocol: str = "one-pass"
    rules: str = "sightline"

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Clip]: ...
    def __getitem__(self, index: int | slice) -> Clip | Sequence[Clip]:
        return self.clips[index]

    def __len__(self) -> int:
        return len(self.clips)


def open_dataset(name: str, root: Path, *, broken: Callable[[str, str], None] | None = None) -> Dataset:
    """List a data set's sequences and read its boxes; images are only listed.

    Args:
        name: key of `layouts.LAYOUTS`, in any case; ":test" may be written where that is the default.
        root: the folder that the data set was unpacked to.
        broken: told the name of a sequence whose files are wrong, and why; it is left out. None: that is an error.

    Raises:
        BadData: no such data set; nothing of it under `root`; a file is wrong (the message names file and line).
    """
    key = name.lower().removesuffix(":test") if name.lower() not in LAYOUTS else name.lower()
    if key not in LAYOUTS:
        raise BadData(f"there is no data set called {name!r}; known are {', '.join(LAYOUTS)}.")
    if not root.is_dir():
        raise BadData(f"the folder {root} does not exist; expected the root of {key}.")
    layout = LAYOUTS[key]
    base = next((folder for folder in (root / prefix for prefix in layout.prefixes) if _has_any(layout, folder)), None)
    if base is None:
        expected = (
            root / layout.prefixes[0] / _fill(layout.truth, {"group": "*", "name": "*", "folder": "*", "file": layout.file or "*.txt"})
        )
        raise BadData(f"{root} holds no sequence of {key}; expected files such as {expected}.")
    clips, missing = [], {}
    for fields in _sequences(layout, base):
        lacking = _lacking(layout, base, fields)
        if lacking is not None:
            missing[fields["name"]] = lacking
            continue
        try:
            clips.append(_read(layout, base, fields))
        except BadData as error:
            if broken is None:
                raise
            broken(fields["name"], str(error))
    scored = layout.labelled == "all"
    return Dataset(key, tuple(clips), missing, origin=layout.origin, scored=scored, protocol=layout.protocol, rules=layout.rules)


def boxes_from_file(path: Path) -> Floats:
    """(T, 4) boxes of a text file, one row of four numbers each, in any of the usual delimiters.

    Raises:
        BadData: the file cannot be read, or a line is not four numbers.
    """
    return _rows(path, (0, 1, 2, 3), exact=True)


def _sequences(layout: Layout, base: Path) -> Iterator[dict[str, str]]:
    """What the braces of a layout stand for, sequence by sequence."""
    if layout.names:
        for name in layout.names:
            part = layout.parts.get(name)
            yield {
                "name": name,
                "group": name.rpartition("-")[0],
                "folder": part.folder if part else name,
                "file": part.file if part else layout.file,
            }
        return
    found = {fields["name"]: fields for pattern in (layout.images, layout.truth) for fields in _found(pattern, base)}
    for path in natural_order(Path(name) for name in found):
        if path.name not in layout.without:
            yield found[path.name]


def _found(pattern: str, base: Path) -> Iterator[dict[str, str]]:
    regex = re.compile(_named(pattern))
    for path in base.glob(_fill(pattern, {"name": "*", "group": "*"})):
        matched = regex.fullmatch(path.relative_to(base).as_posix())
        if matched and not matched["name"].startswith("."):
            yield {"group": "", "folder": "", "file": "", **matched.groupdict()}


def _named(pattern: str) -> str:
    """A pattern as a regular expression; what is named twice has to be equal."""
    parts, seen = [], set()
    for text, name in re.findall(r"([^{}]+)|\{(\w+)\}", pattern):
        parts.append(re.escape(text) if text else f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+)")
        seen.add(name)
    return "".join(parts)


def _fill(pattern: str, fields: Mapping[str, str]) -> str:
    return pattern.format(**fields)


def _has_any(layout: Layout, base: Path) -> bool:
    return base.is_dir() and any((base / _fill(layout.truth, fields)).is_file() for fields in _sequences(layout, base))


def _lacking(layout: Layout, base: Path, fields: Mapping[str, str]) -> str | None:
    truth, images = base / _fill(layout.truth, fields), base / _fill(layout.images, fields)
    if not truth.is_file():
        return f"no {truth.relative_to(base)}"
    if not images.is_dir():
        return f"no folder {images.relative_to(base)}"
    return None


def _read(layout: Layout, base: Path, fields: Mapping[str, str]) -> Clip:
    name, part = fields["name"], layout.parts.get(fields["name"])
    folder, path = base / _fill(layout.images, fields), base / _fill(layout.truth, fields)
    frames = _images(folder, part)
    rows = _rows(path, layout.columns)[:: layout.every]
    if part is not None:
        frames, rows = frames[part.omit :], rows[part.omit :]
    if layout.labelled == "first":
        rows = np.concatenate([rows[:1], np.full((max(len(frames) - 1, 0), 4), np.nan)])
    length = min(len(frames), len(rows))
    spare = len(frames) - len(rows)
    if length == 0 or not -layout.spare_rows <= spare <= layout.spare_images:
        raise BadData(f"{path} has rows for {len(rows)} frames, and {folder} {len(frames)} images for them; expected as many of both.")
    if layout.corners:
        rows = xywh_from_xyxy(rows).astype(np.float64)
    has_box = np.array([bool(np.isfinite(row).all() and (row[2:] > 0).all()) for row in rows], bool)
    truth = np.where(has_box[:, np.newaxis], rows - np.array([layout.origin, layout.origin, 0, 0]), np.nan)[:length]
    seen = has_box[:length]
    for flag in layout.flags:
        seen = seen & ~_absent(base / _fill(flag.file, fields), flag, part, length)
    anchors = _anchors(base / _fill(layout.anchors, fields), length) if layout.anchors else None
    return Clip(name, tuple(frames[:length]), truth, rows[:length], seen, _attributes(path.parent), dropped=abs(spare), anchors=anchors)


def _images(folder: Path, part: Part | None) -> list[str]:
    paths = natural_order(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    if part is None:
        return [str(path) for path in paths]
    numbers = [re.search(r"(\d+)$", path.stem) for path in paths]
    return [str(path) for path, number in zip(paths, numbers, strict=True) if number and part.first <= int(number[1]) <= part.last]


def _rows(path: Path, columns: Sequence[int], *, exact: bool = False) -> Floats:
    """(N, 4) the numbers in `columns`; empty lines at the end are no rows."""
    rows = []
    for number, line in enumerate(_text(path).rstrip().splitlines(), start=1):
        words = [word for word in re.split(r"[,;\s]+", line) if word]
        try:
            row = [float(words[column]) for column in columns]
        except (ValueError, IndexError):
            row = []
        if not row or (exact and len(words) != len(columns)) or any(math.isinf(value) for value in row):
            raise BadData(
                f"{path}:{number}: {line.strip()!r} is not a box; expected {max(columns) + 1} numbers or more, or NaN, as the others."
            )
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, 4)


def _anchors(path: Path, length: int) -> NDArray[np.int8] | None:
    """(length,) signs of the numbers in a file; frames that it does not reach are none. None without a file."""
    if not path.is_file():
        return None
    values = np.sign(_numbers(path)[:length]).astype(np.int8)
    return np.pad(values, (0, length - len(values)))


def _numbers(path: Path) -> list[float]:
    """All numbers of a file, row by row."""
    values = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        try:
            values += [float(word) for word in re.split(r"[,;\s]+", line) if word]
        except ValueError:
            raise BadData(f"{path}:{number}: {line.strip()[:40]!r} is not a row of numbers; expected one per frame.") from None
    return values


def _absent(path: Path, flag: Flag, part: Part | None, length: int) -> NDArray[np.bool_]:
    """(length,) bool: the frames in which a flag says that the target is not seen."""
    if not path.is_file():
        return np.zeros(length, bool)
    values = _numbers(path)[part.omit if part else 0 :]
    if len(values) < length:
        raise BadData(f"{path} has {len(values)} numbers; expected one for each of {length} frames.")
    marked = np.array([value != 0 for value in values[:length]])
    return ~marked if flag.absent == "zero" else marked


def _attributes(folder: Path) -> frozenset[str]:
    """The list `attributes` of a `meta.json` beside the annotation, if there is one."""
    path = folder / "meta.json"
    if not path.is_file():
        return frozenset()
    try:
        return frozenset(str(value) for value in json.loads(_text(path)).get("attributes", ()))
    except (ValueError, AttributeError, TypeError) as error:
        raise BadData(f"{path} is not a JSON object with a list of attributes ({error}).") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path} cannot be read ({error}); expected a text file.") from error
