"""Results as files: what made them, whether they are whole, how they are written.

OUTPUT/DATASET/TRACKER/
  SEQUENCE.txt                   x,y,w,h of every frame, in the coordinates of the data set's own files
  scores/SEQUENCE_score.txt      what the tracker says of itself, one number per frame
  times/SEQUENCE_time.txt        seconds that the tracker took, one per frame; the first is `init`
  made/SEQUENCE.json             by what the three were made, and their SHA-256: written last
  replaced/                      results that a later run has made anew
  run.json  summary.json         what the tracker, the machine and the data were; the figures, or what is missing
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData
from sightline.evaluate.clips import Clip, Dataset, boxes_from_file
from sightline.weights import init_path, write_whole

__all__ = [
    "Maker",
    "combined",
    "import_boxes",
    "lacks",
    "make_folder",
    "maker_of",
    "read_bytes",
    "read_record",
    "sha256",
    "to_json",
    "write_result",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Maker:
    """What results are made by; those of one maker stand beside each other, those of another are made anew.

    Attributes:
        name: folder of the results.
        facts: everything that may change a box: spec, SHA-256 of the weights, engine and versions.
    """

    name: str
    facts: Mapping[str, Any]

    def digest(self) -> str:
        """SHA-256 of the facts."""
        return sha256(to_json(self.facts))


def maker_of(name: str, weights: Path, spec_json: str, *, engine: str, versions: Mapping[str, str | None]) -> Maker:
    """What a tracker of a weights file is, by content.

    Raises:
        BadData: a file cannot be read.
    """
    files = [path for path in (weights, init_path(weights)) if path.is_file()]
    hashes = {path.name: sha256(read_bytes(path)) for path in files}
    return Maker(name, {"spec": json.loads(spec_json), "weights_sha256": hashes, "engine": engine, "versions": dict(versions)})


def make_folder(output: Path, dataset: Dataset, tracker: str) -> Path:
    """Where the results of a tracker on a data set belong."""
    return output / dataset.name.replace(":", "-") / tracker


def import_boxes(file: Path, dataset: Dataset, folder: Path, *, tracker: str) -> Maker:
    """Take over boxes that something else has made; they are scored as they are.

    Args:
        file: .npz with one (T, 4) array `<tracker>/<sequence>` for each sequence, in the coordinates of the data set's files.
        dataset: what was tracked.
        folder: for the results.
        tracker: first part of the arrays' names.

    Raises:
        BadData: no such file, no array of that tracker, or an array that is not (T, 4).
        WeightsMissing: a file cannot be written.
    """
    maker = Maker(tracker, {"imported": file.name, "sha256": sha256(read_bytes(file))})
    prefix = f"{tracker}/"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            boxes = {name.removeprefix(prefix): np.asarray(arrays[name], np.float64) for name in arrays.files if name.startswith(prefix)}
            others = sorted({name.partition("/")[0] for name in arrays.files})
    except (OSError, ValueError, AttributeError) as error:
        raise BadData(f"{file} is not an .npz file of boxes ({error}); expected arrays named TRACKER/SEQUENCE.") from error
    if not boxes:
        raise BadData(
            f"{file} has no array of the tracker {tracker!r}; it has {', '.join(others) or 'none at all'}. Name one by --tracker."
        )
    unknown = sorted(set(boxes) - {clip.name for clip in dataset} - set(dataset.missing))
    if unknown:
        raise BadData(f"{file} has boxes of {unknown[0]!r}, which is no sequence of {dataset.name}; {len(unknown)} in all.")
    for clip in dataset:
        if clip.name in boxes:
            rows = boxes[clip.name]
            if rows.ndim != 2 or rows.shape[1] != 4:
                raise BadData(f"{file}: {prefix}{clip.name} is {rows.shape}; expected (frames, 4).")
            write_result(clip, folder, rows, stamp={"tracker": maker.digest(), "data": clip.digest()})
    write_whole({folder / "run.json": to_json({"tracker": tracker, "tracker_hash": maker.digest(), **maker.facts})})
    return maker


def write_result(clip: Clip, folder: Path, rows: Floats, *, stamp: Mapping[str, str], beside: Mapping[str, bytes] | None = None) -> None:
    """All files of a sequence, the record last; an older result that differs is kept in `replaced`."""
    result = f"{clip.name}.txt"
    contents = {result: "".join(",".join(f"{value:.6f}" for value in row) + "\n" for row in rows.tolist()).encode(), **(beside or {})}
    record = {**stamp, "files": {name: sha256(content) for name, content in contents.items()}}
    if (folder / result).is_file() and (before := read_bytes(folder / result)) != contents[result]:
        write_whole({folder / "replaced" / f"{clip.name}.{sha256(before)[:12]}.txt": before})
    files = {folder / name: content for name, content in contents.items()}
    write_whole({**files, folder / "made" / f"{clip.name}.json": to_json(record)})


def lacks(clip: Clip, folder: Path, maker: str, data: str) -> str | None:
    """What keeps a result from being used: nothing (None), or the reason in words."""
    path = folder / f"{clip.name}.txt"
    if not path.is_file():
        return "no result"
    try:
        boxes = boxes_from_file(path)
    except BadData as error:
        return f"damaged: {error}"
    try:
        record = read_record(clip, folder)
        files, by, of = dict(record["files"]), record["tracker"], record["data"]
    except (BadData, ValueError, KeyError, TypeError):
        return "its record is missing or damaged"
    if len(boxes) != len(clip.frames):
        return f"{'short' if len(boxes) < len(clip.frames) else 'long'}: {len(boxes)} rows for {len(clip.frames)} frames"
    if not np.isfinite(boxes).all():
        return f"not a number in line {int(np.argmin(np.isfinite(boxes).all(axis=1))) + 1}"
    if of != data:
        return "the data are not those that it was made from (images or ground truth have changed)"
    if by != maker:
        return "made by another tracker, or another version of it"
    changed = [name for name, digest in files.items() if not (folder / name).is_file() or sha256(read_bytes(folder / name)) != digest]
    return f"{', '.join(changed)} changed since it was made" if changed else None


def read_record(clip: Clip, folder: Path) -> dict[str, Any]:
    """By what a result was made, and the SHA-256 of its files.

    Raises:
        BadData: there is no record.
    """
    record: dict[str, Any] = json.loads(read_bytes(folder / "made" / f"{clip.name}.json"))
    return record


def combined(digests: Mapping[str, str]) -> str:
    """SHA-256 of a data set, from those of its sequences."""
    return sha256(to_json(dict(digests)))


def to_json(value: Mapping[str, Any]) -> bytes:
    """JSON whose bytes depend on the value alone."""
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def read_bytes(path: Path) -> bytes:
    """What is in a file.

    Raises:
        BadData: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}).") from error


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
