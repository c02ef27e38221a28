from __future__ import annotations

import numpy as np
import pytest

from sightline.engines.clocked import Call
from sightline.evaluate.speed import PARTS, clocked, speed, split
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.fakes import FakeSession, brightest

IMAGE = np.zeros((120, 160, 3), np.uint8)
IMAGE[40:70, 60:110] = 255


def test_an_update_is_crop_then_network_then_the_rest() -> None:
    assert split(10.0, 20.0, [Call("step", 11.0, 15.0), Call("init", 16.0, 18.0)]) == pytest.approx((1.0, 6.0, 3.0))
    assert split(10.0, 20.0, []) == (10.0, 0.0, 0.0)


def test_a_clock_changes_no_box_and_sees_every_call() -> None:
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)))
    clock = clocked(tracker)
    assert clock.calls == []
    for one in (tracker, clock.tracker):
        one.init(IMAGE, (60, 40, 50, 30))
    assert clock.tracker.update(IMAGE).box == tracker.update(IMAGE).box
    assert [call.role for call in clock.calls] == ["step"]
    assert clock.calls[0].ended >= clock.calls[0].began


def test_a_tracker_without_a_network_has_no_clock() -> None:
    class Method:
        spec = None

    assert clocked(Tracker(Method())).calls is None  # type: ignore[arg-type]  # only its lack of a session matters


def test_speeds_are_percentiles_and_medians_in_milliseconds() -> None:
    told = speed(np.arange(1, 102) / 1e3, np.tile([[0.001, 0.002, 0.003, 0.004]], (101, 1)))
    assert (told["p50_ms"], told["p95_ms"]) == pytest.approx((51, 96))
    assert [told[f"{name}_ms"] for name in PARTS] == pytest.approx([1, 2, 3, 4])
    assert set(speed(np.empty(0)).values()) == {None}
