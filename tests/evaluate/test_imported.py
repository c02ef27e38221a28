from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from sightline.errors import BadData
from sightline.evaluate.clips import Dataset, boxes_from_file, open_dataset
from sightline.evaluate.imported import import_boxes
from sightline.evaluate.layouts import LAYOUTS
from sightline.evaluate.protocols import ONE_PASS
from sightline.evaluate.results import Maker
from sightline.evaluate.score import score
from tests.evaluate.folders import touch_images, write

TRUTH = [[10, 20, 30, 40], [12, 20, 30, 40], [14, 20, 30, 40]]


def make_data(root: Path, names: Sequence[str] = ("boat", "car")) -> Dataset:
    for name in names:
        touch_images(root / name / "img", ["1.jpg", "2.jpg", "3.jpg"])
        write(root / name / "groundtruth.txt", lines(TRUTH))
    return open_dataset("folder", root)


def lines(rows: Sequence[Sequence[float]], delimiter: str = ",") -> str:
    return "".join(delimiter.join(str(value) for value in row) + "\n" for row in rows)


def take(source: Path, dataset: Dataset, folder: Path) -> Maker:
    return import_boxes(source, dataset, folder, tracker="theirs", stamp=ONE_PASS.stamp)


PATHS = {
    "otb": "Folder/theirs/{}.txt",
    "got10k": "theirs/{0}/{0}_001.txt",
    "pytracking": "theirs/default_000/{}.txt",
    "pysot": "folder/theirs/{}.txt",
    "lasot": "theirs_tracking_result/{}.txt",
    "rgbt": "TBSI_{}.txt",
}


