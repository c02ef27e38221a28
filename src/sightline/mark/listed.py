"""Targets as somebody has written them down, of one video or of many: CSV, JSON, or the text of MOTChallenge; what `sightline track` writes is read, too."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from sightline.box import Box, BoxLike
from sightline.errors import BadData
from sightline.frame import Moment, Seconds, moment_from
from sightline.frame.moment import told

__all__ = ["Listed", "Mark", "Name", "name_from", "read_lists", "read_marks"]

K = TypeVar("K", bound=Hashable)
Name: TypeAlias = int | str  # a name of digits alone is a number

FORMATS = (".csv", ".txt", ".json", ".jsonl")
# Columns, or keys, by the words that people use for them.
WORDS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "target", "id", "track_id"),
    "x": ("x", "left"),
    "y": ("y", "top"),
    "w": ("w", "width"),
    "h": ("h", "height"),
    "frame": ("frame",),
    "last": ("last",),
    "time": ("time",),
    "source": ("source",),
    "start": ("start",),
    "status": ("status",),
}
COLUMNS = "x,y,w,h and, where wanted, name, frame, last"
MOMENT = "the number of a frame, from 0 on, or a time as in 12.5s or 0:12.5"
MOT = ("frame", "name", "x", "y", "w", "h")  # Milan et al., "MOT16", arXiv:1603.00831: frames and pixels are counted from 1


class Mark(NamedTuple, Generic[K]):
    """A target that somebody has marked.

    Attributes:
        key: its name.
        box: x, y, w, h in pixels of the frame that it was marked in.
        frame: number of that frame in its source, from 0, or its time as `Seconds`; None for the first one that is read.
        last: the last frame that it is followed in, or the last time; None for the end of the source.
    """

    key: K
    box: BoxLike
    frame: Moment | None = None
    last: Moment | None = None


class Listed(NamedTuple):
    """Targets of one video of a list.

    Attributes:
        source: what `sightline.read` takes, as text; a relative path is seen from the list, and made absolute.
        start: where reading begins.
        marks: the targets.
    """

    source: str
    start: Moment
    marks: list[Mark[Name]]


def most_at_once(marks: Iterable[Mark[Any]]) -> int:
    """How many targets are followed in the same frame, at most; one that is marked again is one all the while.

    Where some are marked by frames and some by times, nothing is known of who meets whom: all may.
    """
    spans: dict[Hashable, tuple[float, float]] = {}
    kinds: set[type] = set()
    for key, _, frame, last in marks:
        kinds |= {type(moment) for moment in (frame, last) if moment}
        begin, end = spans.get(key, (math.inf, -math.inf))
        spans[key] = min(begin, frame or 0), max(end, math.inf if last is None else last)
    if len(kinds) > 1:
        return len(spans)
    changes = sorted(
        (moment, is_end) for span in spans.values() for is_end, moment in enumerate(span)
    )  # who comes in a frame meets who leaves in it
    return max(itertools.accumulate(-1 if is_end else 1 for _, is_end in changes), default=0)


class _Row(NamedTuple):
    """One row of a file: its place there, and what it says."""

    place: str
    name: Name | None
    box: Box
    frame: Moment | None
    last: Moment | None
    start: Moment | None = None
    source: str | None = None
    is_lost: bool = False


class _Table(NamedTuple):
    """Rows of a file, and whether they are tracks: a row for every frame of a target."""

    rows: Sequence[_Row]
    are_tracks: bool


def read_marks(path: str | Path, *, first: int = 1, source: str | None = None) -> list[Mark[Name]]:
    """Targets from a file.

    A row marks a target: x, y, w, h (or left, top, width, height) in pixels and, where wanted, name (or target, id, track_id), frame (or start, or time in
    seconds) and last as in `Mark`, times written as 12.5s or 0:12.5. A second row of the same name marks it anew, in a later frame. Rows without a name are
    targets of their own, numbered in their order. Where rows name a source, as lists of `sightline batch` do, those of `source` alone are taken.

    Of tracks, which have a row for every frame, each target's first row marks it and its last one says when it ends: those that
    `sightline track` writes (they have a column status), and the text of MOTChallenge (frame,id,x,y,w,h,...).

    Args:
        path: .csv with a header, or only numbers: x,y,w,h or MOTChallenge's; .txt with such numbers, blanks between them will do; .json, a list of
            objects with these keys, or of lists of four numbers, or an object whose keys are the names; .jsonl, one object in each line.
        first: number of the first target without a name.
        source: the video whose targets are wanted; None where the file is about one only.

    Raises:
        BadData: the file cannot be read, or a row is wrong, and the message says which, and what in it; or it has no target of `source`.
    """
    path = Path(path)
    table = _read(path)
    rows = [row._replace(frame=row.start if row.frame is None else row.frame) for row in _rows_of(source, table.rows, path)]
    return _marks(table._replace(rows=rows), first)


def read_lists(path: str | Path) -> list[Listed]:
    """Targets of many videos from a file: as for `read_marks`, and every row has a source.

    Rows of the same source and start (a frame, or a time, where reading begins; a target that says no frame begins there) are one video.

    Raises:
        BadData: as `read_marks`, or a row has no source.
    """
    path = Path(path)
    table = _read(path)
    groups: dict[tuple[str, Moment], list[_Row]] = {}
    for row in table.rows:
        if not row.source:
            raise BadData(f"{row.place} has no source; expected a list of videos, a target in each row: source,{COLUMNS}, start.")
        groups.setdefault((_absolute(row.source, path), row.start or 0), []).append(row)
    return [Listed(source, start, _marks(table._replace(rows=rows), 1)) for (source, start), rows in groups.items()]


def _rows_of(source: str | None, rows: Sequence[_Row], path: Path) -> Sequence[_Row]:
    """Those about one source: all, where they name none."""
    if not any(row.source for row in rows):
        return rows
    named = dict.fromkeys(row.source or "" for row in rows)
    if source is None and len(named) == 1:
        return rows
    asked = None if source is None else {source, str(Path(source).resolve())}
    found = [row for row in rows if asked and row.source and not asked.isdisjoint((row.source, _absolute(row.source, path)))]
    if not found:
        others = ", ".join(list(named)[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
        raise BadData(f"{path} has no target of {source or 'one video alone'}; its column source names {others}.")
    return found


def _absolute(source: str, path: Path) -> str:
    """A file beside the list as a path that every process finds; addresses and numbers of cameras as they are."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", source) or source.isdigit():
        return source
    return str((path.parent / source).resolve())


