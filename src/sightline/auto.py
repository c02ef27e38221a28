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
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from sightline.box import Box
from sightline.engines import ENGINES, PRECISIONS, Opening, Session, engine_of
from sightline.engines.cores import num_cores, processor
from sightline.errors import EngineError, MissingExtra, SightlineError, WeightsMismatch, WeightsMissing
from sightline.frame import Frame
from sightline.methods import Method
from sightline.weights import cache_folder, int8_in, kind_of, sha256_of, write_whole

__all__ = ["choose", "fastest", "measure", "ways"]

SECONDS, ROUNDS = 1.0, 4  # of all ways together; of each
PAUSE = 0.02  # seconds between two: threads of the one before still spin
WORTH = 1.05  # how much faster a rougher way, or another engine than the first, has to be


def choose(asked: Opening, method_of: Callable[[Session], Method[Any]]) -> Opening:
    """The fastest way to run a weights file on this machine.

    Args:
        asked: the file with threads, device and spec, the same in all ways. Its precision is the roughest that is allowed: in f32 the boxes are those
            of every other machine, so nothing else is taken unasked. Its engine is open.
        method_of: what makes a tracker's method of an opened network.

    Raises:
        WeightsMissing, EngineError: there is no way at all; the message is that of the first one.
    """
    possible = ways(asked)
    if len(possible) == 1:
        return possible[0]
    facts = _facts(possible)
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    kept = cache_folder() / "engines" / f"{asked.path.stem}-{key[:16]}.json"
    known = _read(kept, facts, possible)
    if known is not None:
        return known
    times = measure(_runs(possible, method_of))
    best = fastest(times)
    milliseconds = {str(way): statistics.median(taken) * 1e3 for way, taken in times.items()}
    told = {"engine": best.engine, "precision": best.precision, "milliseconds": milliseconds, "for": facts}
    with contextlib.suppress(WeightsMissing):  # a folder that cannot be written to: measured again the next time
        write_whole({kept: (json.dumps(told, indent=1) + "\n").encode()})
    return best


def ways(asked: Opening) -> list[Opening]:
    """How a weights file could be opened with what is installed here, the plainest first; `asked` as for `choose`."""
    allowed = PRECISIONS[: PRECISIONS.index(asked.precision) + 1]
    if kind_of(asked.path) != "onnx":  # torch's own, which computes in one precision
        return [replace(asked, engine=engine_of(asked.path), precision="f32")]
    if int8_in(asked.path) is not None:  # asked for by its name, and made for one engine
        plain = replace(asked, engine=engine_of(asked.path), precision="int8")
        mixed = replace(plain, precision="int8+bf16")
        return [plain, mixed] if mixed.precision in allowed and mixed.is_computed else [plain]
    found = [replace(asked, engine=engine, precision=precision) for engine in ("onnxruntime", "openvino") for precision in allowed]
    return [way for way in found if _is_installed(way.engine) and way.is_computed and way.file().is_file()]


def measure(
    runs: Mapping[Opening, Callable[[], object]],
    *,
    clock: Callable[[], float] = time.perf_counter,
    pause: Callable[[float], object] = time.sleep,
) -> dict[Opening, list[float]]:
    """The median seconds of a call in each of several rounds, in which all take turns."""
    times: dict[Opening, list[float]] = {way: [] for way in runs}
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


def fastest(times: Mapping[Opening, Sequence[float]]) -> Opening:
    """The way to take, by the median of its rounds: the most exact one that is within 5 % of the fastest; of equals the first engine."""
    medians = {way: statistics.median(taken) for way, taken in times.items()}
    good = [way for way in medians if medians[way] <= WORTH * min(medians.values())]
    return min(good, key=lambda way: (PRECISIONS.index(way.precision), list(ENGINES).index(way.engine)))


def _runs(possible: Iterable[Opening], method_of: Callable[[Session], Method[Any]]) -> dict[Opening, Callable[[], object]]:
    """An update by every way that can be opened here; where none can, the error of the first."""
    runs: dict[Opening, Callable[[], object]] = {}
    problems: list[SightlineError] = []
    for way in possible:
        try:
            runs[way] = _update(method_of(way.open()))
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


def _facts(possible: Sequence[Opening]) -> dict[str, Any]:
    """Everything that the choice depends on."""
    first = possible[0]
    return {
        "ways": [str(way) for way in possible],
        "weights": {file.name: sha256_of(file) for file in sorted({first.path} | {way.file() for way in possible})},
        "threads": first.threads,
        "device": first.device,
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


def _read(path: Path, facts: Mapping[str, Any], possible: Sequence[Opening]) -> Opening | None:
    """What was chosen before; None where nothing was, or what is there makes no sense."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        chosen, is_for = (told["engine"], told["precision"]), told["for"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return next((way for way in possible if (way.engine, way.precision) == chosen and is_for == facts), None)
