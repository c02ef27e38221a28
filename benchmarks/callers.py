"""What callers of one network are worth: targets of a frame by one caller, by several, and by one with all threads; and their memory.

    python benchmarks/callers.py [--output FILE.json]

Ways take turns, and turns are compared within a round. On Linux a round in which other processes took more than `QUIET` of a core is left
out and made again, for a while: a caller whose core is taken away says nothing about callers.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import tyro

from sightline.box import Box
from sightline.cli.environment import machine
from sightline.engines import COMPUTES
from sightline.engines.cores import num_cores
from sightline.frame import Frame
from sightline.measure.entrants import Many
from sightline.measure.race import Candidate, race
from sightline.measure.sensors import resident_mb
from sightline.measure.subject import rendered
from sightline.tracker import load

QUIET = 0.06  # of a core
STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Row:
    """A tracker on an engine.

    Attributes:
        name: of both.
        alone: milliseconds of a frame, by one caller of one thread.
        callers, threads: how much faster by several callers of one thread, and by one caller with all threads: medians over rounds.
        rounds: that were quiet.
        mb: of memory for each caller more; None where the system does not tell.
    """

    name: str
    alone: float
    callers: float
    threads: float
    rounds: int
    mb: float | None


def busy_seconds() -> float:
    """Of all cores, since the system began, by other processes than this one; 0 where the system does not tell."""
    if not STAT.exists():
        return 0.0
    user, nice, system, _, _, *interrupts = (int(value) for value in STAT.read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK") - time.process_time()


def measured(
    tracker: str,
    engine: str,
    precision: Any,
    frames: Sequence[Frame],
    box: Box,
    *,
    targets: int,
    callers: int,
    rounds: int,
    seconds: float,
    patience: float,
) -> Row:
    """One row; after so many seconds of patience with the machine it has fewer rounds."""
    one = load(tracker, engine=engine, threads=1, precision=precision).method
    alone, together = Candidate("one caller", Many(one, targets)), Candidate("several callers", Many(one, targets, callers))
    race([alone], frames, box, rounds=1, seconds=0)
    gc.collect()  # what the row before has left
    before = resident_mb()
    race([together], frames, box, rounds=3, seconds=0)  # until every caller was there at the same time as all others
    after = resident_mb()
    wide = Candidate("all threads", Many(load(tracker, engine=engine, threads=num_cores(), precision=precision).method, targets))
    found: list[list[float]] = []
    gives_up = time.perf_counter() + patience
    while len(found) < rounds and time.perf_counter() < gives_up:
        others, began = busy_seconds(), time.perf_counter()
        times = race([alone, together, wide], frames, box, rounds=1, seconds=seconds)
        if busy_seconds() - others <= QUIET * (time.perf_counter() - began):
            found.append([row.p50 for row in times])
    nan = float("nan")
    by_callers, by_threads = (statistics.median(times[0] / times[i] for times in found) if found else nan for i in (1, 2))
    return Row(
        f"{tracker} ({engine} {precision})",
        statistics.median(times[0] for times in found) if found else nan,
        by_callers,
        by_threads,
        len(found),
        None if before is None or after is None or callers == 1 else (after - before) / (callers - 1),
    )


def table(rows: Sequence[Row], *, targets: int, callers: int, cores: int) -> str:
    """As markdown."""
    lines = [
        f"| {targets} targets, 1 thread | ms | {callers} callers, times as fast | {cores} threads of one caller, times as fast | MB for a caller more | rounds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.name} | {row.alone:.1f} | {row.callers:.2f} | {row.threads:.2f} | {'-' if row.mb is None else f'{row.mb:.0f}'} | {row.rounds} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(
    trackers: tyro.conf.Positional[tuple[str, ...]] = ("merlin", "kestrel-nano"),
    /,
    *,
    engines: tuple[str, ...] = ("onnxruntime", "openvino"),
    precisions: tuple[str, ...] = ("f32", "bf16"),
    targets: int = 16,
    callers: int = 2,
    rounds: int = 7,
    seconds: float = 0.5,
    patience: float = 40.0,
    output: Path = Path("benchmarks/results/callers.json"),
) -> None:
    """Print the table.

    Args:
        trackers: names or files.
        engines: that run them.
        precisions: what they compute in; an engine that lacks one is left out.
        targets: in each frame.
        callers: of one thread each.
        rounds: that must be quiet.
        seconds: of a turn.
        patience: seconds for each row.
        output: all figures.
    """
    cv2.setNumThreads(1)
    frames, box = rendered((1280, 720), 12)
    rows = [
        measured(
            tracker, engine, precision, frames, box, targets=targets, callers=callers, rounds=rounds, seconds=seconds, patience=patience
        )
        for precision in precisions
        for tracker in trackers
        for engine in engines
        if precision in COMPUTES[engine]
    ]
    numbers = {"targets": targets, "callers": callers, "cores": num_cores()}
    print(table(rows, **numbers))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"machine": machine(), **numbers, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
