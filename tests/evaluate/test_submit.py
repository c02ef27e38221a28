from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate.clips import Clip, Dataset
from sightline.evaluate.submit import FORMATS, check_format, write_submission

NAMES = ("GOT-10k_Test_000001", "GOT-10k_Test_000002")
BOXES = np.array([[1.25, 2, 30, 40.5], [3.123456, 2, 30, 40]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results of two sequences of two frames."""
    for kind in ("times", "scores"):
        (tmp_path / kind).mkdir()
    for name in NAMES:
        np.savetxt(tmp_path / f"{name}.txt", BOXES, delimiter=",", fmt="%.6f")
        np.savetxt(tmp_path / "times" / f"{name}_time.txt", [0.5, 0.125], fmt="%.8f")
        np.savetxt(tmp_path / "scores" / f"{name}_score.txt", [1, 0.75], fmt="%.6f")
    return tmp_path


def data(name: str, origin: int = 0) -> Dataset:
    clips = tuple(Clip(each, ("1.jpg", "2.jpg"), BOXES, BOXES, np.ones(2, bool)) for each in NAMES)
    return Dataset(name, clips, origin=origin)


def test_the_got10k_server_gets_a_folder_for_each_sequence_with_boxes_and_times(folder: Path) -> None:
    path = write_submission("got10k", data("got10k:test"), folder, tracker="mine")
    assert path == folder / "submit" / "got10k" / "mine.zip"
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == sorted(f"{name}/{name}_{kind}.txt" for name in NAMES for kind in ("001", "time"))
        assert archive.read(f"{NAMES[0]}/{NAMES[0]}_001.txt") == b"1.2500,2.0000,30.0000,40.5000\n3.1235,2.0000,30.0000,40.0000\n"
        assert archive.read(f"{NAMES[1]}/{NAMES[1]}_time.txt") == b"0.50000000\n0.12500000\n"


def test_the_trackingnet_server_gets_one_file_for_each_video_at_the_root(folder: Path) -> None:
    with zipfile.ZipFile(write_submission("trackingnet", data("trackingnet"), folder, tracker="mine")) as archive:
        assert archive.namelist() == [f"{name}.txt" for name in NAMES]
        assert archive.read(f"{NAMES[0]}.txt").splitlines()[1] == b"3.1235,2.0000,30.0000,40.0000"


def test_the_same_results_are_the_same_zip(folder: Path) -> None:
    first = write_submission("trackingnet", data("trackingnet"), folder, tracker="mine").read_bytes()
    assert write_submission("trackingnet", data("trackingnet"), folder, tracker="mine").read_bytes() == first


@pytest.mark.parametrize(
    "name,path,line",
    [
        ("pytracking", f"mine/default/{NAMES[0]}.txt", "1.2500\t2.0000\t30.0000\t40.5000"),
        ("pytracking", f"mine/default/{NAMES[0]}_time.txt", "0.50000000"),
        ("pytracking", f"mine/default/{NAMES[0]}_object_presence_scores.txt", "1.00000000"),
        ("otb", f"OTB2015/mine/{NAMES[0]}.txt", "1.2500,2.0000,30.0000,40.5000"),
        ("otb", f"OTB2015/mine/times/{NAMES[0]}_time.txt", "0.50000000"),
        ("lasot", f"mine_tracking_result/{NAMES[0]}.txt", "1.2500,2.0000,30.0000,40.5000"),
        ("mot", f"{NAMES[0]}.txt", "1,1,1.2500,2.0000,30.0000,40.5000,1,-1,-1,-1"),
    ],
)
def test_toolkits_find_results_where_they_look(name: str, path: str, line: str, folder: Path) -> None:
    target = write_submission(name, data("otb100", origin=1), folder, tracker="mine")
    assert (target / path).read_text().splitlines()[0] == line
    assert len((target / path).read_text().splitlines()) == 2


def test_targets_that_share_a_folder_have_the_names_that_the_got10k_toolkit_knows(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "Jogging_1.txt", BOXES, delimiter=",")
    clip = Clip("Jogging_1", ("1.jpg", "2.jpg"), BOXES, BOXES, np.ones(2, bool))
    target = write_submission("otb", Dataset("otb100", (clip,), origin=1), tmp_path, tracker="mine")
    assert [path.name for path in target.rglob("*.txt")] == ["Jogging.1.txt"]


def test_mot_counts_pixels_from_one_where_the_data_set_counts_from_zero(folder: Path) -> None:
    target = write_submission("mot", data("folder"), folder, tracker="mine")
    assert (target / f"{NAMES[0]}.txt").read_text().splitlines()[1] == "2,1,4.1235,3.0000,30.0000,40.0000,0.75,-1,-1,-1"


def test_results_without_times_are_no_got10k_submission_and_leave_nothing(folder: Path) -> None:
    (folder / "times" / f"{NAMES[1]}_time.txt").unlink()
    with pytest.raises(BadData, match="GOT-10k_Test_000002 has no times"):
        write_submission("got10k", data("got10k:test"), folder, tracker="mine")
    assert not (folder / "submit").exists()
    assert not list(write_submission("otb", data("otb100"), folder, tracker="mine").rglob(f"{NAMES[1]}_time.txt"))


def test_what_no_reader_takes_is_refused() -> None:
    with pytest.raises(BadData, match="no format called 'vot' to submit in; known are got10k"):
        check_format("vot", data("folder"))
    with pytest.raises(BadData, match="'trackingnet' is for trackingnet only, and this is folder"):
        check_format("trackingnet", data("folder"))
    assert check_format("mot", data("folder")) is FORMATS["mot"]
