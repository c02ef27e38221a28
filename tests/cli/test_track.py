from __future__ import annotations

import csv
import errno
import json
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from sightline.cli import main
from sightline.cli.interrupt import SIGNALS
from sightline.cli.select import select_box
from sightline.draw import VideoWriter, draw
from sightline.engines import Array
from sightline.frame import Frame, Image
from tests.cli.clips import BOX, SIZE, make_folder, make_video
from tests.fakes import SPEC, FakeSession, brightest

pytestmark = pytest.mark.usefixtures("fake_tracker")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def num_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_the_boxes_of_a_video_are_written_row_by_row(clip: Path, tmp_path: Path) -> None:
    results = tmp_path / "track.csv"
    assert main(["track", str(clip), "--box", BOX, "--results", str(results)]) == 0
    assert results.read_text().splitlines()[0] == "frame,time,x,y,w,h,score,status"
    written = rows(results)
    assert [int(row["frame"]) for row in written] == list(range(12))
    assert [float(row["time"]) for row in written] == pytest.approx([i / 25 for i in range(12)], abs=1e-5)
    for i, row in enumerate(written):
        assert [float(row[key]) for key in "xywh"] == pytest.approx([20 + 2 * i, 40, 24, 24], abs=2), i
        assert row["status"] == "tracked"


def test_the_first_row_is_the_given_box(clip: Path, tmp_path: Path) -> None:
    results = tmp_path / "track.csv"
    main(["track", str(clip), "--box", "21.5,39,22,25", "--results", str(results)])
    first = rows(results)[0]
    assert [float(first[key]) for key in "xywh"] == [21.5, 39, 22, 25]
    assert float(first["score"]) == 1


def test_a_box_may_begin_outside_the_frame(clip: Path, tmp_path: Path) -> None:
    results = tmp_path / "track.txt"
    assert main(["track", str(clip), "--box=-5,10,40,60", "--results", str(results)]) == 0
    assert results.read_text().splitlines()[0] == "-5.000,10.000,40.000,60.000"


def test_a_negative_box_needs_no_equals_sign(clip: Path, tmp_path: Path) -> None:
    results = tmp_path / "track.txt"
    assert main(["track", str(clip), "--box", "-5,10,40,60", "--results", str(results)]) == 0
    assert results.exists()


def test_tracking_may_start_at_a_later_frame(clip: Path, tmp_path: Path) -> None:
    results = tmp_path / "track.jsonl"
    assert main(["track", str(clip), "--box", "30,40,24,24", "--start", "5", "--results", str(results)]) == 0
    written = [json.loads(line) for line in results.read_text().splitlines()]
    assert [row["frame"] for row in written] == list(range(5, 12))
    assert written[0]["time"] == pytest.approx(0.2, abs=1e-5)
    assert written[-1]["x"] == pytest.approx(42, abs=2)


def test_a_folder_of_images_has_no_time(tmp_path: Path) -> None:
    results = tmp_path / "track.csv"
    assert main(["track", str(make_folder(tmp_path / "images")), "--box", BOX, "--results", str(results)]) == 0
    assert [row["time"] for row in rows(results)] == [""] * 12
    assert float(rows(results)[-1]["x"]) == pytest.approx(42, abs=1)  # 10.png and 11.png come after 9.png


