from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

from sightline.box import Box
from sightline.engines import Array
from sightline.frame import Frame
from sightline.measure.subject import Subject
from sightline.measure.videos import rates
from sightline.methods.network import NetworkMethod
from tests.fakes import FakeSession, stay


def test_what_a_network_takes_to_begin_is_in_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[float] = []

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        begun.append(0.002 if begun else 0.4)
        time.sleep(begun[-1])
        return stay(arrays)

    @contextlib.contextmanager
    def processes(*_: object) -> Iterator[Callable[[float], float]]:
        yield lambda _: 100.0

    monkeypatch.setattr("sightline.measure.videos.in_processes", processes)
    frames = [Frame(np.zeros((120, 160, 3), np.uint8), i) for i in range(3)]
    found = rates(
        NetworkMethod(FakeSession(step=step)), Subject("fake", "none"), frames, Box(40, 40, 30, 20), videos=2, rounds=1, seconds=0.05
    )
    assert found.alone > 20  # in a second; three with the beginning
