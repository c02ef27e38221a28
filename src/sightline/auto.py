"""Which engine is fastest here: measured for about a second, and remembered.

What is measured is a whole update on a noisy picture, in turns. What came of it lies in the cache folder, under everything that it depends
on: the processor, how many cores, the versions of the engines, the threads, and the content of the weights files. A file there that cannot
be read, or that says something else, is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sightline.box import Box
from sightline.engines import COMPUTES, ENGINES, PRECISIONS, Precision, Session, engine_of, open_session
from sightline.engines.cores import num_cores, processor
from sightline.errors import EngineError, MissingExtra, SightlineError, WeightsMismatch, WeightsMissing
from sightline.frame import Frame
from sightline.methods import Method
from sightline.spec import Spec
from sightline.weights import cache_folder, int8_in, int8_path, kind_of, sha256_of, write_whole

__all__ = ["Way", "choose", "fastest", "measure", "ways"]

SECONDS, ROUNDS = 1.0, 4  # of all ways together; of each
PAUSE = 0.02  # seconds between two: threads of the one before still spin
WORTH = 1.05  # how much faster a rougher way, or another engine than the first, has to be


class Way(NamedTuple):
    """An engine, and what it computes in."""

    engine: str
    precision: Precision

    def __str__(self) -> str:
        return f"{self.engine} {self.precision}"


def choose(
    path: Path,
    method_of: Callable[[Session], Method[Any]],
    *,
    roughest: Precision = "f32",
    threads: int | None = None,
    device: str = "cpu",
    spec: Spec | None = None,
) -> Way:
    """The fastest way to run a weights file on this machine.

    Args:
        path: the file.
        method_of: what makes a tracker's method of an opened network.
        roughest: precision that is allowed at most. In f32 the boxes are those of every other machine, so nothing else is taken unasked.
        threads: of one call; None for one per physical core.
        device: as the engines name it.
        spec: what the network is, where the file does not say.

    Raises:
        WeightsMissing, EngineError: there is no way at all; the message is that of the first one.
    """
    possible = ways(path, roughest)
    if len(possible) == 1:
        return possible[0]
    facts = _facts(path, possible, threads, device)
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    kept = cache_folder() / "engines" / f"{path.stem}-{key[:16]}.json"
    known = _read(kept, facts, possible)
    if known is not None:
        return known
    times = measure(_runs(path, possible, method_of, threads=threads, device=device, spec=spec))
    best = fastest(times)
    milliseconds = {str(way): statistics.median(taken) * 1e3 for way, taken in times.items()}
    told = {"engine": best.engine, "precision": best.precision, "milliseconds": milliseconds, "for": facts}
    with contextlib.suppress(WeightsMissing):  # a folder that cannot be written to: measured again the next time
        write_whole({kept: (json.dumps(told, indent=1) + "\n").encode()})
    return best


def ways(path: Path, roughest: Precision) -> list[Way]:
    """How a weights file could be run with what is installed here, the plainest first."""
    if kind_of(path) != "onnx":
        return [Way(engine_of(path), roughest)]
    if int8_in(path) is not None:  # asked for by its name
        engine = engine_of(path)
        is_mixed = "bf16" in roughest and "int8+bf16" in COMPUTES[engine]
        return [Way(engine, "int8"), *([Way(engine, "int8+bf16")] if is_mixed else [])]
    allowed = PRECISIONS[: PRECISIONS.index(roughest) + 1]
    found = []
    for engine in ("onnxruntime", "openvino"):
        if not _is_installed(engine):
            continue
        quantised = int8_path(path, engine).is_file()
        found += [
            Way(engine, precision) for precision in allowed if precision in COMPUTES[engine] and (quantised or "int8" not in precision)
        ]
    return found


def measure(
    runs: Mapping[Way, Callable[[], object]],
    *,
    clock: Callable[[], float] = time.perf_counter,
    pause: Callable[[float], object] = time.sleep,
) -> dict[Way, list[float]]:
    """The median seconds of a call in each of several rounds, in which all take turns."""
    times: dict[Way, list[float]] = {way: [] for way in runs}
    for _ in range(ROUNDS):
        for way, run in runs.items():
            pause(PAUSE)
            run()
            taken: list[float] = []
            began = clock()
            while not taken or clock() - began < SECONDS / ROUNDS / len(runs):
                start = clock()
                run()
                taken.append(clock() - start)
            times[way].append(statistics.median(taken))
    return times


def fastest(times: Mapping[Way, Sequence[float]]) -> Way:
    """The way to take, by the median of its rounds: the most exact one that is within 5 % of the fastest; of equals the first engine."""
    medians = {way: statistics.median(taken) for way, taken in times.items()}
    good = [way for way in medians if medians[way] <= WORTH * min(medians.values())]
    return min(good, key=lambda way: (PRECISIONS.index(way.precision), list(ENGINES).index(way.engine)))


def _runs(
    path: Path, possible: Iterable[Way], method_of: Callable[[Session], Method[Any]], *, threads: int | None, device: str, spec: Spec | None
) -> dict[Way, Callable[[], object]]:
    """An update by every way that can be opened here; where none can, the error of the first."""
    runs: dict[Way, Callable[[], object]] = {}
    problems: list[SightlineError] = []
    for way in possible:
        try:
            session = open_session(path, engine=way.engine, threads=threads, device=device, spec=spec, precision=way.precision)
            runs[way] = _update(method_of(session))
        except (EngineError, MissingExtra, WeightsMismatch, WeightsMissing) as error:  # of one in int8, too: the others go on
            problems.append(error)
    if not runs:
        raise problems[0]
    return runs


def _update(method: Method[Any]) -> Callable[[], object]:
    """An update from always the same state; called once, so that whatever fails does so here."""
    frame = Frame(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))
    state = method.begin(frame, Box(280, 200, 80, 80))

    def run() -> object:
        return method.advance([frame], [state])

    run()
    return run


def _facts(path: Path, possible: Iterable[Way], threads: int | None, device: str) -> dict[str, Any]:
    """Everything that the choice depends on."""
    possible = list(possible)
    quantised = {int8_path(path, way.engine) for way in possible if "int8" in way.precision and int8_in(path) is None}
    return {
        "ways": [str(way) for way in possible],
        "weights": {file.name: sha256_of(file) for file in sorted({path} | quantised)},
        "threads": threads,
        "device": device,
        "processor": processor(),
        "cores": num_cores(),
        "versions": {engine: _version(engine) for engine in sorted({way.engine for way in possible})},
    }


def _is_installed(engine: str) -> bool:
    return importlib.util.find_spec(engine) is not None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # a build under another name
        return "unknown"


def _read(path: Path, facts: Mapping[str, Any], possible: Sequence[Way]) -> Way | None:
    """What was chosen before; None where nothing was, or what is there makes no sense."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        way = Way(told["engine"], told["precision"])
        return way if told["for"] == facts and way in possible else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
