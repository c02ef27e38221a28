"""Many targets of one video: names, files of boxes, and what is written about them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from sightline.cli import main
from tests.cli.clips import BOX, make_folder
from tests.fakes import FakeSession, brightest

pytestmark = pytest.mark.usefixtures("fake_tracker")


def track(clip: Path, results: Path, *words: str | Path) -> str:
    assert main(["track", str(clip), *map(str, words), "--results", str(results)]) == 0
    return results.read_text(encoding="utf-8")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def refused(clip: Path, results: Path, capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert main(["track", str(clip), *map(str, words), "--results", str(results)]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert not results.exists()
    return printed.err


def test_boxes_with_names_keep_them_in_every_format(clip: Path, tmp_path: Path) -> None:
    words = ("--box", f"car={BOX}", "--box", "24,44,16,16", "--box", 'a "b", c=10,30,40,40')
    written = rows(track(clip, tmp_path / "track.csv", *words))
    assert [row["target"] for row in written[:4]] == ["car", "2", 'a "b", c', "car"]
    lines = track(clip, tmp_path / "track.jsonl", *words).splitlines()
    assert [json.loads(line)["target"] for line in lines[:3]] == ["car", 2, 'a "b", c']
    mot = track(clip, tmp_path / "track.txt", *words).splitlines()
    assert [line.split(",")[:2] for line in mot[:4]] == [["1", "1"], ["1", "2"], ["1", "3"], ["2", "1"]]


def test_targets_of_a_file_come_and_go(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("name,x,y,w,h,frame,last\ncar,20,40,24,24,,3\nman,28,40,24,24,4,\n")
    output = tmp_path / "tracked.mp4"
    written = rows(track(clip, tmp_path / "track.csv", "--boxes", boxes, "--output", output))
    assert [(int(row["frame"]), row["target"]) for row in written] == [(i, "car" if i < 4 else "man") for i in range(12)]
    assert "2 targets through 12 frames" in capsys.readouterr().out
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12


def test_frames_in_which_nobody_is_followed_are_in_the_video_and_not_in_the_results(clip: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text('[{"box": [24, 40, 24, 24], "frame": 2, "last": 4}]')
    output = tmp_path / "tracked.mp4"
    assert [row["frame"] for row in rows(track(clip, tmp_path / "track.csv", "--boxes", boxes, "--output", output))] == ["2", "3", "4"]
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".txt"])
def test_results_are_boxes_for_another_run_which_gives_the_same_results(clip: Path, tmp_path: Path, suffix: str) -> None:
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("id,x,y,w,h,frame,last\n7,20,40,24,24,,3\n5,28,40,24,24,4,9\n6,24,44,16,16,,\n")
    first, again = tmp_path / f"first{suffix}", tmp_path / f"again{suffix}"
    written = track(clip, first, "--boxes", boxes)
    assert track(clip, again, "--boxes", first) == written
    assert len(written.splitlines()) - (suffix == ".csv") == 4 + 6 + 12


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".txt"])
def test_results_with_gaps_give_the_same_results_again(clip: Path, tmp_path: Path, suffix: str, session: FakeSession) -> None:
    def lost_when_far(arrays: Mapping[str, Any]) -> dict[str, Any]:
        said, calls = brightest(arrays), len(session.calls)
        return said | {"score": np.full_like(said["score"], 0.1 if 4 <= calls % 11 <= 6 else 0.9)}

    session.step = lost_when_far
    first, again = tmp_path / f"first{suffix}", tmp_path / f"again{suffix}"
    written = track(clip, first, "--box", f"car={BOX}")
    session.calls.clear()
    assert track(clip, again, "--boxes", first).replace(",1,", ",car,") == written.replace(",1,", ",car,")
    assert len(written.splitlines()) == {".csv": 13, ".jsonl": 12, ".txt": 9}[suffix]
    assert ("lost" in written) == (suffix != ".txt")


def test_targets_begin_and_end_at_times_and_so_does_the_run(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("name,x,y,w,h,frame,last\ncar,24,40,24,24,,0:00.16\nman,28,40,24,24,0.2s,\n")
    written = rows(track(clip, tmp_path / "track.csv", "--boxes", boxes, "--start", "0.08s", "--json"))
    assert [(int(row["frame"]), row["target"]) for row in written] == [(i, "car" if i < 5 else "man") for i in range(2, 12)]
    assert json.loads(capsys.readouterr().out)["start"] == "0.08s"
    assert main(["track", str(clip), "--look", str(tmp_path / "look.png"), "--start", "0:00.2"]) == 0
    assert "frame 5, 200x120 pixels" in capsys.readouterr().out


def test_a_list_of_many_videos_does_for_one_of_them(clip: Path, tmp_path: Path) -> None:
    videos = tmp_path / "videos.csv"
    videos.write_text(f"source,x,y,w,h,start,target\nother.mp4,1,2,3,4,,\n{clip.name},20,40,24,24,,car\n{clip.name},26,40,24,24,3,late\n")
    written = rows(track(clip, tmp_path / "track.csv", "--boxes", videos))
    assert [row["target"] for row in written if row["frame"] in ("2", "3")] == ["car", "car", "late"]


def test_callers_give_the_same_results(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--box", BOX, "--box", "24,44,16,16", "--box", "10,30,40,40")
    alone = track(clip, tmp_path / "one.csv", *words)
    capsys.readouterr()
    assert track(clip, tmp_path / "two.csv", *words, "--callers", "2", "--json") == alone
    assert json.loads(capsys.readouterr().out)["callers"] == 2


@pytest.mark.parametrize(
    "words, expected",
    [
        ((), [2, 2]),
        (("--box", "24,44,16,16"), [1, 3]),
        (("--threads", "2"), [2, 1]),
        (("--callers", "1"), [None, 1]),
        (("--threads", "2", "--callers", "3"), [2, 3]),
    ],
    ids=["two", "three", "threads given", "callers given", "both given"],
)
def test_several_objects_share_the_cores(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    expected: list[int | None],
) -> None:
    monkeypatch.setattr("sightline.engines.cores.num_cores", lambda: 4)
    track(clip, tmp_path / "track.csv", "--box", BOX, "--box", "10,30,40,40", *words, "--json")
    told = json.loads(capsys.readouterr().out)
    assert [told["threads"], told["callers"]] == expected


def test_objects_one_after_the_other_are_one_at_a_time(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("id,x,y,w,h,frame,last\n7,20,40,24,24,0,3\n5,28,40,24,24,4,9\n")
    track(clip, tmp_path / "track.csv", "--boxes", boxes, "--json")
    assert json.loads(capsys.readouterr().out)["callers"] == 1


def test_results_of_one_target_are_a_box_for_another_run(clip: Path, tmp_path: Path) -> None:
    first = track(clip, tmp_path / "first.csv", "--box", BOX, "--start", "3")
    again = rows(track(clip, tmp_path / "again.csv", "--boxes", tmp_path / "first.csv"))
    assert [{**row, "target": ""} for row in rows(first)] == [{**row, "target": ""} for row in again]


def test_a_file_of_one_box_is_as_good_as_the_box(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "box.txt").write_text(BOX)
    assert track(clip, tmp_path / "a.csv", "--boxes", tmp_path / "box.txt") == track(clip, tmp_path / "b.csv", "--box", BOX)


def test_boxes_files_and_points_are_numbered_in_this_order(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text("20,40,24,24\n24,44,16,16\n")
    written = rows(track(clip, tmp_path / "track.csv", "--point", "33,51", "--boxes", tmp_path / "boxes.csv", "--box", "10,30,40,40"))
    assert [row["target"] for row in written[:4]] == ["1", "2", "3", "4"]
    assert [float(written[i]["x"]) for i in range(3)] == [10, 20, 24]


@pytest.mark.parametrize(
    "words,told",
    [
        (["--box", "car=1,2,3,4", "--box", "car=1,2,3,4"], "two targets are called car"),
        (["--box", "2=1,2,3,4", "--box", "1,2,3,4"], "two targets are called 2"),
        (["--box", "=1,2,3,4"], "has no name before the equals sign"),
        (["--box", "car=1,2,3"], "has 3 numbers"),
        (["--boxes", "absent.csv"], "absent.csv does not exist"),
        (["--boxes", "bad.csv"], "bad.csv:3: column 3 (w) is 'wide'"),
        (["--boxes", "outside.csv"], "target 'far': box (500.0, 10.0, 20.0, 20.0) lies outside the 200x120 frame"),
        (["--boxes", "late.csv", "--start", "5"], "target 'far' is marked in frame 2, before the first one that is read, 5"),
        (["--boxes", "late.csv", "--select"], "either --box"),
        (["--boxes", "videos.csv"], "videos.csv has no target of"),
        (["--box", BOX, "--start", "soon"], "--start is soon; expected the number of a frame, counted from 0, or a time"),
        (["--box", BOX, "--start", "9s"], "has its last frame at 0.440 s, so it cannot start at 9 s"),
    ],
)
def test_what_is_wrong_with_targets_is_one_line(
    words: list[str], told: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text("x,y,w,h\n1,2,3,4\n1,2,wide,4\n")
    Path("outside.csv").write_text("x,y,w,h,name,frame\n20,40,24,24,near,0\n500,10,20,20,far,9\n")
    Path("videos.csv").write_text("source,x,y,w,h\nother.mp4,20,40,24,24\n")
    Path("late.csv").write_text("x,y,w,h,name,frame\n20,40,24,24,near,9\n20,40,24,24,far,2\n")
    assert told in refused(clip, tmp_path / "track.csv", capsys, *words)


def test_a_list_of_boxes_is_not_overwritten(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("x,y,w,h\n20,40,24,24\n")
    assert main(["track", str(clip), "--boxes", str(boxes), "--results", str(boxes)]) == 2
    assert "the list of boxes" in capsys.readouterr().err
    assert boxes.read_text() == "x,y,w,h\n20,40,24,24\n"


def test_a_target_after_the_end_is_named_and_the_others_are_kept(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes, results = tmp_path / "boxes.csv", tmp_path / "track.csv"
    boxes.write_text("x,y,w,h,name,frame\n20,40,24,24,car,0\n20,40,24,24,man,50\n")
    assert main(["track", str(clip), "--boxes", str(boxes), "--results", str(results)]) == 2
    error = capsys.readouterr().err
    assert "ended with frame 11, before it came to the target 'man' (frame 50)" in error
    assert "Kept: 12 frames" in error
    assert len(rows(results.read_text())) == 12


def test_a_folder_of_images_has_no_clock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, boxes = make_folder(tmp_path / "frames"), tmp_path / "boxes.csv"
    boxes.write_text("x,y,w,h,frame\n20,40,24,24,0:01\n")
    assert "is marked by a time (1 s), and the source has no clock" in refused(folder, tmp_path / "track.csv", capsys, "--boxes", boxes)
    assert "has no clock, so it cannot start at 1 s" in refused(folder, tmp_path / "track.csv", capsys, "--box", BOX, "--start", "1s")


def test_frames_of_several_sizes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_folder(tmp_path / "frames")
    track(folder, tmp_path / "track.csv", "--box", BOX)
    assert "The frames have" not in capsys.readouterr().out
    cv2.imwrite(str(folder / "5.png"), np.zeros((60, 80, 3), np.uint8))
    track(folder, tmp_path / "track.csv", "--box", BOX)
    assert "The frames have 2 sizes (200x120 from frame 0, 80x60 from frame 5)" in capsys.readouterr().out
