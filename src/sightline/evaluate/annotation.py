"""Numbers in the text files of data sets: boxes, and what is said of frames and sequences beside them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData

__all__ = ["attributes_beside", "boxes_from_file", "flags_from_file", "numbers_from_file", "tags_in", "text_of", "words_of"]

Floats = NDArray[np.float64]


def boxes_from_file(path: Path) -> Floats:
    """(T, 4) boxes of a text file, one row of four numbers each, in any of the usual delimiters.

    Raises:
        BadData: the file cannot be read, or a line is not four numbers.
    """
    return numbers_from_file(path, (0, 1, 2, 3), exact=True)


def numbers_from_file(path: Path, columns: Sequence[int], *, exact: bool = False) -> Floats:
    """(N, len(columns)) the numbers in `columns`; commas, semicolons, tabs and blanks separate alike, empty lines at the end are no rows.

    Raises:
        BadData: the file cannot be read, or a line has too few numbers; with `exact` other columns than these.
    """
    rows = []
    for number, line in enumerate(text_of(path).rstrip().splitlines(), start=1):
        words = words_of(line)
        try:
            row = [float(words[column]) for column in columns]
        except (ValueError, IndexError):
            row = []
        if not row or (exact and len(words) != len(columns)) or any(math.isinf(value) for value in row):
            raise BadData(
                f"{path}:{number}: {line.strip()!r} is not a box; expected {max(columns) + 1} numbers or more, or NaN, as the others."
            )
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, len(columns))


def flags_from_file(path: Path) -> list[float]:
    """All numbers of a file that has one for each frame, in one line or many.

    Raises:
        BadData: it cannot be read, or something is no number.
    """
    values: list[float] = []
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        try:
            values += [float(word) for word in words_of(line)]
        except ValueError:
            raise BadData(f"{path}:{number}: {line.strip()[:40]!r} is not a row of numbers; expected one per frame.") from None
    return values


def tags_in(folder: Path, suffixes: Sequence[str], length: int) -> dict[str, NDArray[np.bool_]]:
    """(length,) bool of every file in a folder with one of the suffixes, by its name: where its numbers are not 0; it may end early.

    Raises:
        BadData: something is no number.
    """
    found = {}
    for path in sorted(folder.iterdir()) if suffixes else ():
        if path.suffix in suffixes:
            values = np.array(flags_from_file(path)[:length], np.float64)
            found[path.stem] = np.pad(values != 0, (0, length - len(values)))
    return found


def attributes_beside(folder: Path) -> frozenset[str]:
    """The list `attributes` of a `meta.json` beside the annotation, if there is one.

    Raises:
        BadData: it has none.
    """
    path = folder / "meta.json"
    if not path.is_file():
        return frozenset()
    try:
        return frozenset(str(value) for value in json.loads(text_of(path)).get("attributes", ()))
    except (ValueError, AttributeError, TypeError) as error:
        raise BadData(f"{path} is not a JSON object with a list of attributes ({error}).") from error


def words_of(line: str) -> list[str]:
    """A line at its commas, semicolons, tabs and blanks."""
    return [word for word in re.split(r"[,;\s]+", line) if word]


def text_of(path: Path) -> str:
    """What a file says.

    Raises:
        BadData: it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path} cannot be read ({error}); expected a text file.") from error
