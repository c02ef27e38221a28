"""The processor: its model, how many cores it has, and how the targets of a frame share them."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import NamedTuple

__all__ = ["READ_AT_LOADING", "Shares", "num_cores", "processor", "shares"]

READ_AT_LOADING = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # where numpy and torch find their number, once


class Shares(NamedTuple):
    """Who does the work of a frame.

    Attributes:
        threads: of one network call; None for one per physical core.
        callers: network calls at the same time.
    """

    threads: int | None
    callers: int


def processor() -> str:
    """The model where the system tells it, else the kind."""
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shares(targets: int, threads: int | None = None, callers: int | None = None) -> Shares:
    """Threads and callers that need the least time for a frame.

    Where nobody has said either, there is a caller for each target, at most one for each core, and the cores are divided among them: calls of
    one thread side by side lose less than the threads of one call, which wait for each other at every layer (docs/how-to/several.md).

    Args:
        targets: in a frame, at most.
        threads: of one call, where somebody has said; then there is one caller, unless somebody has said that as well.
        callers: likewise.
    """
    if callers is None:
        callers = max(1, min(targets, num_cores())) if threads is None else 1
    if threads is None and callers > 1:
        threads = max(1, num_cores() // callers)
    return Shares(threads, callers)