@pytest.mark.parametrize("toolkit", PATHS)
def test_raw_results_are_found_wherever_a_toolkit_keeps_them(toolkit: str, tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data", ("boat", "houseboat"))
    for name in ("boat", "houseboat"):
        path = tmp_path / "raw" / PATHS[toolkit].format(name)
        write(path, lines(TRUTH))
        write(path.with_name(f"{path.stem}_time.txt"), "0.1\n" * 3)
    maker = take(tmp_path / "raw", dataset, tmp_path / "results")
    summary = score(dataset, tmp_path / "results", maker=maker)
    assert not summary.gaps
    assert summary.means["mean_iou"] == 1
    assert summary.means["fps"] is None  # their times are not of this machine


@pytest.mark.parametrize("delimiter", [",", "\t", " ", ";", ", "])
def test_any_delimiter_will_do(delimiter: str, tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data", ["boat"])
    write(tmp_path / "raw" / "boat.txt", lines(TRUTH, delimiter) + "\n")
    take(tmp_path / "raw", dataset, tmp_path / "results")
    assert boxes_from_file(tmp_path / "results" / "boat.txt").tolist() == TRUTH


@pytest.mark.parametrize("first", ["", "1\n"], ids=["left out", "a code"])
def test_a_result_without_the_first_frame_gets_the_given_box_and_that_is_told(first: str, tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data", ["boat"])
    write(tmp_path / "raw" / "boat.txt", first + lines(TRUTH[1:]))
    maker = take(tmp_path / "raw", dataset, tmp_path / "results")
    assert boxes_from_file(tmp_path / "results" / "boat.txt").tolist() == TRUTH
    assert [note for note in maker.facts["read_as"] if "given box" in note and "1 of 1" in note]


def test_shorter_results_are_gaps(tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data")
    write(tmp_path / "raw" / "boat.txt", lines(TRUTH[:1]))
    maker = take(tmp_path / "raw", dataset, tmp_path / "results")
    assert score(dataset, tmp_path / "results", maker=maker).gaps == {"boat": "short: 1 rows for 3 frames", "car": "no result"}


def test_corners_of_a_rectangle_are_a_box(tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data", ["boat"])
    turned = [[x, y, x + w, y, x + w, y + h, x, y + h] for x, y, w, h in TRUTH]
    write(tmp_path / "raw" / "boat.txt", lines(turned))
    take(tmp_path / "raw", dataset, tmp_path / "results")
    assert boxes_from_file(tmp_path / "results" / "boat.txt").tolist() == TRUTH


def test_of_a_box_for_each_camera_the_first_counts(tmp_path: Path) -> None:
    name = LAYOUTS["lasher"].names[0]
    for camera in ("visible", "infrared"):
        touch_images(tmp_path / "data" / name / camera, ["1.jpg", "2.jpg", "3.jpg"])
    write(tmp_path / "data" / name / "init.txt", lines(TRUTH))
    write(tmp_path / "raw" / f"{name}.txt", lines([[*row, 1, 2, 3, 4] for row in TRUTH]))
    maker = take(tmp_path / "raw", open_dataset("lasher", tmp_path / "data"), tmp_path / "results")
    assert boxes_from_file(tmp_path / "results" / f"{name}.txt").tolist() == TRUTH
    assert maker.facts["read_as"] == ["a box for each camera, of which the first counts: 1 of 1 sequences"]


@pytest.mark.parametrize("spelling", ["Jogging_1", "Jogging-1", "Jogging.1"])
def test_targets_of_one_video_may_be_spelled_as_any_toolkit_does(spelling: str, tmp_path: Path) -> None:
    touch_images(tmp_path / "data" / "Jogging" / "img", [f"{i:04d}.jpg" for i in range(1, 4)])
    write(tmp_path / "data" / "Jogging" / "groundtruth_rect.1.txt", lines(TRUTH))
    write(tmp_path / "raw" / f"{spelling}.txt", lines(TRUTH))
    take(tmp_path / "raw", open_dataset("otb100", tmp_path / "data"), tmp_path / "results")
    assert boxes_from_file(tmp_path / "results" / "Jogging_1.txt").tolist() == TRUTH


def test_of_several_trackers_that_which_is_named_is_taken(tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data", ["boat"])
    write(tmp_path / "raw" / "theirs" / "boat.txt", lines(TRUTH))
    write(tmp_path / "raw" / "another" / "boat.txt", lines([[0, 0, 1, 1]] * 3))
    take(tmp_path / "raw", dataset, tmp_path / "results")
    assert boxes_from_file(tmp_path / "results" / "boat.txt").tolist() == TRUTH
    (tmp_path / "raw" / "theirs").rename(tmp_path / "raw" / "renamed")
    with pytest.raises(BadData, match=r"2 files boat\.txt"):
        take(tmp_path / "raw", dataset, tmp_path / "results")


def test_tracks_as_the_command_line_writes_them_are_results(tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data")
    head = "frame,time,target,x,y,w,h,score,status\n"
    rows = [f'{i},,"a, b",{x},{y},{w},{h},0.1,{"lost" if i else "tracked"}\n' for i, (x, y, w, h) in enumerate(TRUTH)]
    write(tmp_path / "raw" / "boat.csv", head + "".join(rows))
    write(tmp_path / "raw" / "car.csv", head + rows[2] + rows[0])
    maker = take(tmp_path / "raw", dataset, tmp_path / "results")
    assert maker.facts["read_as"] == ["a table with a header; its boxes count whatever their status: 2 of 2 sequences"]
    summary = score(dataset, tmp_path / "results", maker=maker)
    assert summary.sequences["boat"]["mean_iou"] == 1
    assert summary.gaps == {"car": "not a number in line 2"}  # a frame without a row is no whole result
    write(tmp_path / "raw" / "car.csv", head + rows[0] + rows[0])
    with pytest.raises(BadData, match=r"car\.csv:3: a second box of frame 0; expected the track of one target"):
        take(tmp_path / "raw", dataset, tmp_path / "results")
    write(tmp_path / "raw" / "car.csv", head + "0,,car,1,2\n")
    with pytest.raises(BadData, match=r"car\.csv:2: '0,,car,1,2' is no row of a track"):
        take(tmp_path / "raw", dataset, tmp_path / "results")


def test_a_zip_is_read_as_it_is(tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data", ["boat"])
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        archive.writestr("upload/boat/boat_001.txt", lines(TRUTH))
    take(tmp_path / "raw.zip", dataset, tmp_path / "results")
    assert boxes_from_file(tmp_path / "results" / "boat.txt").tolist() == TRUTH


@pytest.mark.parametrize("text", ["1,2,3\n", "1,2,3,4\nboat\n", "1,2,3,4\n5\n"])
def test_what_is_no_box_is_refused_with_file_and_line(text: str, tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data", ["boat"])
    write(tmp_path / "raw" / "boat.txt", text)
    with pytest.raises(BadData, match=rf"boat.txt:{text.count(chr(10))}: .* is no box"):
        take(tmp_path / "raw", dataset, tmp_path / "results")


def test_a_folder_without_any_result_says_what_was_expected(tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data", ["boat"])
    (tmp_path / "raw").mkdir()
    with pytest.raises(BadData, match=r"no results of folder; expected files such as boat.txt"):
        take(tmp_path / "raw", dataset, tmp_path / "results")


def test_other_raw_results_are_another_maker(tmp_path: Path) -> None:
    dataset = make_data(tmp_path / "data", ["boat"])
    digests = set()
    for x in (0, 1):
        write(tmp_path / "raw" / "boat.txt", lines([[left + x, *rest] for left, *rest in TRUTH]))
        digests.add(take(tmp_path / "raw", dataset, tmp_path / "results").digest())
    assert len(digests) == 2
