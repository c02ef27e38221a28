"""What it takes to begin: a fresh process imports, loads a tracker and says its first box."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import EngineError

if TYPE_CHECKING:
    from sightline.tracker import Tracker

__all__ = ["Start", "resident_mb", "start"]


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of a fresh process, and its memory.

    Attributes:
        imports: until numpy, OpenCV, the engine and the package are imported.
        load: of `load`.
        first: of `init` and the first `update`.
        peak_mb: the largest resident memory, in 2^20 bytes; None where the system does not tell.
    """

    imports: float
    load: float
    first: float
    peak_mb: float | None


def start(name: str, *, engine: str, precision: str, threads: int) -> Start:
    """Begin with a tracker in a fresh process.

    Raises:
        EngineError: it cannot begin; the message is the last line that it said.
    """
    command = [sys.executable, "-m", "sightline.measure.start", name, engine, precision, str(threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}  # torch takes its number from there
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"{name} does not start on {engine}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return Start(**json.loads(done.stdout.splitlines()[-1]))


def resident_mb(what: str = "VmRSS") -> float | None:
    """Memory of this process in 2^20 bytes: now, or at most ("VmHWM"); None where the system does not tell."""
    table = Path("/proc/self/status")  # `ru_maxrss` is inherited from the parent on Linux
    if not table.is_file():
        return None
    [line] = [line for line in table.read_text().splitlines() if line.startswith(f"{what}:")]
    return int(line.split()[1]) / 1024


def _begun(name: str, engine: str, precision: str, threads: int, began: float) -> Start:
    import numpy as np

    from sightline.engines import ENGINES
    from sightline.frame import Frame

    __import__(ENGINES[engine])
    imported = time.perf_counter()
    tracker = _loaded(name, engine, precision, threads)
    loaded = time.perf_counter()
    frame = Frame(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))
    tracker.init(frame, (300, 200, 60, 60))
    tracker.update(frame)
    said = time.perf_counter()
    return Start(imports=imported - began, load=loaded - imported, first=said - loaded, peak_mb=resident_mb("VmHWM"))


def _loaded(name: str, engine: str, precision: str, threads: int) -> Tracker[Any]:
    from sightline.tracker import load, untrained
    from sightline.zoo import SPECS

    if engine == "torch" and name in SPECS:
        return untrained(name)
    number = None if engine == "torch" else threads
    return load(name, engine=engine, precision=precision, threads=number)  # type: ignore[arg-type]  # from the command line of `start`


if __name__ == "__main__":
    BEGAN = time.perf_counter()
    name, engine, precision, threads = sys.argv[1:]
    print(json.dumps(asdict(_begun(name, engine, precision, int(threads), BEGAN))))  # noqa: T201  # read by `start`
