"""Finished results in the files that servers and toolkits of others read.

Boxes keep four decimals everywhere; their coordinates are those of the data set's own files, as in our results. Sources: the upload pages of
GOT-10k and TrackingNet, the readers of the GOT-10k toolkit, PyTracking and LaSOT, and the MOTChallenge's format.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.clips import boxes_from_file
from sightline.evaluate.dataset import Dataset
from sightline.weights import write_whole

__all__ = ["FORMATS", "check_format", "write_submission"]

Floats = NDArray[np.float64]
Files = dict[str, bytes]

OTB_SETS = {"otb100": "OTB2015", "otb50": "OTB50", "otb2013": "OTB2013", "nfs": "NfS/30", "nfs:240": "NfS/240", "lasot": "LaSOT"}
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # of every file in an archive, so that the same results are the same bytes


@dataclass(frozen=True, slots=True)
class Track:
    """Results of one sequence: boxes (T, 4); seconds and scores (T,), None where there are none."""

    name: str
    boxes: Floats
    seconds: Floats | None
    scores: Floats | None


@dataclass(frozen=True, slots=True)
class Format:
    """How a reader wants results.

    Attributes:
        files: (tracks, tracker, data set) to paths with their contents.
        packed: all of them in one zip, for a server.
        only: data sets whose name begins so; empty for any.
    """

    files: Callable[[Sequence[Track], str, Dataset], Files]
    packed: bool = False
    only: str = ""


def check_format(name: str, dataset: Dataset) -> Format:
    """The format of that name.

    Raises:
        BadData: there is none, or its reader knows another data set only.
    """
    if name not in FORMATS:
        raise BadData(f"there is no format called {name!r} to submit in; known are {', '.join(FORMATS)}.")
    if not dataset.name.startswith(FORMATS[name].only):
        raise BadData(f"the format {name!r} is for {FORMATS[name].only} only, and this is {dataset.name}; choose another one.")
    return FORMATS[name]


def write_submission(name: str, dataset: Dataset, folder: Path, *, tracker: str) -> Path:
    """Write results once more, below `folder`/submit: all files appear, or none.

    Args:
        name: key of `FORMATS`.
        dataset: what was tracked, whole.
        folder: of the results, checked by `run.score` and without gaps.
        tracker: its name in paths.

    Returns:
        The zip to upload, or the folder to copy into the toolkit's results.

    Raises:
        BadData: no such format, a result is not there, or times are not that the format needs.
        WeightsMissing: a file cannot be written.
    """
    chosen = check_format(name, dataset)
    tracks = [_track(clip.name, folder) for clip in dataset]
    files = chosen.files(tracks, tracker, dataset)
    target = folder / "submit" / name
    if chosen.packed:
        archive = target / f"{tracker}.zip"
        write_whole({archive: _zip(files)})
        return archive
    write_whole({target / path: content for path, content in files.items()})
    return target


def _got10k(tracks: Sequence[Track], tracker: str, dataset: Dataset) -> Files:
    """One run of a deterministic tracker; a line for every frame, the first included."""
    del tracker, dataset
    files: Files = {}
    for track in tracks:
        if track.seconds is None:
            raise BadData(f"{track.name} has no times, and the GOT-10k server wants them; track it by `sightline eval` itself.")
        files[f"{track.name}/{track.name}_001.txt"] = _lines(track.boxes, ",")
        files[f"{track.name}/{track.name}_time.txt"] = _column(track.seconds)
    return files


def _trackingnet(tracks: Sequence[Track], tracker: str, dataset: Dataset) -> Files:
    del tracker, dataset
    return {f"{track.name}.txt": _lines(track.boxes, ",") for track in tracks}


def _pytracking(tracks: Sequence[Track], tracker: str, dataset: Dataset) -> Files:
    """Its own writer cuts decimals off; its reader takes them."""
    del dataset
    files: Files = {}
    for track in tracks:
        base = f"{tracker}/default/{track.name}"
        files[f"{base}.txt"] = _lines(track.boxes, "\t")
        if track.seconds is not None:
            files[f"{base}_time.txt"] = _column(track.seconds)
        if track.scores is not None:
            files[f"{base}_object_presence_scores.txt"] = _column(track.scores)
    return files


def _otb(tracks: Sequence[Track], tracker: str, dataset: Dataset) -> Files:
    """As the GOT-10k toolkit keeps results of OTB and its kin."""
    base = f"{OTB_SETS.get(dataset.name, dataset.name.upper().replace(':', '-'))}/{tracker}"
    files: Files = {}
    for track in tracks:
        name = re.sub(r"_(\d)$", r".\1", track.name) if dataset.name.startswith("otb") else track.name  # Jogging.1 there
        files[f"{base}/{name}.txt"] = _lines(track.boxes, ",")
        if track.seconds is not None:
            files[f"{base}/times/{name}_time.txt"] = _column(track.seconds)
    return files


def _lasot(tracks: Sequence[Track], tracker: str, dataset: Dataset) -> Files:
    """As the Matlab toolkits of LaSOT and TNL2K look for them."""
    del dataset
    return {f"{tracker}_tracking_result/{track.name}.txt": _lines(track.boxes, ",") for track in tracks}


def _mot(tracks: Sequence[Track], tracker: str, dataset: Dataset) -> Files:
    """Target 1 in every frame; frames and pixels count from 1 there, whatever the data set does."""
    del tracker
    files: Files = {}
    for track in tracks:
        boxes = track.boxes + np.array([1 - dataset.origin, 1 - dataset.origin, 0, 0])
        scores = np.ones(len(boxes)) if track.scores is None else np.where(np.isnan(track.scores), 1.0, track.scores)
        rows = zip(boxes.tolist(), scores.tolist(), strict=True)
        lines = [
            f"{i},1,{','.join(f'{value:.4f}' for value in box)},{score:.6g},-1,-1,-1\n" for i, (box, score) in enumerate(rows, start=1)
        ]
        files[f"{track.name}.txt"] = "".join(lines).encode()
    return files


FORMATS: dict[str, Format] = {
    "got10k": Format(_got10k, packed=True, only="got10k"),
    "trackingnet": Format(_trackingnet, packed=True, only="trackingnet"),
    "pytracking": Format(_pytracking),
    "otb": Format(_otb),
    "lasot": Format(_lasot),
    "mot": Format(_mot),
}


def _track(name: str, folder: Path) -> Track:
    return Track(
        name,
        boxes_from_file(folder / f"{name}.txt"),
        _numbers(folder / "times" / f"{name}_time.txt"),
        _numbers(folder / "scores" / f"{name}_score.txt"),
    )


def _numbers(path: Path) -> Floats | None:
    return np.array(path.read_text(encoding="utf-8").split(), np.float64) if path.is_file() else None


def _lines(boxes: Floats, delimiter: str) -> bytes:
    return "".join(delimiter.join(f"{value:.4f}" for value in box) + "\n" for box in boxes.tolist()).encode()


def _column(values: Floats) -> bytes:
    return "".join(f"{value:.8f}\n" for value in values.tolist()).encode()


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
