from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from sightline.cli.progress import _Bars, sequence_bars
from sightline.evaluate.watch import Board

FRAMES = {"a": 10, "b": 20, "c": 30}


def shown(bar: Progress) -> dict[str, tuple[float, float | None]]:
    return {task.description.strip(): (task.completed, task.total) for task in bar.tasks}


def test_there_is_a_bar_for_all_and_one_for_each_sequence_under_way(tmp_path: Path) -> None:
    bar = Progress(console=Console(file=io.StringIO()))
    board = Board.make(tmp_path / "board", list(FRAMES))
    bars = _Bars(bar, "all", FRAMES, board)
    bars.done.add("c")  # was complete before
    steps = [board.begin("a"), board.begin("b")]
    for _ in range(4):
        for step in steps:
            step()
    bars.look()
    assert shown(bar) == {"all": (38, 60), "a": (4, 10), "b": (4, 20)}
    bars.done.add("a")
    bars.look()
    assert shown(bar) == {"all": (44, 60), "b": (4, 20)}


def test_a_protocol_that_runs_a_sequence_more_than_once_fills_its_bar_and_no_more(tmp_path: Path) -> None:
    bar = Progress(console=Console(file=io.StringIO()))
    board = Board.make(tmp_path / "board", list(FRAMES))
    bars = _Bars(bar, "all", FRAMES, board)
    step = board.begin("a")
    for _ in range(25):
        step()
    bars.look()
    assert shown(bar) == {"all": (10, 60), "a": (10, 10)}


def test_nothing_is_watched_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", printed)
    with sequence_bars("all", FRAMES) as (board, done):
        done("a")
    assert board is None
    assert printed.getvalue() == ""


def test_the_board_is_gone_when_the_run_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with sequence_bars("all", FRAMES) as (board, done):
        assert board is not None
        board.begin("a")()
        done("a")
    assert not board.path.exists()
