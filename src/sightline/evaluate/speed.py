"""Where the time of an update goes, and what a user waits for: pure functions of seconds.

A tracker's update cuts a crop, runs its network and makes a box of what comes out. `Timed` splits it there without knowing the tracker:
what lies before the network's first call is the crop, what is left of the rest the box and what a memory of templates costs.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.box import Box
from sightline.engines.clocked import Call, Clocked
from sightline.estimate import Estimate
from sightline.frame import Frame
from sightline.spec import Spec
from sightline.tracker import Tracker

__all__ = ["PARTS", "SPEEDS", "Timed", "speed", "split", "timed"]

Floats = NDArray[np.float64]

PARTS = ("decode", "crop", "network", "post")
"""Columns of a table of parts, seconds each: reading and decoding a frame (processor time of the thread that does), the three of an update."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A method that notes when its last step began and ended, and when its network ran in it; otherwise the one inside.

    Attributes:
        method: what is timed; made by `timed`, with a clocked session inside where it has one.
        calls: of its network since the last step began.
        span: beginning and end of the last step, seconds of `time.perf_counter`.
    """

    method: Any
    calls: list[Call]
    span: list[float] = field(default_factory=lambda: [0.0, 0.0])

    @property
    def spec(self) -> Spec:
        """Of the method inside."""
        spec: Spec = self.method.spec
        return spec

    def begin(self, frame: Frame, box: Box) -> Any:
        """See `sightline.methods.Method`."""
        with self._noted():
            return self.method.begin(frame, box)

    def advance(self, frames: Sequence[Frame], states: Sequence[Any]) -> list[tuple[Any, Estimate]]:
        """See `sightline.methods.Method`."""
        with self._noted():
            moved: list[tuple[Any, Estimate]] = self.method.advance(frames, states)
        return moved

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        self.calls.clear()
        self.span[0] = time.perf_counter()
        yield
        self.span[1] = time.perf_counter()

    def parts(self) -> tuple[float, float, float]:
        """Seconds of crop, network and the rest of the last step."""
        return split(self.span[0], self.span[1], self.calls)


def timed(tracker: Tracker[Any]) -> tuple[Tracker[Any], Timed]:
    """A tracker that begins anew and gives the same boxes, and its clock."""
    method: Any = tracker.method
    calls: list[Call] = []
    if is_dataclass(method) and hasattr(method, "session"):
        method = replace(method, session=Clocked(method.session, calls))  # type: ignore[type-var]  # an instance, as the line above has asked
    clock = Timed(method, calls)
    return Tracker(clock, channels=tracker.channels), clock


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


SPEEDS = ("p50_ms", "p95_ms", *(f"{name}_ms" for name in PARTS))
"""What `speed` tells."""


def speed(seconds: Floats, parts: Floats | None = None) -> Mapping[str, float | None]:
    """What users ask for, in milliseconds.

    Args:
        seconds: (T,) of each update, the first frame (`init`) left out.
        parts: (T, 4) seconds as `PARTS` names them, or None.

    Returns:
        `p50_ms`, `p95_ms` of an update, and `<part>_ms`, medians of the parts; None where there is nothing to tell.
    """
    told: dict[str, float | None] = dict.fromkeys(SPEEDS)
    if len(seconds):
        p50, p95 = np.percentile(seconds, [50, 95]) * 1e3
        told |= {"p50_ms": float(p50), "p95_ms": float(p95)}
    if parts is not None and len(parts):
        told |= {f"{name}_ms": float(value) for name, value in zip(PARTS, np.median(parts, axis=0) * 1e3, strict=True)}
    return told
