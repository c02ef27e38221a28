"""The processor: its model, how much of it a process may use, and how the targets of a frame share that.

A process of a container may have less than the machine has: it may be kept to some processors (its affinity mask), and control groups may stop it
once it has used its share of time (Linux, cgroup v1 and v2). Threads beyond that wait for each other where they are stopped.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

__all__ = ["READ_AT_LOADING", "Cores", "Shares", "call_threads", "cores", "num_cores", "processor", "shares"]

READ_AT_LOADING = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # where numpy and torch find their number, once
ROOT = Path("/")  # of the system's files


class Cores(NamedTuple):
    """Logical processors, and what of them is this process's.

    Attributes:
        machine: how many there are.
        mask: how many it may run on.
        physical: how many physical cores those are of.
        quota: how many processors' time it gets; None where nothing limits that.
    """

    machine: int
    mask: int
    physical: int
    quota: float | None

    @property
    def usable(self) -> int:
        """How many threads may run at the same time without being stopped: whole ones, and at least one."""
        return self.mask if self.quota is None else min(self.mask, max(1, int(self.quota)))


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
    for line in _text(ROOT / "proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores(root: Path = ROOT) -> Cores:
    """What there is of the processor for this process.

    Args:
        root: folder that has the system's `proc` and `sys`.
    """
    machine = os.cpu_count() or 1
    mask = frozenset(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(machine))
    return Cores(machine, len(mask), _physical(mask, root), min(_limits(root), default=None))


def num_cores() -> int:
    """Cores that this process may use at the same time."""
    return cores().usable


def call_threads(threads: int | None) -> int | None:
    """Threads of one network call, for an engine: as many as were asked for.

    Where nobody has asked, None, with which an engine takes one per physical core of the machine, or the number of those that this process may use,
    where it may not use all: not every engine asks how many that are.
    """
    if threads is not None:
        return threads
    found = cores()
    return None if found.usable == found.machine else min(found.physical, found.usable)


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


@functools.cache  # a file for each of them, and nothing of it changes
def _physical(mask: frozenset[int], root: Path) -> int:
    """Cores that logical processors are of; each is one of its own where the system does not tell."""
    folder = root / "sys/devices/system/cpu"
    return len({_text(folder / f"cpu{number}/topology/thread_siblings_list") or str(number) for number in mask})


def _limits(root: Path) -> Iterator[float]:
    """How many processors' time each control group leaves that this process is in, or that is around one of those.

    In a container these are the files of the container, and the path of the group may be that of the machine, which is not to be seen there.
    """
    groups = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        controllers, _, place = line.partition(":")[2].partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        parts = [part for part in PurePosixPath(place).parts if part not in ("/", "..")]
        for base in {groups / controllers, groups / "cpu"} if controllers else {groups}:
            for count in range(len(parts), -1, -1):
                yield from _limit(base.joinpath(*parts[:count]))


def _limit(group: Path) -> Iterator[float]:
    """That of one group, where it has one: time and period in microseconds, in cgroup v2 and v1."""
    words = _text(group / "cpu.max").split() or [_text(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]):  # otherwise "max", or -1
        yield int(words[0]) / int(words[1])


def _text(path: Path) -> str:
    """What is in a file of the system; nothing where it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
