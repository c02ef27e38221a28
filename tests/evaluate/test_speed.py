from __future__ import annotations

import numpy as np
import pytest

from sightline.engines.clocked import Call
from sightline.evaluate.speed import PARTS, speed, split, timed
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.fakes import SPEC, FakeSession, brightest

IMAGE = np.zeros((120, 160, 3), np.uint8)
IMAGE[40:70, 60:110] = 255


def test_an_update_is_crop_then_network_then_the_rest() -> None:
    assert split(10.0, 20.0, [Call("step", 11.0, 15.0), Call("init", 16.0, 18.0)]) == pytest.approx((1.0, 6.0, 3.0))
    assert split(10.0, 20.0, []) == (10.0, 0.0, 0.0)


def test_a_clock_changes_no_box_and_sees_every_call() -> None:
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)))
    own, clock = timed(tracker)
    for one in (tracker, own):
        one.init(IMAGE, (60, 40, 50, 30))
    assert own.update(IMAGE).box == tracker.update(IMAGE).box
    assert [call.role for call in clock.calls] == ["step"]
    assert all(part > 0 for part in clock.parts())
    assert sum(clock.parts()) == pytest.approx(clock.span[1] - clock.span[0])


def test_a_step_without_a_network_is_all_crop() -> None:
    class Method:
        spec = SPEC

        def begin(self, *_: object) -> int:
            return 0

        def advance(self, _: list[object], states: list[int]) -> list[tuple[int, int]]:
            return [(state + 1, state) for state in states]

    own, clock = timed(Tracker(Method()))  # type: ignore[arg-type]  # its estimates are numbers
    own.init(IMAGE, (60, 40, 50, 30))
    own.update(IMAGE)
    crop, network, post = clock.parts()
    assert crop > 0
    assert (network, post) == (0, 0)


def test_speeds_are_percentiles_and_medians_in_milliseconds() -> None:
    told = speed(np.arange(1, 102) / 1e3, np.tile([[0.001, 0.002, 0.003, 0.004]], (101, 1)))
    assert (told["p50_ms"], told["p95_ms"]) == pytest.approx((51, 96))
    assert [told[f"{name}_ms"] for name in PARTS] == pytest.approx([1, 2, 3, 4])
    assert set(speed(np.empty(0)).values()) == {None}
