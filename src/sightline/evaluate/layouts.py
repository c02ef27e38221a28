"""Where data sets keep their files: one row each, and nothing else. `clips.open_dataset` reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

__all__ = ["LAYOUTS", "Flag", "Layout", "Part"]


@dataclass(frozen=True, slots=True)
class Flag:
    """A file of one number per frame, separated by commas or line ends, that says where the target is not seen.

    Attributes:
        file: its path, as `Layout.truth`; a sequence without it has no such frames.
        absent: which numbers say "not seen".
    """

    file: str
    absent: Literal["nonzero", "zero"]


@dataclass(frozen=True, slots=True)
class Part:
    """A sequence that is less than its folder.

    Attributes:
        folder: what `{folder}` stands for.
        file: what `{file}` stands for: its annotation.
        first: number in the name of its first image.
        last: number in the name of its last image.
        omit: frames and rows left out at the start.
    """

    folder: str
    file: str
    first: int
    last: int
    omit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Files of one data set. In paths, from the root on, `{name}` is a sequence, `{group}` its class or chunk; for the others see `Part`.

    Attributes:
        images: folder of the images of a sequence, in natural order of their names.
        images_else: where they are in older copies, which have no folder `images`.
        extra: folder of the second images (infrared, depth), paired with the first by their order; empty for one camera.
        truth: its annotation: one row per frame; commas, semicolons, tabs and blanks separate alike. A folder, of masks.
        extra_truth: the annotation in the other camera's images, where results are held against the better of both.
        targets: pattern of the annotations where a sequence has several targets, and no `truth`; `*` is what tells their names apart.
        holds: what a row is: a box; whatever VOT writes (box, polygon, mask, code); or a picture whose pixels are numbers of objects.
        box: of a polygon, see `region_files.box_around`.
        objects: of masks: one target, all pixels but 0; one for each number in the first; or also for those that come later.
        void: number of the pixels that count neither way, where each number is a target.
        frames: annotated ones of a sequence, where that is known: a copy with others is not the data set's.
        attributes: key of the lists in `attributes.json`; empty where there are none.
        attribute_file: of a sequence, where its data set has one: a 0 or 1 for each attribute.
        names: all sequences, in order; where empty, those of `lists`, or whatever is found.
        lists: files that name the sequences, one in a line; the first that is there.
        without: names that are found and belong to another split.
        parts: sequences that share a folder, or do not begin with its first image.
        file: of sequences without a part.
        columns: which numbers of a row are the box.
        corners: a row is left, top, right, bottom instead of x, y, w, h; or any two opposite corners.
        origin: coordinate of the first pixel.
        flags: files that say where the target is not seen.
        tags: suffixes of files beside the annotation, of one number for each frame: those that are not all 0 are attributes of the sequence.
        anchors: a file of one number per frame: above 0 where a run forward begins, below 0 one backward; a sequence without it has none.
        every: rows of the annotation per image.
        spare_images: so many images more than rows are no error, but left out and counted.
        spare_rows: likewise.
        labelled: "first" where only the first box is public.
        prefixes: folders below the root in which the data set may lie as a whole.
        protocol: how it is run, a name of `protocols.PROTOCOLS`; what its authors, or most papers, do.
        rules: by which results of that protocol are scored, a name of its rules.
    """

    images: str
    images_else: str = ""
    extra: str = ""
    truth: str
    extra_truth: str = ""
    targets: str = ""
    holds: Literal["boxes", "regions", "masks"] = "boxes"
    box: Literal["bounds", "area"] = "bounds"
    objects: Literal["one", "each", "later"] = "one"
    void: int | None = None
    frames: Mapping[str, int] = field(default_factory=dict)
    attributes: str = ""
    attribute_file: str = ""
    names: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    parts: Mapping[str, Part] = field(default_factory=dict)
    file: str = ""
    columns: tuple[int, int, int, int] = (0, 1, 2, 3)
    corners: Literal["none", "ordered", "any"] = "none"
    origin: Literal[0, 1] = 0
    flags: tuple[Flag, ...] = ()
    tags: tuple[str, ...] = ()
    anchors: str = ""
    every: int = 1
    spare_images: int = 0
    spare_rows: int = 0
    labelled: Literal["all", "first"] = "all"
    prefixes: tuple[str, ...] = ("",)
    protocol: str = "one-pass"
    rules: str = "stark"


_LISTS: dict[str, Any] = json.loads(Path(__file__).with_name("sequences.json").read_text(encoding="utf-8"))


def _names(key: str) -> tuple[str, ...]:
    return tuple(_LISTS[key])


