from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.cli import main
from sightline.evaluate.layouts import LAYOUTS
from tests.evaluate.folders import make_sequences, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_sequences(tmp_path / "data", ["a", "b"])


def check(root: Path, *words: str, dataset: str = "folder") -> int:
    return main(["check", "--dataset", dataset, "--root", str(root), *words])


@pytest.mark.parametrize("words", [[], ["--decode"], ["--decode", "--workers", "2"]], ids=" ".join)
def test_a_whole_data_set_is_said_to_be_whole(words: list[str], root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(root, *words) == 0
    assert "2 of 2 sequences are whole; 12 images" in capsys.readouterr().out


def test_empty_files_are_found_without_decoding_and_cut_ones_by_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "a" / "img" / "3.png"
    path.write_bytes(path.read_bytes()[:100])
    assert check(root) == 0
    assert check(root, "--decode") == 2
    assert f"a: {path} cannot be decoded: the PNG file is cut off." in capsys.readouterr().out
    path.write_bytes(b"")
    assert check(root) == 2
    told = capsys.readouterr()
    assert f"a: {path} is empty, or no image" in told.out
    assert told.err.strip() == "sightline: error: 1 of 2 sequences of folder are missing or damaged."


def test_everything_that_is_wrong_is_listed_at_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "a" / "groundtruth.txt").unlink()
    (root / "b" / "img" / "3.png").unlink()
    assert check(root, "--json") == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["whole"], told["expected"]) == (0, 2)
    assert told["problems"]["a"] == "no a/groundtruth.txt"
    assert "6 frames, and" in told["problems"]["b"]


def test_many_damaged_images_are_counted_and_some_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (root / "a" / "img").iterdir():
        path.write_bytes(b"")
    check(root)
    assert "; and 3 more" in capsys.readouterr().out


def make_pairs(root: Path, name: str, frames: int, *, height: int = 8) -> None:
    for camera, rows in (("visible", 8), ("infrared", height)):
        (root / name / camera).mkdir(parents=True)
        for i in range(frames):
            cv2.imwrite(str(root / name / camera / f"{i}.png"), np.zeros((rows, 10, 3), np.uint8))
    write(root / name / "init.txt", "1,2,3,4\n" * frames)


def test_a_copy_with_other_frames_than_the_benchmark_is_not_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = LAYOUTS["lasher"].names[0]
    make_pairs(tmp_path, name, 3)
    assert check(tmp_path, "--json", dataset="lasher") == 2
    told = json.loads(capsys.readouterr().out)
    frames = LAYOUTS["lasher"].frames[name]
    assert told["problems"][name] == f"3 frames with a row of the annotation; the data set has {frames}"
    assert (told["expected"], len(told["problems"])) == (245, 245)


def test_pictures_of_two_cameras_that_differ_in_size_are_found_by_decoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_pairs(tmp_path, "2ndrunningboy", 2, height=6)
    assert check(tmp_path, "--decode", "--json", dataset="lasher:train") == 2
    assert "0.png is 10x8, and its partner 10x6" in capsys.readouterr().out


def test_a_wrong_number_of_workers_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(root, "--workers", "0") == 2
    assert "--workers is 0" in capsys.readouterr().err
