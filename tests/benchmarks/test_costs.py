"""No count of what a frame costs grows unnoticed. Store new ones by `python benchmarks/costs.py --keep`, and say why in the commit."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks import costs  # after the check for torch
from sightline.box import Box
from sightline.engines import open_session
from sightline.frame import Frame
from sightline.methods.network import NetworkMethod
from sightline.weights import find


def test_a_frame_costs_no_more_than_before() -> None:
    assert not costs.grown(costs.costs(), json.loads(costs.STORED.read_text()))


def test_the_state_of_one_target_goes_into_the_network_without_a_copy() -> None:
    session = costs.Standing(open_session(find(costs.TRACKER), threads=1), {})
    method = NetworkMethod(session)
    frame = Frame(np.zeros((200, 300, 3), np.uint8))
    state = method.begin(frame, Box(100.0, 80.0, 50.0, 40.0))
    method.advance([frame], [state])
    for name, array in state.arrays.items():
        assert np.shares_memory(array, session.given[name])
        assert session.given[name].flags.c_contiguous
    assert session.given["search"].flags.c_contiguous


def test_a_copy_of_what_the_network_is_given_would_be_noticed() -> None:
    stored = {"bytes at once, one target": 200_000, "calls, one target": 50}
    assert costs.grown({"bytes at once, one target": 201_000, "calls, one target": 50}, stored) == []
    assert len(costs.grown({"bytes at once, one target": 400_000, "calls, one target": 51, "nodes of step": 1}, stored)) == 3


def test_calls_are_those_of_the_package_and_bytes_are_those_that_exist_at_once() -> None:
    assert costs.calls_of(lambda: Box(0.0, 0.0, 1.0, 1.0).centre) == 1
    assert costs.calls_of(lambda: json.dumps([1])) == 0
    assert 2**20 <= costs.peak_of(lambda: [np.zeros(2**19, np.uint8), np.zeros(2**19, np.uint8)]) < 1.1 * 2**20