def _frames(key: str) -> dict[str, int]:
    return dict(zip(_LISTS[key], _LISTS[f"{key} frames"], strict=True))


def _parts(key: str) -> dict[str, Part]:
    return {name: Part(*values) for name, values in _LISTS[f"{key} parts"].items()}


def _numbered(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{i:06d}" for i in range(1, count + 1))


OTB = Layout(
    images="{folder}/img",
    truth="{folder}/{file}",
    file="groundtruth_rect.txt",
    names=_names("otb100"),
    parts=_parts("otb"),
    origin=1,
    attributes="otb100",
)
LASOT = Layout(
    images="{group}/{name}/img",
    truth="{group}/{name}/groundtruth.txt",
    names=_names("lasot"),
    frames=_frames("lasot"),
    attributes="lasot",
    attribute_file="att/{name}.txt",  # of the data set's toolkit
    flags=(Flag("{group}/{name}/full_occlusion.txt", "nonzero"), Flag("{group}/{name}/out_of_view.txt", "nonzero")),
    spare_images=10_000,  # copies of monkey-17 hold more images than rows
    rules="stark-lasot",
)
TNL2K = Layout(images="{name}/imgs", truth="{name}/groundtruth.txt", names=_names("tnl2k"), frames=_frames("tnl2k"), attributes="tnl2k")
GOT10K = Layout(
    images="{name}",
    truth="{name}/groundtruth.txt",
    names=_numbered("GOT-10k_Val_", 180),
    flags=(Flag("{name}/absence.label", "nonzero"), Flag("{name}/cover.label", "zero")),
    prefixes=("val", ""),
    rules="got10k-val",
)
TRACKINGNET = Layout(
    images="TEST/frames/{name}", truth="TEST/anno/{name}.txt", names=_names("trackingnet"), labelled="first", rules="trackingnet"
)
UAV123 = Layout(
    images="data_seq/UAV123/{folder}",
    truth="anno/UAV123/{file}",
    names=_names("uav123"),
    parts=_parts("uav123"),
    origin=1,
    attributes="uav123",
    attribute_file="anno/UAV123/att/{name}.txt",
    rules="stark-uav",
)
NFS = Layout(
    images="{name}/240/{name}",
    truth="{name}/240/{name}.txt",
    names=_names("nfs"),
    columns=(1, 2, 3, 4),
    corners="ordered",
    spare_images=1,
    spare_rows=1,
)
VOT = Layout(
    images="{name}/color",
    images_else="{name}",
    truth="{name}/groundtruth.txt",
    targets="{name}/groundtruth_*.txt",
    holds="regions",
    lists=("list.txt",),
    tags=(".tag", ".label"),
    anchors="{name}/anchor.value",
    prefixes=("", "sequences"),
    rules="sightline",
)
GTOT = Layout(
    images="{name}/v",
    extra="{name}/i",
    truth="{name}/groundTruth_v.txt",
    extra_truth="{name}/groundTruth_i.txt",
    names=_names("gtot"),
    frames=_frames("gtot"),
    corners="any",
    rules="gtot",
)
RGBT234 = Layout(
    images="{name}/visible",
    extra="{name}/infrared",
    truth="{name}/visible.txt",
    extra_truth="{name}/infrared.txt",
    names=_names("rgbt234"),
    frames=_frames("rgbt234"),
    attributes="rgbt234",
    spare_images=10_000,  # some sequences have more images than rows
    rules="rgbt234",
)
RGBT210 = replace(
    RGBT234, truth="{name}/init.txt", extra_truth="", names=_names("rgbt210"), frames=_frames("rgbt210"), attributes="rgbt210"
)
LASHER = replace(
    RGBT210,
    names=_names("lasher"),
    frames=_frames("lasher"),
    attributes="lasher",
    prefixes=("", "testingset", "TestingSet", "TestingSet/testingset"),
    rules="lasher",
)
LASHER_TRAIN = replace(
    LASHER,
    names=_names("lasher:train"),
    frames={},
    attributes="",
    prefixes=("trainingset", "TrainingSet", "TrainingSet/trainingset", ""),
)
DAVIS = Layout(
    images="JPEGImages/480p/{name}",
    truth="Annotations/480p/{name}",
    holds="masks",
    objects="each",
    void=255,
    lists=("ImageSets/2017/val.txt",),
    prefixes=("", "DAVIS"),
    rules="sightline",
)
YOUTUBE_VOS = Layout(
    images="JPEGImages/{name}", truth="Annotations/{name}", holds="masks", objects="later", prefixes=("train", ""), rules="sightline"
)
DAVIS2016 = replace(DAVIS, objects="one", void=None, lists=("ImageSets/2016/val.txt", "ImageSets/480p/val.txt"))


def _two_cameras(name: str, both: Layout) -> dict[str, Layout]:
    """Rows for the pictures of both cameras and of each alone. Results of all three are held against the same truth."""
    visible = replace(both, extra="")
    infrared = replace(visible, images=both.extra)
    if both.extra_truth:
        infrared = replace(infrared, truth=both.extra_truth, extra_truth=both.truth)
    return {name: both, f"{name}:visible": visible, f"{name}:infrared": infrared}


LAYOUTS: dict[str, Layout] = {
    "folder": Layout(images="{name}/img", truth="{name}/groundtruth.txt", anchors="{name}/anchor.value", rules="sightline"),
    "otb100": OTB,
    "otb50": replace(OTB, names=_names("otb50")),
    "otb2013": replace(OTB, names=_names("otb2013")),
    "lasot": LASOT,
    "lasot:train": replace(LASOT, names=(), without=frozenset(LASOT.names)),
    "lasot_ext": replace(LASOT, names=_names("lasot_ext")),
    "tnl2k": TNL2K,
    "tnl2k:train": replace(TNL2K, names=(), without=frozenset(TNL2K.names)),
    "got10k:val": GOT10K,
    "got10k:test": replace(GOT10K, names=_numbered("GOT-10k_Test_", 180), labelled="first", flags=(), prefixes=("test", "")),
    "got10k:train": replace(GOT10K, names=_numbered("GOT-10k_Train_", 9335), prefixes=("train", "")),
    "trackingnet": TRACKINGNET,
    "trackingnet:train": Layout(images="TRAIN_{group}/frames/{name}", truth="TRAIN_{group}/anno/{name}.txt", rules="trackingnet"),
    "uav123": UAV123,
    "uav20l": replace(
        UAV123,
        truth="anno/UAV20L/{file}",
        names=_names("uav20l"),
        parts=_parts("uav20l"),
        attribute_file="anno/UAV20L/att/{name}.txt",
    ),
    # the annotation is that of 240 frames per second for both rates
    "nfs": replace(NFS, images="{name}/30/{name}", truth="{name}/30/{name}.txt", every=8),
    "nfs:240": NFS,
    "nfs:converted": Layout(images="sequences/{name}", truth="anno/nfs_{name}.txt", names=_names("nfs"), spare_images=1, spare_rows=1),
    "vot": VOT,
    "vot:area": replace(VOT, box="area"),
    "vot:rgbt": replace(VOT, extra="{name}/ir"),
    "vot:rgbd": replace(VOT, extra="{name}/depth"),
    "vots": replace(VOT, labelled="first"),
    **{f"vot{year}": replace(VOT, protocol="restarts", rules=f"vot{year}") for year in range(2013, 2020)},
    **{f"vot{year}": replace(VOT, protocol="anchors", rules=f"vot{year}") for year in range(2020, 2023)},
    **{f"vot{year}:lt": replace(VOT, protocol="long-term", rules="vot-lt") for year in range(2018, 2023)},
    **{f"vot{year}:rgbt": replace(VOT, extra="{name}/ir", protocol="anchors", rules="vot2020") for year in (2019, 2020)},
    **{f"vot{year}:rgbd": replace(VOT, extra="{name}/depth", protocol="long-term", rules="vot-lt") for year in range(2019, 2022)},
    "vot2022:rgbd": replace(VOT, extra="{name}/depth", protocol="anchors", rules="vot2022"),
    **_two_cameras("gtot", GTOT),
    **_two_cameras("rgbt234", RGBT234),
    **_two_cameras("rgbt210", RGBT210),
    **_two_cameras("lasher", LASHER),
    **_two_cameras("lasher:train", LASHER_TRAIN),
    "davis2017:val": DAVIS,
    "davis2017:train": replace(DAVIS, lists=("ImageSets/2017/train.txt",)),
    "davis2017:test-dev": replace(DAVIS, lists=("ImageSets/2017/test-dev.txt",), labelled="first"),
    "davis2016:val": DAVIS2016,
    "davis2016:train": replace(DAVIS2016, lists=("ImageSets/2016/train.txt", "ImageSets/480p/train.txt")),
    "youtube-vos:train": YOUTUBE_VOS,
    "dtb70": Layout(images="{name}/img", truth="{name}/groundtruth_rect.txt", origin=1, rules="got10k"),
}
