from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from sightline.box import Box
from sightline.engines import Array
from sightline.engines.clocked import Clocked
from sightline.errors import EngineError
from sightline.frame import Frame
from sightline.measure.race import Candidate, Race, race
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.fakes import FakeSession, brightest

FRAMES = [Frame(np.zeros((120, 160, 3), np.uint8), i) for i in range(3)]
BOX = Box(40, 40, 30, 20)


@dataclass
class Sleeper:
    """Takes so long for an update."""

    seconds: float
    begun: int = 0

    def init(self, _image: Frame, _box: Box) -> None:
        self.begun += 1

    def update(self, _image: Frame) -> None:
        time.sleep(self.seconds)


def test_who_takes_longer_has_the_larger_ratio_to_the_first() -> None:
    rows = race([Candidate("first", Sleeper(0.002)), Candidate("slow", Sleeper(0.02))], FRAMES, BOX, rounds=2, seconds=0.01)
    assert [row.name for row in rows] == ["first", "slow"]
    assert rows[0].ratio == 1
    assert rows[1].ratio > 2
    assert rows[1].p50 >= 20
    assert rows[1].p95 >= rows[1].p50


def test_everybody_takes_a_turn_in_every_round_and_is_prepared_for_it() -> None:
    turns: list[str] = []
    candidates = [Candidate(name, Sleeper(0), prepare=lambda name=name: turns.append(name)) for name in ("a", "b")]  # type: ignore[misc]  # a default binds it
    race(candidates, FRAMES, BOX, rounds=3, seconds=0.001)
    assert turns == ["a", "b"] * 3
    assert [candidate.follower.begun for candidate in candidates] == [3, 3]  # type: ignore[attr-defined]  # a Sleeper


def test_the_network_is_clocked_apart_from_what_is_around_it() -> None:
    def slow(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        time.sleep(0.005)
        return brightest(arrays)

    clocked = Clocked(FakeSession(step=slow))
    [row] = race([Candidate("ours", Tracker(NetworkMethod(clocked)), network=clocked)], FRAMES, BOX, rounds=1, seconds=0.01)
    assert row.network is not None
    assert row.network >= 5
    assert row.outside == pytest.approx(row.p50 - row.network)


def test_many_targets_count_as_many_frames() -> None:
    [one, four] = race(
        [Candidate("one", Sleeper(0.004)), Candidate("four", Sleeper(0.004), targets=4)], FRAMES, BOX, rounds=1, seconds=0.01
    )
    assert four.fps == pytest.approx(4 * 1e3 / four.p50)
    assert four.fps > 2 * one.fps


def test_a_round_that_breaks_off_does_not_count() -> None:
    @dataclass
    class Breaking(Sleeper):
        """Gives up in its second turn."""

        def update(self, image: Frame) -> None:
            super().update(image)
            if self.begun == 2:
                raise EngineError("no more")

    contest = Race([Candidate("whole", Sleeper(0)), Candidate("breaking", Breaking(0))], FRAMES, BOX)
    contest.round(0.001)
    with pytest.raises(EngineError, match="no more"):
        contest.round(0.001)
    assert contest.num_rounds == 1
    assert [len(times.rounds) for times in contest.times()] == [1, 1]
