"""Finding data sets by name below a folder: the table of what is known, and how a folder of one's own is told from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from sightline.errors import BadData
from sightline.train.data.imagenet_vid import read_vid
from sightline.train.data.index import read_tracks
from sightline.train.data.problems import Problems
from sightline.train.data.stills import read_coco, read_folder_of_images
from sightline.train.data.track import Modality, Track, held_out
from sightline.train.data.unlabelled import is_unlabelled, read_unlabelled
from sightline.train.data.video import read_videos
from sightline.train.recipe import Share

__all__ = ["SOURCES", "Split", "open_data"]

Split: TypeAlias = Literal["train", "val"]
Reader: TypeAlias = Callable[[Path, Problems], list[Track]]


def _list(name: str) -> frozenset[str]:
    """The sequences of a published split."""
    content = json.loads(Path(__file__).with_name("splits.json").read_text(encoding="utf-8"))[name]
    return frozenset(f"GOT-10k_Train_{entry + 1:06d}" if isinstance(entry, int) else entry for entry in content)


def _got10k(root: Path, problems: Problems, *, split: str, without: str = "") -> list[Track]:
    names = _list(f"got10k:{split}") if split else frozenset(f"GOT-10k_Train_{i:06d}" for i in range(1, 9336))
    source = f"got10k:{split or without}".removesuffix(":")
    return read_videos(source, "got10k:train", root, problems, names - (_list(f"got10k:{without}") if without else frozenset()))


def _trackingnet(root: Path, problems: Problems, *, chunks: int) -> list[Track]:
    """The first chunks; all twelve are `trackingnet`."""
    tracks = read_videos(f"trackingnet:{chunks}", "trackingnet:train", root, problems)
    wanted = {f"TRAIN_{i}" for i in range(chunks)}
    return [track for track in tracks if wanted & set(Path(track.pictures[0].name).parts)]


def _videos(source: str, layout: str, modality: Modality = "visible") -> Reader:
    return lambda root, problems: read_videos(source, layout, root, problems, modality=modality)


SOURCES: dict[str, Reader] = {
    "lasot": _videos("lasot", "lasot:train"),
    "lasot_ext": _videos("lasot_ext", "lasot_ext"),
    "got10k": partial(_got10k, split=""),
    "got10k:vottrain": partial(_got10k, split="vottrain"),
    "got10k:votval": partial(_got10k, split="votval"),
    "got10k:train-part": partial(_got10k, split="train-part"),
    "got10k:val-part": partial(_got10k, split="val-part"),
    "got10k:vot-exclude": partial(_got10k, split="", without="vot-exclude"),
    "trackingnet": _videos("trackingnet", "trackingnet:train"),
    "trackingnet:4": partial(_trackingnet, chunks=4),
    "tnl2k": _videos("tnl2k", "tnl2k:train"),
    "coco": partial(read_coco, "coco", "2017"),
    "vid": partial(read_vid, "vid"),
    "imagenet": partial(read_folder_of_images, "imagenet"),
    "davis": _videos("davis", "davis2017:train"),
    "youtube-vos": _videos("youtube-vos", "youtube-vos:train"),
    "gtot": _videos("gtot", "gtot", "both"),
    "rgbt234": _videos("rgbt234", "rgbt234", "both"),
    "lasher": _videos("lasher", "lasher:train", "both"),
    "lasher:visible": _videos("lasher:visible", "lasher:train:visible"),
    "lasher:infrared": _videos("lasher:infrared", "lasher:train:infrared", "infrared"),
}
"""Known data sets. The part before a colon is also the folder below `--data` in which one is looked for."""

MEASURING = ("lasot_ext", "gtot", "rgbt234")  # whole data sets that trackers are measured on
ALL = tuple(source for source in SOURCES if ":" not in source and source not in MEASURING)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a run learns from.

    Attributes:
        tracks: of the shares, those of one share together.
        shares: the recipe's, or one of everything where the data is the user's own; weights as given.
    """

    tracks: list[Track]
    shares: tuple[Share, ...]


