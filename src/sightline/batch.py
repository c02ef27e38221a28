"""Many videos: each is followed as a whole and leaves one Parquet file, so that what is done stays done.

Needs pyarrow (extra `parquet`). A folder of such files is one table to whoever reads Parquet: `pyarrow.dataset.dataset(folder)`, `pandas.read_parquet(folder)`, DuckDB, Spark.

Columns: `video` the source as the list of jobs has it; `target` its name; `frame` index from 0 and `time` in seconds (null where the source has no
clock); `x`, `y`, `w`, `h` in pixels of the frame; `score` (null where the tracker gives none); `status`: tracked, uncertain or lost.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from sightline.box import Box
from sightline.errors import BadData, SightlineError
from sightline.fleet import Lost, Pool
from sightline.loop import follow_all
from sightline.tracker import Tracker
from sightline.weights import write_whole

__all__ = ["Done", "Job", "read_jobs", "run"]

NEEDED = ("source", "x", "y", "w", "h")
MADE = b"sightline.made"  # keys of a file's metadata
PROBLEM = b"sightline.problem"


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One video and its targets.

    Attributes:
        source: what `sightline.read` takes, as text.
        start: frame to begin at, from 0.
        boxes: of each target in that frame, by its name.
    """

    source: str
    start: int
    boxes: Mapping[str, Box]

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.source} from frame {self.start}" if self.start else self.source

    @property
    def file(self) -> str:
        """Name of its results: the source's, and a few letters of what tells it from others of that name."""
        stem = re.sub(r"[^\w.-]+", "-", Path(self.source).stem or "video").strip("-")
        return f"{stem}-{hashlib.sha256(f'{self.source}|{self.start}'.encode()).hexdigest()[:8]}.parquet"

    def digest(self, made_by: str) -> str:
        """SHA-256 of all that decides about its boxes: tracker, boxes, start, and the bytes of the source (of a folder, names and sizes).

        Raises:
            BadData: the source cannot be read.
        """
        told = json.dumps([made_by, self.source, self.start, {name: list(box) for name, box in self.boxes.items()}])
        content, path = hashlib.sha256(told.encode()), Path(self.source)
        try:
            if path.is_dir():
                for file in sorted(path.iterdir()):
                    content.update(f"{file.name} {file.stat().st_size}\n".encode())
            elif path.is_file():
                with path.open("rb") as opened:
                    content.update(hashlib.file_digest(opened, "sha256").digest())
        except OSError as error:
            raise BadData(f"{self.source} cannot be read ({error.strerror}).") from error
        return content.hexdigest()


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did, by the names of the jobs.

    Attributes:
        skipped: whose results were complete.
        made: frames that were tracked now.
        failed: the reason; a video that broke off half-way has the frames before that in its file, and is tried again next time.
    """

    skipped: tuple[str, ...]
    made: Mapping[str, int]
    failed: Mapping[str, str]


def read_jobs(path: Path) -> list[Job]:
    """The list of videos: .csv with the columns source, x, y, w, h and, where wanted, start and target; or .jsonl with those keys.

    Rows with the same source and start are targets of one video, numbered from 1 where they have no names. Relative sources are
    relative to the list.

    Raises:
        BadData: the list cannot be read, is empty, or a line of it is wrong.
    """
    found: dict[tuple[str, int], dict[str, Box]] = {}
    for place, row in _rows(path):
        try:
            source, start = str(row["source"]), int(row.get("start") or 0)
            box = Box(*(float(row[key]) for key in "xywh"))
            if not source or start < 0 or not all(map(math.isfinite, box)):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise BadData(
                f"{place}: {json.dumps(dict(row))} is no job; expected source, x, y, w, h and, where wanted, start (0 or more) and target."
            ) from None
        boxes = found.setdefault((_absolute(source, path), start), {})
        name = str(row.get("target") or len(boxes) + 1)
        if name in boxes:
            raise BadData(f"{place}: {source} has a target {name!r} already; give each a name of its own.")
        boxes[name] = box
    if not found:
        raise BadData(f"{path} lists no video; expected a line for each target.")
    return [Job(source, start, boxes) for (source, start), boxes in found.items()]


def run(
    jobs: Sequence[Job], folder: Path, *, tracker: Tracker[Any], made_by: str, pool: Pool, report: Callable[[Job], None] = lambda _: None
) -> Done:
    """Follow the targets of every video whose results are not complete.

    Args:
        jobs: from `read_jobs`.
        folder: for the results, one file for each job.
        tracker: any; copies of it are used.
        made_by: digest of what `tracker` is; results of another one are made anew.
        pool: where to run.
        report: called for each job that is done or skipped.

    Raises:
        WeightsMissing: a file cannot be written.
    """
    stamps, failed = {}, {}
    for job in jobs:
        try:
            stamps[job] = job.digest(made_by)
        except BadData as error:
            failed[job.name] = str(error)
    skipped = [job for job in stamps if _stamp(folder / job.file) == stamps[job]]
    for job in skipped:
        report(job)
    due = [job for job in stamps if job not in skipped]
    made: dict[str, int] = {}
    for number, result in pool.map(functools.partial(_follow, tracker=tracker, folder=folder), [(job, stamps[job]) for job in due]):
        job = due[number]
        frames, problem = (0, result.reason) if isinstance(result, Lost) else result
        if problem is None:
            made[job.name] = frames
        else:
            failed[job.name] = problem
        report(job)
    return Done(tuple(job.name for job in skipped), made, failed)


def _follow(job_and_stamp: tuple[Job, str], *, tracker: Tracker[Any], folder: Path) -> tuple[int, str | None]:
    """Track one video and write its file: frames, and what ended it early."""
    job, stamp = job_and_stamp
    columns: dict[str, list[Any]] = {key: [] for key in ("target", "frame", "time", "x", "y", "w", "h", "score", "status")}
    frames, problem = 0, None
    try:
        for step in follow_all(job.source, boxes=job.boxes, tracker=tracker, start=job.start):
            frames += 1
            for name, estimate in step.estimates.items():
                score = None if math.isnan(estimate.score) else estimate.score
                row = (name, step.frame.index, step.frame.time, *estimate.box, score, estimate.status)
                for column, value in zip(columns.values(), row, strict=True):
                    column.append(value)
    except SightlineError as error:
        problem = str(error)
    if frames:
        write_whole({folder / job.file: _parquet(job, columns, stamp if problem is None else "", problem)})
    return frames, problem if problem is None or not frames else f"{problem} Kept: {frames} frames."


def _parquet(job: Job, columns: Mapping[str, list[Any]], stamp: str, problem: str | None) -> bytes:
    words = pa.dictionary(pa.int32(), pa.string())
    kinds = {"target": words, "frame": pa.int64(), "status": words} | dict.fromkeys(("time", "x", "y", "w", "h", "score"), pa.float64())
    video = pa.array([job.source] * len(columns["frame"]), words)
    arrays = {"video": video, **{name: pa.array(values, kinds[name]) for name, values in columns.items()}}
    told = {MADE: stamp.encode(), PROBLEM: (problem or "").encode()}
    content = io.BytesIO()
    parquet.write_table(pa.table(arrays).replace_schema_metadata(told), content, compression="zstd")
    return content.getvalue()


def _stamp(path: Path) -> str | None:
    """What a whole file of results was made by; None where there is none."""
    try:
        told = parquet.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    stamp: bytes = told.get(MADE, b"")
    return stamp.decode() or None


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Lines of the list, each with its place for messages."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path} cannot be read ({error}); expected a list of videos, .csv or .jsonl.") from error
    if path.suffix.lower() == ".jsonl":
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                if not isinstance(row, dict):
                    raise BadData(f"{path}:{number}: {line.strip()[:60]!r} is no JSON object.")
                yield f"{path}:{number}", row
        return
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    lacking = [name for name in NEEDED if name not in (reader.fieldnames or ())]
    if lacking:
        raise BadData(f"{path} has no column {lacking[0]!r}; expected the first line source,x,y,w,h and, where wanted, start,target.")
    for row in reader:
        yield f"{path}:{reader.line_num}", row


def _absolute(source: str, path: Path) -> str:
    """A file beside the list as a path that every process finds; addresses and numbers of cameras as they are."""
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", source) or source.isdigit():
        return source
    return str((path.parent / source).resolve())
