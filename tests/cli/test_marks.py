from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.cli import main
from tests.cli.clips import BOX, SIZE

pytestmark = pytest.mark.usefixtures("fake_tracker")


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """The white square of the first frame, which ends at its last pixel."""
    shown = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    shown[40:64, 20:44] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), shown)
    return tmp_path / "mask.png"


def tracked(clip: Path, results: Path, *words: str) -> list[dict[str, str]]:
    assert main(["track", str(clip), *words, "--results", str(results)]) == 0
    with results.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_point_becomes_the_box_of_what_it_lies_on(clip: Path, tmp_path: Path) -> None:
    rows = tracked(clip, tmp_path / "track.csv", "--point", "33,51")
    assert len(rows) == 12
    assert [float(rows[0][key]) for key in "xywh"] == pytest.approx([20, 40, 24, 24], abs=2)
    assert float(rows[-1]["x"]) == pytest.approx(42, abs=2)


def test_a_mask_becomes_its_box(clip: Path, mask: Path, tmp_path: Path) -> None:
    rows = tracked(clip, tmp_path / "track.csv", "--mask", str(mask))
    assert [float(rows[0][key]) for key in "xywh"] == [20, 40, 24, 24]
    assert float(rows[-1]["x"]) == pytest.approx(42, abs=2)


def test_a_coloured_mask_is_one_too(clip: Path, mask: Path, tmp_path: Path) -> None:
    coloured = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    coloured[..., 3] = 255
    coloured[40:64, 20:44, 2] = 128
    cv2.imwrite(str(mask), coloured)
    assert [float(tracked(clip, tmp_path / "track.csv", "--mask", str(mask))[0][key]) for key in "xywh"] == [20, 40, 24, 24]


def test_a_box_a_point_and_a_mask_are_three_objects(clip: Path, mask: Path, tmp_path: Path) -> None:
    rows = tracked(clip, tmp_path / "track.csv", "--mask", str(mask), "--box", BOX, "--point", "33,51")
    assert [row["target"] for row in rows[:3]] == ["1", "2", "3"]
    assert len(rows) == 36


@pytest.mark.parametrize(
    "words,told",
    [
        (["--point", "33"], "--point '33' is not two numbers"),
        (["--point", "a,b"], "not two numbers"),
        (["--point", "500,20"], "outside the 200x120 frame"),
        (["--point", "nan,20"], "outside the 200x120 frame"),
        (["--point", "33,51", "--select"], "either --box"),
        (["--mask", "nowhere.png"], "--mask nowhere.png is no image"),
        (["--mask", "small.png"], "has 10x10 pixels and the first frame 200x120"),
        (["--mask", "black.png"], "--mask black.png: the mask is zero everywhere"),
    ],
)
def test_a_mark_that_marks_nothing_is_one_line(
    words: list[str], told: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("small.png", np.full((10, 10), 255, np.uint8))
    cv2.imwrite("black.png", np.zeros((SIZE[1], SIZE[0]), np.uint8))
    assert main(["track", str(clip), *words, "--results", "track.csv"]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not Path("track.csv").exists()
