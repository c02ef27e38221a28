from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline import read
from sightline.box import Box
from sightline.cli.outputs import BEHIND, CannotWrite, Outputs
from sightline.draw import VideoWriter, draw
from sightline.estimate import Estimate
from sightline.frame import Frame
from sightline.loop import Steps
from sightline.region import Region
from tests.cli.clips import SIZE, picture

PATIENCE = 20  # seconds


def step(i: int) -> Steps[int]:
    box = Box(20.0 + 2 * i, 40, 24, 24)
    estimate = Estimate(box, 0.9, "tracked", Region(0, 0, 96, 96, 96, Box(0, 0, 96, 96), SIZE))
    return Steps(Frame(picture(i), i, i / 25), {1: estimate}, 0.0)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing is drawn before it is set."""
    opened = threading.Event()

    def waits(*arguments: Any, **options: Any) -> np.ndarray:
        assert opened.wait(PATIENCE)
        return draw(*arguments, **options)

    monkeypatch.setattr("sightline.cli.outputs.draw", waits)
    return opened


def test_frames_are_taken_while_an_earlier_one_is_drawn_and_all_are_written(gate: threading.Event, tmp_path: Path) -> None:
    video, results = tmp_path / "tracked.mp4", tmp_path / "track.csv"
    outputs = Outputs(video=video, results=results, fps=25)
    for i in range(BEHIND):
        outputs.write(step(i))
    gate.set()
    for i in range(BEHIND, 20):
        outputs.write(step(i))
    assert not video.exists()
    assert not results.exists()
    outputs.close()
    assert [line.split(",")[0] for line in results.read_text().splitlines()[1:]] == [str(i) for i in range(20)]
    shown = [frame.image for frame in read(video)]
    assert len(shown) == 20
    inside = [int(np.flatnonzero((image[45:60] > 240).all(axis=(0, 2))).mean()) for image in shown]  # the white square, within the box
    assert inside == [pytest.approx(31 + 2 * i, abs=1) for i in range(20)]


def fails(at: int, real: Callable[..., None]) -> Callable[..., None]:
    """`VideoWriter.write` with a disk that is full at the frame with that number, 1 the first."""
    count = 0

    def write(self: VideoWriter, *arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == at:
            raise OSError(28, "No space left on device")
        real(self, *arguments)

    return write


@pytest.mark.parametrize("at", [3, 12])
def test_what_the_thread_cannot_write_is_raised_here_once_and_nothing_is_left(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VideoWriter, "write", fails(at, VideoWriter.write))
    results = tmp_path / "track.csv"
    results.write_text("older")
    outputs = Outputs(video=tmp_path / "tracked.mp4", results=results, fps=25)

    def write_all() -> None:
        for i in range(12):  # the last one fails, where it does, when only `close` can tell
            outputs.write(step(i))
        outputs.close()

    with pytest.raises(CannotWrite, match="No space left"):
        write_all()
    outputs.close()
    assert [path.name for path in tmp_path.iterdir()] == ["track.csv"]
    assert results.read_text() == "older"


def test_without_a_frame_there_are_no_files_and_no_thread(tmp_path: Path) -> None:
    Outputs(video=tmp_path / "tracked.mp4", results=tmp_path / "track.csv", fps=25).close()
    assert list(tmp_path.iterdir()) == []
    assert "sightline writes" not in [thread.name for thread in threading.enumerate()]
