"""Many videos: each is followed as a whole and leaves one Parquet file, so that what is done stays done.

Needs pyarrow (extra `parquet`). A folder of such files is one table to whoever reads Parquet: `pyarrow.dataset.dataset(folder)`, `pandas.read_parquet(folder)`, DuckDB, Spark.

Columns: `video` the source as the list of jobs has it; `target` its name; `frame` index from 0 and `time` in seconds (null where the source has no
clock); `x`, `y`, `w`, `h` in pixels of the frame; `score` (null where the tracker gives none); `status`: tracked, uncertain or lost.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from sightline.errors import BadData, SightlineError
from sightline.fleet import Lost, Pool
from sightline.frame import Moment
from sightline.frame.moment import told
from sightline.loop import follow_all
from sightline.mark import Mark, read_lists
from sightline.tracker import Tracker
from sightline.weights import write_whole

__all__ = ["Done", "Job", "read_jobs", "run"]

MADE = b"sightline.made"  # keys of a file's metadata
PROBLEM = b"sightline.problem"


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One video and its targets.

    Attributes:
        source: what `sightline.read` takes, as text.
        start: where reading begins: a frame, from 0, or a time.
        marks: the targets; one that says no frame begins there.
    """

    source: str
    start: Moment
    marks: Sequence[Mark[str]]

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.source} from {told(self.start)}" if self.start else self.source

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
        boxes = {mark.key: list(mark.box) for mark in self.marks}
        known: list[object] = [made_by, self.source, self.start, boxes]
        if any(mark.frame is not None or mark.last is not None for mark in self.marks):
            known += [[mark.key, *mark.box, repr(mark.frame), repr(mark.last)] for mark in self.marks]
        content, path = hashlib.sha256(json.dumps(known).encode()), Path(self.source)
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
    """The list of videos, as `sightline.mark.read_lists` reads it: rows of the same source and start are targets of one video.

    Raises:
        BadData: the list cannot be read, is empty, or a line of it is wrong.
    """
    lists = read_lists(path)
    return [Job(source, start, [Mark(str(mark.key), *mark[1:]) for mark in marks]) for source, start, marks in lists]


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
        for step in follow_all(job.source, boxes=job.marks, tracker=tracker, start=job.start):
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
