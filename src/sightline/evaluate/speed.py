"""Where the time of an update goes, and what a user waits for: pure functions of seconds.

A tracker's update cuts a crop, runs its network and makes a box of what comes out. `Clock` splits it there without knowing the tracker:
what lies before the network's first call is the crop, what is left of the rest the box and what a memory of templates costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.engines.clocked import Call, Clocked
from sightline.tracker import Tracker

__all__ = ["PARTS", "Clock", "clocked", "speed", "split"]

Floats = NDArray[np.float64]

PARTS = ("decode", "crop", "network", "post")
"""Columns of a table of parts, seconds each: reading and decoding a frame (processor time of the thread that does), the three of an update."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A tracker whose network is clocked.

    Attributes:
        tracker: it.
        calls: what its network did since they were cleared; None where it has none that can be clocked.
    """

    tracker: Tracker[Any]
    calls: list[Call] | None


def clocked(tracker: Tracker[Any]) -> Clock:
    """The same tracker with a clock around its session, if its method has one."""
    method: Any = tracker.method
    session = getattr(method, "session", None)
    if session is None:
        return Clock(tracker, None)
    clock = Clocked(session)
    return Clock(Tracker(replace(method, session=clock), channels=tracker.channels), clock.calls)


def split(began: float, ended: float, calls: Sequence[Call]) -> tuple[float, float, float]:
    """Seconds of crop, network and the rest of one update.

    Args:
        began: when the update did, by the clock of the calls.
        ended: likewise.
        calls: of its network, in order; without any the update is all crop.
    """
    if not calls:
        return ended - began, 0.0, 0.0
    network = sum(call.ended - call.began for call in calls)
    crop = calls[0].began - began
    return crop, network, ended - began - crop - network


def speed(seconds: Floats, parts: Floats | None = None) -> Mapping[str, float | None]:
    """What users ask for, in milliseconds.

    Args:
        seconds: (T,) of each update, the first frame (`init`) left out.
        parts: (T, 4) seconds as `PARTS` names them, or None.

    Returns:
        `p50_ms`, `p95_ms` of an update, and `<part>_ms`, medians of the parts; None where there is nothing to tell.
    """
    told: dict[str, float | None] = {f"{name}_ms": None for name in ("p50", "p95", *PARTS)}
    if len(seconds):
        p50, p95 = np.percentile(seconds, [50, 95]) * 1e3
        told |= {"p50_ms": float(p50), "p95_ms": float(p95)}
    if parts is not None and len(parts):
        told |= {f"{name}_ms": float(value) for name, value in zip(PARTS, np.median(parts, axis=0) * 1e3, strict=True)}
    return told