def _read(path: Path) -> _Table:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise BadData(f"{path} has the suffix {path.suffix!r}; expected a list of boxes that ends in {' or '.join(FORMATS)}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadData(f"{path} does not exist; expected a file with a box in each row: {COLUMNS}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path} cannot be read ({error}); expected text with a box in each row: {COLUMNS}.") from error
    table = reader(path, text)
    if not table.rows:
        raise BadData(f"{path} has no boxes; expected a row for each target: {COLUMNS}.")
    return table


def _marks(table: _Table, first: int) -> list[Mark[Name]]:
    return _marks_of_tracks(table.rows, first) if table.are_tracks else _marks_of(table.rows, first)


def _marks_of(rows: Sequence[_Row], first: int) -> list[Mark[Name]]:
    """Every row as a mark."""
    marks: list[Mark[Name]] = []
    seen: set[tuple[Name, Moment | None]] = set()
    for row in rows:
        name = row.name
        if name is None:
            name, first = first, first + 1
        if (name, row.frame) in seen:
            raise BadData(f"{row.place}: target {name!r} is marked twice in the same frame; give each target a name of its own.")
        seen.add((name, row.frame))
        marks.append(Mark(name, row.box, row.frame, row.last))
    return marks


def _marks_of_tracks(rows: Sequence[_Row], first: int) -> list[Mark[Name]]:
    """The first row of each target in which it is not lost, until its last one; one without a name is the only one."""
    begun: dict[Name, Mark[Name]] = {}
    for row in sorted(rows, key=lambda row: -1 if row.frame is None else row.frame):
        name = first if row.name is None else row.name
        if name in begun or not row.is_lost:  # a box of a lost target is a guess
            begun[name] = begun.get(name, Mark(name, row.box, row.frame))._replace(last=row.frame)
    if not begun:
        raise BadData(f"{rows[0].place}: the target is lost here and in all other rows; expected one in which it is seen.")
    return list(begun.values())


