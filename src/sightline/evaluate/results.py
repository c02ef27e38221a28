"""Results as files: what made them, whether they are whole, how they are written.

OUTPUT/DATASET/TRACKER/          and of a protocol other than one pass its folder in there
  ...                            boxes, scores and times, in the coordinates of the data set's own files: see the protocol
  made/SEQUENCE.json             by what those of a sequence were made, and their SHA-256: written last
  replaced/                      results that a later run has made anew
  run.json  summary.json         what the tracker, the machine and the data were; the figures, or what is missing
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.engines import Opening
from sightline.errors import BadData
from sightline.evaluate.dataset import Clip, Dataset
from sightline.weights import write_whole

__all__ = [
    "Maker",
    "combined",
    "lacks",
    "make_folder",
    "maker_of",
    "read_bytes",
    "read_record",
    "rows_to_text",
    "sha256",
    "to_json",
    "write_result",
]

Floats = NDArray[np.float64]

OTHERWISE = {  # parts of a stamp, and what is said where they differ
    "data": "the data are not those that it was made from (images or ground truth have changed)",
    "tracker": "made by another tracker, or another version of it",
    "protocol": "made by another protocol, or another version of it",
}


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


def maker_of(name: str, opening: Opening, spec_json: str, *, versions: Mapping[str, str | None]) -> Maker:
    """What a tracker of a weights file is, by the content of what is read.

    Raises:
        BadData: a file cannot be read.
    """
    hashes = {path.name: sha256(read_bytes(path)) for path in opening.files()}
    return Maker(name, {"spec": json.loads(spec_json), "weights_sha256": hashes, "engine": opening.label, "versions": dict(versions)})


def make_folder(output: Path, dataset: Dataset, tracker: str) -> Path:
    """Where the results of a tracker on a data set belong."""
    return output / dataset.name.replace(":", "-") / tracker


def write_result(
    clip: Clip, folder: Path, results: Mapping[str, bytes], *, stamp: Mapping[str, str], beside: Mapping[str, bytes] | None = None
) -> None:
    """All files of a sequence, the record last; older results that differ are kept in `replaced`.

    Args:
        clip: what was tracked.
        folder: of one tracker, one data set and one protocol.
        results: names below `folder`, and contents.
        stamp: what `lacks` will ask for, and what else the record should tell.
        beside: further files, which are not kept when they are made anew.

    Raises:
        WeightsMissing: a file cannot be written.
    """
    contents = {**results, **(beside or {})}
    record = {**stamp, "files": {name: sha256(content) for name, content in contents.items()}}
    for name, content in results.items():
        if (folder / name).is_file() and (before := read_bytes(folder / name)) != content:
            kept = folder / "replaced" / name
            write_whole({kept.with_name(f"{kept.stem}.{sha256(before)[:12]}{kept.suffix}"): before})
    files = {folder / name: content for name, content in contents.items()}
    write_whole({**files, folder / "made" / f"{clip.name}.json": to_json(record)})


def rows_to_text(rows: Floats) -> bytes:
    """Boxes (T, 4) as lines of x,y,w,h."""
    return "".join(",".join(f"{value:.6f}" for value in row) + "\n" for row in rows.tolist()).encode()


def lacks(clip: Clip, folder: Path, stamp: Mapping[str, str], problem: Callable[[Clip, Path], str | None]) -> str | None:
    """What keeps results from being used: nothing (None), or the reason in words.

    Args:
        clip: what was tracked.
        folder: of the results.
        stamp: what they have to be of, see `protocols.Protocol.stamp`.
        problem: what is wrong with the files at a first look, `protocols.Protocol.problem`.
    """
    found = problem(clip, folder)
    if found is not None:
        return found
    try:
        record = read_record(clip, folder)
        files, made_of = dict(record["files"]), {key: record[key] for key in stamp}
    except (BadData, ValueError, KeyError, TypeError):
        return "its record is missing or damaged"
    for key, reason in OTHERWISE.items():
        if made_of[key] != stamp[key]:
            return reason
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
