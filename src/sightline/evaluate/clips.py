"""Data sets on disk: what their layouts say about the files there, read as clips."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.box import xywh_from_xyxy
from sightline.errors import BadData
from sightline.evaluate.annotation import attributes_beside, boxes_from_file, flags_from_file, numbers_from_file, tags_in, text_of
from sightline.evaluate.attributes import attributes_of
from sightline.evaluate.dataset import Clip, Dataset
from sightline.evaluate.layouts import LAYOUTS, Flag, Layout, Part
from sightline.evaluate.region_files import MaskImages, Regions, WrittenRegions, box_around, objects_of
from sightline.frame.images import SUFFIXES, natural_order

__all__ = ["Clip", "Dataset", "boxes_from_file", "open_dataset"]

Floats = NDArray[np.float64]


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
        place = _Place(layout, base, fields)
        lacking = place.lacking()
        if lacking is not None:
            missing[fields["name"]] = lacking
            continue
        try:
            clips += _read(place)
        except BadData as error:
            if broken is None:
                raise
            broken(fields["name"], str(error))
    scored = layout.labelled == "all"
    return Dataset(key, tuple(clips), missing, origin=layout.origin, scored=scored, protocol=layout.protocol, rules=layout.rules)


def _sequences(layout: Layout, base: Path) -> Iterator[dict[str, str]]:
    """What the braces of a layout stand for, sequence by sequence."""
    names = layout.names or _listed(layout, base)
    if names:
        for name in names:
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


def _listed(layout: Layout, base: Path) -> tuple[str, ...]:
    """The names in the data set's own list, in order; a list of files stands for the folders that they lie in."""
    path = next((base / name for name in layout.lists if (base / name).is_file()), None)
    words = [line.split()[0] for line in text_of(path).splitlines() if line.strip()] if path else []
    return tuple(dict.fromkeys(Path(word).parent.name if "/" in word else word for word in words))


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


class _Place(NamedTuple):
    """One sequence of a data set on disk."""

    layout: Layout
    base: Path
    fields: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.fields["name"]

    @property
    def part(self) -> Part | None:
        return self.layout.parts.get(self.name)

    def at(self, pattern: str) -> Path:
        return self.base / _fill(pattern, self.fields)

    def truths(self) -> dict[str, Path]:
        """Annotations that are there, by what a target's name has after the sequence's: "", or "_1", "_2", ..."""
        single = self.at(self.layout.truth)
        if single.exists() or not self.layout.targets:
            return {"": single} if single.exists() else {}
        pattern = self.at(self.layout.targets)
        before, _, after = pattern.name.partition("*")
        files = natural_order(pattern.parent.glob(pattern.name)) if pattern.parent.is_dir() else []
        return {f"_{path.name.removeprefix(before).removesuffix(after)}": path for path in files}

    def folders(self) -> list[Path]:
        """Of the images, and of the second ones."""
        first = self.at(self.layout.images)
        if self.layout.images_else and not first.is_dir():
            first = self.at(self.layout.images_else)
        return [first, self.at(self.layout.extra)] if self.layout.extra else [first]

    def lacking(self) -> str | None:
        """What is not there at all."""
        if not self.truths():
            return f"no {_fill(self.layout.truth, self.fields)}"
        if self.layout.extra_truth and not self.at(self.layout.extra_truth).is_file():
            return f"no {_fill(self.layout.extra_truth, self.fields)}"
        for folder in self.folders():
            if not folder.is_dir():
                return f"no folder {folder.relative_to(self.base)}"
        return None


def _has_any(layout: Layout, base: Path) -> bool:
    return base.is_dir() and any(_Place(layout, base, fields).truths() for fields in _sequences(layout, base))


class _Target(NamedTuple):
    """What the annotation says of one target: its name after that of the sequence, rows (N, 4), and regions where it has them."""

    suffix: str
    rows: Floats
    regions: Regions | None = None


def _read(place: _Place) -> list[Clip]:
    """The clips of a sequence, one for each target."""
    layout = place.layout
    cameras = [_images(folder, place.part) for folder in place.folders()]
    paired = min(map(len, cameras))
    other = numbers_from_file(place.at(layout.extra_truth), layout.columns)[:: layout.every] if layout.extra_truth else None
    omit = place.part.omit if place.part else 0
    clips = []
    for suffix, path in place.truths().items():
        for target in _targets(layout, path, suffix, paired):
            rows = min(len(target.rows), len(target.rows if other is None else other))
            kept = slice(omit, min(paired, rows))
            if kept.stop <= omit or not -layout.spare_rows <= paired - rows <= layout.spare_images:
                raise BadData(
                    f"{path} has rows for {rows} frames, and {place.folders()[0]} {paired} images for them; expected as many of both."
                )
            clip = _clip(place, path, target, [tuple(images[kept]) for images in cameras], kept)
            dropped = max(*map(len, cameras), len(target.rows)) - kept.stop
            clips.append(replace(clip, dropped=dropped, extra_rows=None if other is None else _boxes(layout, other[kept])[1]))
    return clips


