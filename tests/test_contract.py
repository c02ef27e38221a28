from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from sightline import load
from sightline.box import Box
from sightline.contract import Check, checks
from sightline.engines import Array
from sightline.estimate import Estimate
from sightline.frame import Frame
from sightline.methods.network import NetworkMethod, Target
from sightline.spec import Spec
from tests.fakes import SPEC, FakeSession, brightest, stay


@cache
def builtin() -> NetworkMethod:
    return load("kestrel-nano", threads=1).method  # type: ignore[return-value]  # it is a network


@pytest.mark.parametrize("check", checks(builtin()), ids=str)
def test_the_tracker_in_the_package_keeps_every_promise(check: Check) -> None:
    check()


def fake(step: Any = brightest, **changes: Any) -> NetworkMethod:
    return NetworkMethod(FakeSession(spec=replace(SPEC, **changes), step=step))


@dataclass
class Careless:
    """Wraps a method, and breaks a promise in the way that a test says."""

    inner: NetworkMethod
    fault: str
    calls: int = 0

    @property
    def spec(self) -> Spec:
        return self.inner.spec

    def begin(self, frame: Frame, box: Box) -> Target:
        if self.fault == "writes":
            frame.image.setflags(write=True)
            frame.image[:] = 0
        return self.inner.begin(frame, box)

    def advance(self, frames: Sequence[Frame], states: Sequence[Target]) -> list[tuple[Target, Estimate]]:
        self.calls += 1
        results = self.inner.advance(frames, states)
        if self.fault == "remembers":
            results = [(state, shifted(estimate, self.calls)) for state, estimate in results]
        if self.fault == "batches" and len(states) > 1:
            results = [(state, shifted(estimate, 1)) for state, estimate in results]
        return results


def shifted(estimate: Estimate, by: float) -> Estimate:
    return replace(estimate, box=estimate.box._replace(x=estimate.box.x + by))


def broken(method: Any) -> set[str]:
    found = set()
    for check in checks(method):
        try:
            check()
        except Exception:  # noqa: BLE001  # a tracker may break in any way
            found.add(str(check))
    return found


def nothing_finite(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
    return stay(arrays) | {"box": np.full((len(arrays["search"]), 4), np.nan, np.float32)}


def too_sure(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
    return stay(arrays) | {"score": np.full(len(arrays["search"]), 7.0, np.float32)}


def test_a_sound_tracker_breaks_nothing() -> None:
    assert broken(fake()) == set()


@pytest.mark.parametrize(
    "method, promise",
    [
        (Careless(fake(), "writes"), "no frame is written to"),
        (Careless(fake(), "remembers"), "the same frames give the same boxes"),
        (Careless(fake(), "remembers"), "two trackers do not interfere"),
        (Careless(fake(), "batches"), "many targets equal each alone"),
        (Careless(fake(), "batches"), "many videos equal each alone"),
        (fake(too_sure), "every estimate is sound"),
        (fake(nothing_finite, clip="none"), "every estimate is sound"),
        (fake(score="none"), "every estimate is sound"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_tracker_that_breaks_a_promise_is_found_out(method: Any, promise: str) -> None:
    assert promise in broken(method)


def test_without_assertions_nothing_is_called_sound() -> None:
    code = "from sightline.contract import Check; Check('nothing', None, lambda _: None)()"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
    ended = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False)
    assert "run it without -O" in ended.stderr
