from __future__ import annotations

from pathlib import Path

import pytest

from sightline.evaluate.clips import open_dataset
from sightline.evaluate.run import evaluate
from sightline.evaluate.watch import Board
from sightline.fleet import Here, Pool, Processes
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.evaluate.folders import make_sequences
from tests.evaluate.test_run import MAKER
from tests.fakes import FakeSession, brightest


def test_a_board_counts_for_each_sequence_and_starts_anew_after_a_crash(tmp_path: Path) -> None:
    board = Board.make(tmp_path / "board", ["a", "b"])
    steps = {name: board.begin(name) for name in board.names}
    for _ in range(3):
        steps["b"]()
    steps["a"]()
    assert board.counts() == {"a": 1, "b": 3}
    board.begin("b")()
    assert board.counts() == {"a": 1, "b": 1}


def test_a_machine_that_does_not_see_the_board_tracks_without(tmp_path: Path) -> None:
    Board(tmp_path / "elsewhere", ("a",)).begin("a")()


@pytest.mark.parametrize("pool", [Here(), Processes(2)], ids=["here", "processes"])
def test_every_frame_of_every_sequence_is_told(pool: Pool, tmp_path: Path) -> None:
    data = open_dataset("folder", make_sequences(tmp_path / "data", ["a", "b"]))
    board = Board.make(tmp_path / "board", [clip.name for clip in data])
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)))
    evaluate(tracker, data, tmp_path / "results", maker=MAKER, pool=pool, timed_on="a test", setting={}, board=board)
    assert board.counts() == {"a": 6, "b": 6}
