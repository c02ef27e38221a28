"""Videos with boxes or masks, by one camera or two: what `sightline.evaluate.layouts` has a row for, as tracks."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from sightline.evaluate.clips import open_dataset
from sightline.evaluate.dataset import Clip
from sightline.train.data.problems import Problems
from sightline.train.data.track import Modality, Shots, Track, have_boxes

__all__ = ["read_videos"]

LEAST = 16  # square pixels: less of a target is not learnt from


def read_videos(
    source: str, layout: str, root: Path, problems: Problems, names: frozenset[str] | None = None, modality: Modality = "visible"
) -> list[Track]:
    """The tracks of a data set of videos.

    Args:
        source: what the tracks say they are of.
        layout: key of `layouts.LAYOUTS`.
        root: the folder that the data set was unpacked to.
        problems: where sequences that are missing or wrong are noted.
        names: only these sequences, where a split is a list.
        modality: of the pictures.

    Raises:
        BadData: nothing of the data set is there.
    """

    def note(name: str, why: str) -> None:
        if names is None or name in names:
            problems.add(f"{source}/{name}", why)

    dataset = open_dataset(layout, root, broken=note)
    for name, why in dataset.missing.items():
        note(name, why)
    return [_track(source, clip, modality, problems) for clip in dataset if names is None or clip.name in names]


def _track(source: str, clip: Clip, modality: Modality, problems: Problems) -> Track:
    boxed = have_boxes(clip.truth)
    tiny = boxed & (clip.truth[:, 2:].prod(axis=1) < LEAST)
    problems.count(f"frames of {source} without a box", int((~boxed).sum()))
    problems.count(f"frames of {source} in which the target is hidden or out of view", int((boxed & ~clip.visible).sum()))
    problems.count(f"frames of {source} in which the target has less than {LEAST} pixels", int(tiny.sum()))
    problems.count(f"images of {source} beyond the annotation", clip.dropped)
    shots = Shots.of(clip.frames, clip.truth, clip.extra)
    return Track(
        clip.name, source, False, shots, clip.visible & ~tiny, boxed, kind=_kind(clip), modality=modality, place=f"{source}/{shots.folder}"
    )


def _kind(clip: Clip) -> str:
    """The class: GOT-10k has it in a file, LaSOT in the name of the folder above."""
    folder = Path(clip.frames[0]).parent
    described = folder / "meta_info.ini"
    if described.is_file():
        parser = configparser.ConfigParser()
        parser.read(described, encoding="utf-8")
        section: Mapping[str, str] = parser["METAINFO"] if parser.has_section("METAINFO") else {}
        return section.get("object_class", "")
    above = folder.parents[1].name if folder.name == "img" else ""
    return above if clip.name.startswith(f"{above}-") else ""
