"""How many cores there are, and how the targets of a frame share them."""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["Shares", "num_cores", "shares"]


class Shares(NamedTuple):
    """Who does the work of a frame.

    Attributes:
        threads: of one network call; None for one per physical core.
        callers: network calls at the same time.
    """

    threads: int | None
    callers: int


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shares(targets: int, threads: int | None = None, callers: int | None = None) -> Shares:
    """How targets are followed soonest, where not said: as many callers as there are targets and cores, and the cores divided among them.

    Calls of one thread side by side lose less than threads of one call, which wait for each other at every layer (docs/how-to/several.md).

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