def test_the_video_has_every_frame_and_the_box_in_it(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "tracked.mp4"
    assert main(["track", str(clip), "--box", BOX, "--output", str(output)]) == 0
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == 12
    assert pictures[0].shape == (SIZE[1], SIZE[0], 3)
    coloured = np.ptp(pictures[-1][34:72].astype(int), axis=2) > 60  # the clip itself is grey
    assert coloured.any()


def test_several_boxes_are_targets_of_their_own(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = (BOX, "24,44,16,16", "10,30,40,40")
    results, output = tmp_path / "track.csv", tmp_path / "tracked.mp4"
    given = [word for box in boxes for word in ("--box", box)]
    assert main(["track", str(clip), *given, "--results", str(results), "--output", str(output)]) == 0
    assert "3 targets through 12 frames" in capsys.readouterr().out
    assert results.read_text().splitlines()[0] == "frame,time,target,x,y,w,h,score,status"
    written = rows(results)
    assert [(int(row["frame"]), int(row["target"])) for row in written] == [(i, target) for i in range(12) for target in (1, 2, 3)]
    for i, box in enumerate(boxes, 1):
        alone = tmp_path / f"{i}.csv"
        assert main(["track", str(clip), "--box", box, "--results", str(alone)]) == 0
        assert [{**row, "target": None} for row in written if row["target"] == str(i)] == [{**row, "target": None} for row in rows(alone)]
    assert num_frames(output) == 12


@pytest.mark.parametrize(
    "suffix,first", [(".jsonl", '"target": 1, "x": 20.0'), (".txt", "1,1,21.000,41.000,24.000,24.000,1.0000,-1,-1,-1")]
)
def test_every_format_of_results_says_which_target_a_row_is_about(clip: Path, tmp_path: Path, suffix: str, first: str) -> None:
    results = tmp_path / f"track{suffix}"
    assert main(["track", str(clip), "--box", BOX, "--box", "24,44,16,16", "--results", str(results)]) == 0
    lines = results.read_text().splitlines()
    assert len(lines) == 24
    assert first in lines[0]


def test_a_mask_is_laid_over_the_target(clip: Path, tmp_path: Path, session: FakeSession) -> None:
    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        found = brightest(arrays)
        return {**found, "mask": np.ones((1, 16, 16), np.float32), "mask_box": found["box"]}

    session.step = step
    output = tmp_path / "tracked.mp4"
    assert main(["track", str(clip), "--box", BOX, "--output", str(output)]) == 0
    with av.open(str(output)) as container:
        middles = [frame.to_ndarray(format="rgb24")[52, 32 + 2 * i].astype(int) for i, frame in enumerate(container.decode(video=0))]
    assert np.ptp(middles[0]) < 20  # the given box has no mask: the white of the clip
    assert all(blue - red > 40 for red, _, blue in middles[1:])


def test_json_is_one_object_and_nothing_else(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, results = tmp_path / "tracked.mp4", tmp_path / "track.csv"
    arguments = ["track", str(clip), "--box", BOX, "--output", str(output), "--results", str(results), "--threads", "1", "--json"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    summary = json.loads(printed.out)
    assert summary["source"] == str(clip)
    assert summary["tracker"] == "fake"
    assert (summary["frames"], summary["tracked"], summary["uncertain"], summary["lost"]) == (12, 12, 0, 0)
    assert summary["fps"] == pytest.approx(12 / summary["seconds"], rel=0.05)
    assert summary["tracker_fps"] > summary["fps"]
    assert (summary["output"], summary["results"]) == (str(output), str(results))
    assert (summary["engine"], summary["threads"]) == ("onnxruntime", 1)
    assert summary["stopped"] is None
    assert {"sightline", "python", "onnxruntime"} <= summary["versions"].keys()


def test_the_summary_counts_each_status(clip: Path, session: FakeSession, capsys: pytest.CaptureFixture[str]) -> None:
    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        score = (0.1, 0.45, 0.9)[len(session.calls) % 3]
        return brightest(arrays) | {"score": np.array([score], np.float32)}

    session.step = step
    assert main(["track", str(clip), "--box", BOX, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["tracked"], summary["uncertain"], summary["lost"]) == (1 + 4, 4, 3)


def test_without_files_the_summary_says_how_to_keep_the_track(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", str(clip), "--box", BOX]) == 0
    printed = capsys.readouterr()
    assert "followed 12 frames" in printed.out
    assert "give --output or --results" in printed.out
    assert printed.err == ""  # the progress bar is for terminals


def test_missing_folders_are_made(clip: Path, tmp_path: Path) -> None:
    results = tmp_path / "new" / "folder" / "track.csv"
    assert main(["track", str(clip), "--box", BOX, "--results", str(results)]) == 0
    assert len(rows(results)) == 12


def test_an_existing_file_is_replaced(clip: Path, tmp_path: Path) -> None:
    results = tmp_path / "track.csv"
    results.write_text("older")
    assert main(["track", str(clip), "--box", BOX, "--results", str(results)]) == 0
    assert len(rows(results)) == 12


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_finishes_the_files_and_prints_the_summary(
    number: signal.Signals, clip: Path, tmp_path: Path, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        if len(session.calls) == 5:
            signal.raise_signal(number)
        return brightest(arrays)

    session.step = step
    output, results = tmp_path / "tracked.mp4", tmp_path / "track.csv"
    arguments = ["track", str(clip), "--box", BOX, "--output", str(output), "--results", str(results), "--json"]
    assert main(arguments) == 130
    assert len(rows(results)) == 5  # the given box and four estimates; the fifth was interrupted
    assert num_frames(output) == 5
    summary = json.loads(capsys.readouterr().out)
    assert (summary["frames"], summary["stopped"]) == (5, "interrupted")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["clip.mp4", "track.csv", "tracked.mp4"]


def test_an_interrupt_waits_for_frames_that_are_not_drawn_yet(
    clip: Path, tmp_path: Path, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted = threading.Event()

    def waits(*arguments: Any, **options: Any) -> np.ndarray:
        assert interrupted.wait(20)
        return draw(*arguments, **options)

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        if len(session.calls) == 4:
            interrupted.set()
            signal.raise_signal(signal.SIGINT)
        return brightest(arrays)

    monkeypatch.setattr("sightline.cli.outputs.draw", waits)
    session.step = step
    output, results = tmp_path / "tracked.mp4", tmp_path / "track.csv"
    assert main(["track", str(clip), "--box", BOX, "--output", str(output), "--results", str(results)]) == 130
    assert [row["frame"] for row in rows(results)] == ["0", "1", "2", "3"]  # none of them was drawn before Ctrl-C
    assert num_frames(output) == 4


def test_a_disk_that_fills_up_half_way_ends_it_with_one_line(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_writer: VideoWriter, _image: Image, time: float) -> None:
        if time > 0.1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(VideoWriter, "write", full)
    output, results = tmp_path / "tracked.mp4", tmp_path / "track.csv"
    assert main(["track", str(clip), "--box", BOX, "--output", str(output), "--results", str(results)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "No space left" in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_bug_in_the_middle_keeps_what_came_before(clip: Path, tmp_path: Path, session: FakeSession) -> None:
    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        if len(session.calls) == 5:
            raise ZeroDivisionError
        return brightest(arrays)

    session.step = step
    results = tmp_path / "track.csv"
    with pytest.raises(ZeroDivisionError):
        main(["track", str(clip), "--box", BOX, "--results", str(results)])
    assert len(rows(results)) == 5


def test_a_drawn_box_is_followed(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.cli.select.check_window", lambda: None)
    monkeypatch.setattr("cv2.selectROI", lambda *_, **__: (20, 40, 24, 24))
    monkeypatch.setattr("cv2.destroyWindow", lambda _: None)
    results = tmp_path / "track.csv"
    assert main(["track", str(clip), "--select", "--results", str(results)]) == 0
    assert [int(row["frame"]) for row in rows(results)] == list(range(12))
    assert float(rows(results)[-1]["x"]) == pytest.approx(42, abs=2)


def test_a_large_frame_is_shown_smaller_and_the_box_comes_back_in_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, ...]] = []

    def draw(_: str, picture: np.ndarray, **__: object) -> tuple[int, int, int, int]:
        shown.append(picture.shape)
        return 100, 50, 200, 100

    monkeypatch.setattr("cv2.selectROI", draw)
    monkeypatch.setattr("cv2.destroyWindow", lambda _: None)
    assert select_box(Frame(np.zeros((1440, 2560, 3), np.uint8))) == (200, 100, 400, 200)
    assert shown == [(720, 1280, 3)]


def test_a_second_source_is_read_beside_the_first(clip: Path, tmp_path: Path, session: FakeSession) -> None:
    infrared = make_video(tmp_path / "infrared.mp4")
    session.spec = replace(SPEC, feed=("extra",))
    given: list[frozenset[str]] = []

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        given.append(frozenset(arrays))
        return brightest(arrays)

    session.step = step
    assert main(["track", str(clip), "--infrared", str(infrared), "--box", BOX]) == 0
    assert set(given) == {frozenset({"template", "template_extra", "search", "search_extra"})}


def test_the_summary_admits_that_an_infrared_source_was_not_used(
    clip: Path, tmp_path: Path, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    infrared = make_video(tmp_path / "infrared.mp4")
    assert main(["track", str(clip), "--infrared", str(infrared), "--box", BOX]) == 0
    assert "read and not used: fake looks at one picture" in capsys.readouterr().out
    for spec in (SPEC, replace(SPEC, feed=("extra",))):
        session.spec = spec
        assert main(["track", str(clip), "--infrared", str(infrared), "--box", BOX, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["infrared_used"] is ("extra" in spec.feed)