def open_data(folders: Sequence[Path], shares: Sequence[Share], split: Split, problems: Problems, *, labelled: bool = True) -> Opened:
    """The tracks that a recipe asks for, or all tracks of data that has none of these names.

    A folder with `index.jsonl` is read by that. A folder with one folder for each data set (`lasot/`, `got10k/`, `coco/`, ...) is read by
    the names in `shares`. Video files without labels are read by `unlabelled.py`. Any other folder is one's own: `<sequence>/img/*.jpg` and
    `<sequence>/groundtruth.txt`. Where nobody has split the data, some of its tracks are held out and are the split "val".

    Args:
        folders: where data lies.
        shares: what the recipe learns from; nothing: all that is there, but what only `MEASURING` is done on.
        split: "train" or "val".
        problems: where everything that is left out is noted.
        labelled: boxes have to be those of objects: videos without labels are left out.

    Raises:
        BadData: there is no data, or with `Problems.on_bad` "stop" some of it is missing or wrong.
    """
    wanted = tuple(dict.fromkeys(source for share in shares for source in share.sources))
    found: dict[str, list[Track]] = {}
    videos = [folder for folder in folders if labelled and is_unlabelled(folder)]
    told = [f"{folder} holds videos without labels, which only a pre-training takes (sightline train mtr, ...)" for folder in videos]
    if videos and len(videos) == len(folders):
        raise BadData(f"{told[0]}; python -m sightline.train.clips labels them for a tracker.")
    problems.notes += told if split == "train" else []
    for folder in (folder for folder in folders if folder not in videos):
        for source, tracks in _read(folder, wanted, split, problems).items():
            found.setdefault(source, []).extend(tracks)
    if not any(source in found for source in wanted):  # one's own data
        if not found and split == "val":
            raise BadData(
                f'nothing in {", ".join(map(str, folders))} is held out to look at: its index.jsonl has no line of the split "val"; mark some tracks so, or add data.'
            )
        if not found:
            raise BadData(f"no data in {', '.join(map(str, folders))}; see `sightline train --help` for what a folder may hold.")
        shares = [Share(weight=1.0, sources=tuple(found))]
        if split == "train" and wanted:
            problems.notes.append(f"none of the recipe's {', '.join(wanted)} is there: it learns from all of {', '.join(found)}")
    kept = []
    for share in shares:
        absent = [source for source in share.sources if source not in found]
        if len(absent) == len(share.sources):
            problems.add(", ".join(share.sources), f"the recipe asks for it, and it is not in {', '.join(map(str, folders))}")
            continue
        kept.append(replace(share, sources=tuple(source for source in share.sources if source in found)))
    used = {source for share in kept for source in share.sources}
    return Opened(_of_kinds([track for source, tracks in found.items() if source in used for track in tracks], kept), tuple(kept))


def _of_kinds(tracks: list[Track], shares: Sequence[Share]) -> list[Track]:
    """The tracks without those of classes that their share does not name."""
    for share in shares:
        known = {track.kind for track in tracks if track.source in share.sources}
        unknown = sorted(set(share.kinds) - known)
        if unknown:
            raise BadData(
                f"{', '.join(share.sources)} has no class {', '.join(unknown)}; it has {', '.join(sorted(known - {''})[:20]) or 'none'}."
            )
    kinds: Mapping[str, tuple[str, ...]] = {source: share.kinds for share in shares for source in share.sources if share.kinds}
    return [track for track in tracks if track.source not in kinds or track.kind in kinds[track.source]]


def _read(folder: Path, wanted: Sequence[str], split: Split, problems: Problems) -> dict[str, list[Track]]:
    """The tracks of one folder, by source."""
    if not folder.is_dir():
        raise BadData(f"the folder {folder} does not exist; --data takes a folder with index.jsonl, with data sets, or with sequences.")
    if is_unlabelled(folder):
        return _by_source(read_unlabelled(folder, split, problems))
    if (folder / "index.jsonl").is_file():
        return _by_source(read_tracks(folder, split, problems))
    named = {source: folder / source.partition(":")[0] for source in wanted or ALL if source in SOURCES}
    there = {source: path for source, path in named.items() if path.is_dir()}
    if not wanted and split == "train":
        problems.notes += [f"{folder / name} is left out: papers measure on it" for name in MEASURING if (folder / name).is_dir()]
    if there:
        return {source: _held_out(SOURCES[source](path, problems), split) for source, path in there.items()}
    return {folder.name: _held_out(read_videos(folder.name, "folder", folder, problems), split)}


def _by_source(tracks: Sequence[Track]) -> dict[str, list[Track]]:
    """Tracks by the data set that they are of."""
    found: dict[str, list[Track]] = {}
    for track in tracks:
        found.setdefault(track.source, []).append(track)
    return found


def _held_out(tracks: list[Track], split: Split) -> list[Track]:
    """The tracks of a split; of a single track, both are that."""
    if len(tracks) == 1:
        return tracks
    held = held_out(len(tracks))
    return [track for i, track in enumerate(tracks) if (i in held) == (split == "val")]
