"""Data sets as sequences of clips: images in order, boxes, and where the target is seen."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from sightline.box import xywh_from_xyxy
from sightline.errors import BadData
from sightline.evaluate.annotation import attributes_beside, boxes_from_file, flags_from_file, numbers_from_file, tags_in, text_of
from sightline.evaluate.attributes import attributes_of
from sightline.evaluate.layouts import LAYOUTS, Flag, Layout, Part
from sightline.evaluate.region_files import MaskImages, Regions, WrittenRegions, box_around, objects_of
from sightline.evaluate.regions import Region
from sightline.frame import FrameReader, read
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
        dropped: images without a row of the annotation or without a partner, or rows without an image, at the end.
        extra: paths of the T second images (infrared, depth), aligned with the first; empty where there is one camera.
        extra_rows: (T, 4) the annotation in the other camera's images, as `rows`; None where there is none of its own.
        regions: T regions of `regions`, pixels from 0, a code where there is none; None where the truth is boxes and nothing else.
        tags: (T,) bool by name: attributes that single frames have.
        anchors: (T,) int8, 1 where the data set begins a run forward, -1 backward, 0 elsewhere; None where it names no such frames.
        each: called for each frame that `read` gives, by who wants to see how far it is.
    """

    name: str
    frames: tuple[str, ...]
    truth: Floats
    rows: Floats
    visible: NDArray[np.bool_]
    attributes: frozenset[str] = frozenset()
    dropped: int = 0
    extra: tuple[str, ...] = ()
    extra_rows: Floats | None = None
    regions: Regions | tuple[Region, ...] | None = None
    tags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    anchors: NDArray[np.int8] | None = None
    each: Callable[[], None] | None = None

    def read(self, order: Sequence[int] | None = None) -> FrameReader:
        """Its frames, with the second pictures where it has them: all of them, or those of the numbers given, in their order."""
        first, second = ([paths[i] for i in order] if order is not None else paths for paths in (self.frames, self.extra or self.frames))
        reader = read(first, infrared=second if self.extra else None)
        reader.each = self.each or reader.each
        return reader

    def size(self) -> tuple[int, int]:
        """Width and height of its first image, which is read for it."""
        with contextlib.closing(read(self.frames[0])) as images:
            first = next(iter(images))
        return first.width, first.height

    def annotations(self) -> Floats:
        """`rows`, or (2, T, 4) with those of the other camera: results may then be held against the better of both."""
        return self.rows if self.extra_rows is None else np.stack([self.rows, self.extra_rows])

    def digest(self) -> str:
        """SHA-256 of boxes, regions, visibility, anchors, and the name and size in bytes of every image (their pixels are not read).

        Raises:
            BadData: an image is gone.
        """
        content = hashlib.sha256(self.truth.tobytes() + self.visible.tobytes())
        if self.extra_rows is not None:
            content.update(self.extra_rows.tobytes())
        if isinstance(self.regions, tuple):
            content.update(b"".join(region.tobytes() for region in self.regions))
        elif self.regions is not None:
            content.update(self.regions.digest())
        if self.anchors is not None:
            content.update(self.anchors.tobytes())
        for frame in (*self.frames, *self.extra):
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
