from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from sightline.train.pairs import Track, read_tracks
from sightline.train.program import program
from sightline.train.rollout import mean_overlap, rollout, table
from tests.fakes import FakeSession, brightest
from tests.train.made import make_data


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    return read_tracks(make_data(tmp_path_factory.mktemp("data")), "train")


def test_a_stored_picture_lies_where_it_was_in_its_frame(tracks: list[Track]) -> None:
    frame, box = tracks[0].pictures[0].in_frame()  # crop 10..130 of 0..200 across, whole height
    assert frame.shape == (100, 200, 3)
    assert box == pytest.approx((50, 30, 24, 20))
    assert frame[40, 62].min() > 150
    assert np.ptp(frame[:, 140:].reshape(-1, 3), axis=0).max() == 0  # one colour outside the picture


def test_a_tracker_that_sees_the_object_follows_it(tracks: list[Track]) -> None:
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)), channels="rgb")
    assert mean_overlap(tracker, tracks[0]) > 0.8


def test_stills_and_short_tracks_are_left_out(tracks: list[Track]) -> None:
    tracker = Tracker(NetworkMethod(FakeSession()), channels="rgb")
    assert rollout(tracker, tracks) == {}
    longer = dataclasses.replace(tracks[0], pictures=(*tracks[0].pictures, *tracks[0].pictures))
    assert rollout(tracker, [longer]).keys() == {"clips"}
    assert [len(values) for values in rollout(tracker, [longer, tracks[0]], shortest=2, both_ways=True).values()] == [4]


def test_a_program_of_the_package_says_in_one_line_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(make_data(tmp_path))
    for words, told in (
        (["--weights", "none.onnx", "--data", str(tmp_path / "none")], "cannot read"),
        (["--weights", "none.onnx", "--data", data], "no video track of 6 pictures"),
        (["--weights", "none.onnx", "--data", data, "--sources", "clips", "--shortest", "2"], "none.onnx"),
    ):
        monkeypatch.setattr("sys.argv", ["rollout", *words])
        with pytest.raises(SystemExit) as ended:
            program(table)
        printed = capsys.readouterr().err
        assert ended.value.code == 2
        assert told in printed
        assert printed.count("\n") == 1