def _clip(place: _Place, path: Path, target: _Target, cameras: Sequence[tuple[str, ...]], kept: slice) -> Clip:
    """A clip of the kept images of each camera, annotated in `path`."""
    layout, length = place.layout, kept.stop - kept.start
    truth, rows = _boxes(layout, target.rows[kept])
    visible = _whole(truth)
    for flag in layout.flags:
        visible &= ~_absent(place.at(flag.file), flag, kept.start, length)
    tags = tags_in(path.parent, layout.tags, length)
    attributes = attributes_beside(path.parent) | {name for name, marked in tags.items() if marked.any()}
    if layout.attributes:
        attributes |= attributes_of(layout.attributes, place.name, place.at(layout.attribute_file) if layout.attribute_file else None)
    return Clip(
        place.name + target.suffix,
        cameras[0],
        truth,
        rows,
        visible,
        attributes,
        extra=cameras[1] if len(cameras) > 1 else (),
        regions=target.regions[kept] if target.regions is not None else None,
        tags=tags,
        anchors=_anchors(place.at(layout.anchors), kept.start, length) if layout.anchors else None,
    )


def _targets(layout: Layout, path: Path, suffix: str, frames: int) -> list[_Target]:
    """What one annotation says of its targets, in a sequence of so many images."""
    if layout.holds == "masks":
        found = _masked(layout, path)
    elif layout.holds == "regions":
        regions = WrittenRegions.of(path)
        found = [_Target(suffix, np.array([box_around(region, layout.box) for region in regions]), regions)]
    else:
        found = [_Target(suffix, numbers_from_file(path, layout.columns)[:: layout.every])]
    if layout.labelled == "all":
        return found
    unknown = np.full((max(frames - 1, 0), 4), np.nan)
    return [_Target(name, np.concatenate([rows[:1], unknown])) for name, rows, _ in found]


def _masked(layout: Layout, folder: Path) -> list[_Target]:
    """The objects of the first mask or of all masks, or all of them as one."""
    paths = _images(folder, None)
    pictures = [objects_of(Path(path)) for path in paths]
    numbers: list[int | None] = [None]
    if layout.objects != "one":
        named = set().union(*(np.unique(picture).tolist() for picture in (pictures[:1] if layout.objects == "each" else pictures)))
        numbers = [number for number in sorted(named) if number not in (0, layout.void)]
    found = []
    for number in numbers:
        masks = MaskImages(tuple(paths), number, layout.void if number is not None else None)
        rows = np.array([box_around(masks.shown_in(picture)) for picture in pictures]).reshape(-1, 4)
        found.append(_Target("" if number is None else f"_{number}", rows, masks))
    return found


def _boxes(layout: Layout, rows: Floats) -> tuple[Floats, Floats]:
    """Boxes (T, 4) from pixel 0, NaN where there is none, and the rows as x, y, w, h."""
    if layout.corners == "any":
        ends = np.stack([rows[:, :2], rows[:, 2:]])
        rows = np.concatenate([ends.min(axis=0), ends.max(axis=0)], axis=1)
    if layout.corners != "none":
        rows = xywh_from_xyxy(rows).astype(np.float64)
    has_box = _whole(rows) & np.asarray((rows[:, 2:] > 0).all(axis=1))
    return np.where(has_box[:, np.newaxis], rows - np.array([layout.origin, layout.origin, 0, 0]), np.nan), rows


def _whole(rows: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(rows).all(axis=1))


def _images(folder: Path, part: Part | None) -> list[str]:
    paths = natural_order(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    if part is None:
        return [str(path) for path in paths]
    numbers = [re.search(r"(\d+)$", path.stem) for path in paths]
    return [str(path) for path, number in zip(paths, numbers, strict=True) if number and part.first <= int(number[1]) <= part.last]


def _absent(path: Path, flag: Flag, omit: int, length: int) -> NDArray[np.bool_]:
    """(length,) bool: the frames in which a flag says that the target is not seen."""
    if not path.is_file():
        return np.zeros(length, bool)
    values = flags_from_file(path)[omit:]
    if len(values) < length:
        raise BadData(f"{path} has {len(values)} numbers; expected one for each of {length} frames.")
    marked = np.array([value != 0 for value in values[:length]])
    return ~marked if flag.absent == "zero" else marked


def _anchors(path: Path, omit: int, length: int) -> NDArray[np.int8] | None:
    """(length,) signs of the numbers in a file; frames that it does not reach are none. None without a file."""
    if not path.is_file():
        return None
    values = np.sign(flags_from_file(path)[omit : omit + length]).astype(np.int8)
    return np.pad(values, (0, length - len(values)))
