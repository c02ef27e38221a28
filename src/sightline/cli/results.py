"""Result files: one row per frame and target, and a file that is either whole or not there."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.mark import Name

__all__ = ["FIELDS", "SUFFIXES", "ResultsFile", "Row"]

FIELDS = ("frame", "time", "x", "y", "w", "h", "score", "status")


class Row(NamedTuple):
    """What is written about one target in one frame."""

    frame: int  # index in the source, from 0
    time: float | None  # seconds; None where the source has no clock
    box: Box
    score: float  # NaN where the tracker gives none
    status: str
    target: Name | None = None  # None where there is only one, without a name
    number: int = 1  # of the target, where a format has no names


def _csv(row: Row) -> str:
    time = "" if row.time is None else f"{row.time:.6f}"
    score = "" if math.isnan(row.score) else f"{row.score:.4f}"
    target = "" if row.target is None else f"{_quoted(str(row.target))},"
    return f"{row.frame},{time},{target}{_box(row)},{score},{row.status}"


def _jsonl(row: Row) -> str:
    time = None if row.time is None else round(row.time, 6)
    score = None if math.isnan(row.score) else round(row.score, 4)
    target = () if row.target is None else (row.target,)
    values = (row.frame, time, *target, *(round(value, 3) for value in row.box), score, row.status)
    return json.dumps(dict(zip(_fields(several=row.target is not None), values, strict=True)))


def _txt(row: Row) -> str | None:
    """Of several, a row of MOTChallenge (Milan et al., "MOT16", arXiv:1603.00831), where frames and pixels are counted from 1.

    There every row says that the target is seen, whatever its confidence: the toolkits count it. So a lost one has none. Plain boxes are read by the
    number of their line, and none may be missing.
    """
    if row.target is None:
        return _box(row)
    if row.status == "lost":
        return None
    box = row.box._replace(x=row.box.x + 1, y=row.box.y + 1)
    return f"{row.frame + 1},{row.number},{_box(row._replace(box=box))},{1.0 if math.isnan(row.score) else row.score:.4f},-1,-1,-1"


def _quoted(word: str) -> str:
    """A word as CSV wants it (RFC 4180)."""
    return '"' + word.replace('"', '""') + '"' if any(sign in word for sign in ',"\r\n') else word


def _box(row: Row) -> str:
    return ",".join(f"{value:.3f}" for value in row.box)


def _fields(*, several: bool) -> tuple[str, ...]:
    return (*FIELDS[:2], "target", *FIELDS[2:]) if several else FIELDS


_FORMATS: dict[str, Callable[[Row], str | None]] = {".csv": _csv, ".jsonl": _jsonl, ".txt": _txt}
SUFFIXES = tuple(_FORMATS)


class ResultsFile:
    """Rows go to a hidden file beside the target, which takes the target's place at the end: `write`..., `finish`, `commit`.

    The suffix chooses the format: .csv with a header, .jsonl with the same keys, .txt with plain x,y,w,h. Where there are `several` targets,
    the first two have their names, and .txt is MOTChallenge's format, which has a number for each, and no row where it is lost.

    Raises:
        OSError: from every method, where the file cannot be written; call `abort` then.
    """

    def __init__(self, path: Path, *, several: bool = False) -> None:
        from sightline.weights import part_beside

        self.path = path
        self._format = _FORMATS[path.suffix.lower()]
        self._part = part_beside(path)
        # names may hold bytes that are no text
        self._file = self._part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
        if self._format is _csv:
            self._file.write(",".join(_fields(several=several)) + "\n")

    def write(self, row: Row) -> None:
        """Append one frame, where the format has a row for it."""
        text = self._format(row)
        if text is not None:
            self._file.write(text + "\n")

    def finish(self) -> None:
        """Write what is still buffered; `commit` cannot run out of room after this."""
        self._file.close()

    def commit(self) -> None:
        """Put the finished file in its place, over an older one."""
        self._part.replace(self.path)

    def abort(self) -> None:
        """Leave nothing behind; an older file at the target stays as it was."""
        with contextlib.suppress(OSError):
            self._file.close()  # a full disk refuses what is still buffered
        self._part.unlink(missing_ok=True)