def _from_csv(path: Path, text: str) -> _Table:
    lines = [(number, words) for number, words in _split(path, text) if any(words)]
    if not lines or all(_is_number(word) for word in lines[0][1]):
        return _from_numbers(path, lines, several=True)
    [(number, header), *rest] = lines
    columns = _columns(header)
    missing = [column for column in "xywh" if column not in columns]
    if missing:
        raise BadData(f"{path}:{number}: no column {missing[0]!r} in {','.join(header)!r}; expected a first line with {COLUMNS}.")
    rows = []
    needed = max(columns[column] for column in "xywh") + 1
    for number, words in rest:
        if len(words) < needed or any(words[len(header) :]):
            raise BadData(f"{path}:{number}: {len(words)} columns, and {len(header)} in the first line; expected as many.")
        words += [""] * (len(header) - len(words))  # what is not needed may be left out at the end
        values = {column: words[place] for column, place in columns.items()}
        rows.append(
            _row(f"{path}:{number}", values, {column: f"column {place + 1} ({header[place]})" for column, place in columns.items()})
        )
    return _Table(rows, "status" in columns)


def _split(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines of CSV as words, numbered; semicolons and tabs separate as well, if the first line has them."""
    head = text.lstrip().partition("\n")[0]
    between = next((sign for sign in ";\t" if sign in head), ",")
    reader = csv.reader(io.StringIO(text), delimiter=between, skipinitialspace=True)
    try:
        for words in reader:
            yield reader.line_num, [word.strip() for word in words]
    except csv.Error as error:
        raise BadData(f"{path}:{reader.line_num}: {error}; expected words with {between!r} between them.") from error


def _from_text(path: Path, text: str) -> _Table:
    lines = [(number, re.split(r"[,;\s]+", line.strip(" \t,;"))) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    return _from_numbers(path, lines, several=False)


def _from_numbers(path: Path, lines: Iterable[tuple[int, Sequence[str]]], *, several: bool) -> _Table:
    """Rows without a header: four numbers are a box, six or more a row of MOTChallenge. Unless there may be `several`, only one row may be a box."""
    rows: list[_Row] = []
    width = 0
    for number, words in lines:
        place = f"{path}:{number}"
        width = width or len(words)
        if width != 4 and width < len(MOT):
            raise BadData(
                f"{place}: {width} numbers; expected four, x,y,w,h, or frame,id,x,y,w,h and more, or a first line with {COLUMNS}."
            )
        if len(words) != width:
            raise BadData(f"{place}: {len(words)} columns, and {width} in the first line; expected as many.")
        if rows and width == 4 and not several:
            raise BadData(
                f"{place}: a second box of four numbers in a {path.suffix} may be a second target, or the next frame of the first; "
                f"for targets call it .csv, for the first line alone give --box {','.join(f'{value:g}' for value in rows[0].box)}."
            )
        columns = "xywh" if width == 4 else MOT
        row = _row(place, dict(zip(columns, words, strict=False)), {column: f"column {i}" for i, column in enumerate(columns, start=1)})
        rows.append(row if width == 4 else _from_mot(row))
    return _Table(rows, width > 4)


def _from_mot(row: _Row) -> _Row:
    """A row that counts from 1, as one that counts from 0."""
    if isinstance(row.frame, Seconds) or row.frame == 0:
        raise BadData(
            f"{row.place}: column 1 is {row.frame}; expected the number of a frame, which counts from 1 in MOTChallenge's format."
        )
    if row.name is None or row.name == "-1":
        raise BadData(f"{row.place}: column 2 is {row.name}: boxes without identities are no tracks; expected a number for each target.")
    box = row.box._replace(x=row.box.x - 1, y=row.box.y - 1)
    return row._replace(box=box, frame=None if row.frame is None else row.frame - 1)


def _from_json(path: Path, text: str) -> _Table:
    said = _parsed(f"{path}", text)
    if isinstance(said, dict) and not set("xywh") <= _columns(list(said)).keys() and not {"box", "bbox"} & said.keys():
        entries = [(f"{path}: {name!r}", _entry(box) | {"name": name}) for name, box in said.items()]
    elif isinstance(said, dict | list):
        listed = said if isinstance(said, list) else [said]
        entries = [(f"{path}: entry {i}", _entry(entry)) for i, entry in enumerate(listed, start=1)]
    else:
        raise BadData(f"{path} is neither a list nor an object; expected a list of objects with {COLUMNS}.")
    return _from_entries(entries)


def _from_jsonl(path: Path, text: str) -> _Table:
    lines = [(f"{path}:{number}", line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    return _from_entries([(place, _entry(_parsed(place, line))) for place, line in lines])


def _parsed(place: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno} " if "\n" in text.strip() else ""
        raise BadData(f"{place}: no JSON ({error.msg} at {line}column {error.colno}); expected an object with {COLUMNS}.") from None


def _entry(said: Any) -> dict[str, Any]:
    """An object as it is, or with its box spread out; four numbers as an object; nothing of what else there may be."""
    if isinstance(said, list):
        return dict(zip("xywh", said, strict=True)) if len(said) == 4 else {}
    if not isinstance(said, dict):
        return {}
    box = said.get("box", said.get("bbox"))
    return said | (dict(zip("xywh", box, strict=True)) if isinstance(box, list) and len(box) == 4 else {})


def _from_entries(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> _Table:
    rows, are_tracks = [], False
    for place, entry in entries:
        columns = _columns(list(entry))
        missing = [column for column in "xywh" if column not in columns]
        if missing:
            raise BadData(f"{place} has no {missing[0]!r}; expected an object with {COLUMNS}, or four numbers x, y, w, h.")
        keys = list(entry)
        are_tracks = are_tracks or "status" in columns
        values = {column: entry[keys[at]] for column, at in columns.items()}
        rows.append(_row(place, values, {column: repr(keys[at]) for column, at in columns.items()}))
    return _Table(rows, are_tracks)


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Where each of `WORDS` stands in a header."""
    lower = [word.strip().lower() for word in header]
    found = {column: [lower.index(word) for word in words if word in lower] for column, words in WORDS.items()}
    return {column: places[0] for column, places in found.items() if places}


def _row(place: str, values: Mapping[str, Any], called: Mapping[str, str]) -> _Row:
    """A row from words or JSON values; `called` is what messages call each."""
    box = Box(*(_number(place, called[column], values[column]) for column in "xywh"))
    for column in "wh":
        if getattr(box, column) <= 0:
            raise BadData(f"{place}: {called[column]} is {values[column]}; expected a size in pixels, more than 0 (x,y,w,h, not corners).")
    frame, last, start = (_moment(place, called, values, column) for column in ("frame", "last", "start"))
    frame = _moment(place, called, values, "time") if frame is None else frame
    begin = next((moment for moment in (frame, start) if moment is not None), 0)
    if last is not None and type(last) is type(begin) and last < begin:
        raise BadData(
            f"{place}: {called['last']} is {values['last']}, before {told(begin)}; expected the last frame that the target is followed in."
        )
    source, status = (None if values.get(word) is None else str(values[word]).strip() for word in ("source", "status"))
    return _Row(place, name_from(values.get("name")), box, frame, last, start, source, status == "lost")


def _number(place: str, called: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise BadData(f"{place}: {called} is {value!r}; expected a number of pixels.")
    return number


def _moment(place: str, called: Mapping[str, str], values: Mapping[str, Any], column: str) -> Moment | None:
    """A frame's number, or a time, of which the column `time` has the plain seconds; None where nothing is said."""
    value = values.get(column)
    if value is None or value == "":
        return None
    moment = moment_from(value) if isinstance(value, str) else None
    if column == "time" and not isinstance(moment, Seconds):
        number = _number(place, called[column], value)
        moment = Seconds(number) if number >= 0 else None
    elif moment is None and not isinstance(value, bool) and _is_number(str(value)) and float(value) == int(float(value)) >= 0:
        moment = int(float(value))  # 12.0, as tables of numbers are written
    if moment is None:
        raise BadData(f"{place}: {called[column]} is {value!r}; expected {MOMENT}.")
    return moment


def name_from(value: Any) -> Name | None:
    """A name out of a word or a number; None where nothing is said."""
    text = "" if value is None else str(value).strip()
    return int(text) if text.isascii() and text.isdecimal() else text or None


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


_READERS: Mapping[str, Callable[[Path, str], _Table]] = {".csv": _from_csv, ".txt": _from_text, ".json": _from_json, ".jsonl": _from_jsonl}
