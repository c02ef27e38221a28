from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline.cli import main
from sightline.cli.marks import marks_from
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


def labels(path: Path, kind: str) -> Path:
    """Three squares one beside the other, 1, 2 and 3 of a grey picture, one with a palette, or one of colours."""
    numbers = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    for i in range(3):
        numbers[40:64, 20 + 30 * i : 44 + 30 * i] = i + 1
    if kind == "palette":
        picture = Image.fromarray(numbers)
        picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 64, 0, 0])  # the third colour is the darkest
        picture.save(path)
    else:
        cv2.imwrite(str(path), numbers if kind == "grey" else cv2.merge([0 * numbers, numbers, 0 * numbers]))
    return path


@pytest.mark.parametrize("kind", ["grey", "palette", "colours"])
def test_a_picture_of_several_objects_takes_a_name_for_each(clip: Path, tmp_path: Path, kind: str) -> None:
    path = labels(tmp_path / "labels.png", kind)
    rows = tracked(clip, tmp_path / "track.csv", "--mask", f"car, bus,12={path}")
    assert [(row["target"], float(row["x"]), float(row["w"])) for row in rows[:3]] == [("car", 20, 24), ("bus", 50, 24), ("12", 80, 24)]
    alone = tracked(clip, tmp_path / "track.csv", "--mask", str(path))
    assert [float(alone[0][key]) for key in "xywh"] == [20, 40, 84, 24]


def test_a_mask_has_a_name_where_one_is_given(clip: Path, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tracked(clip, tmp_path / "track.csv", "--mask", f"car={mask}", "--mask", str(mask), "--box", f"man={BOX}")
    assert [row["target"] for row in rows[:3]] == ["man", "car", "3"]
    monkeypatch.chdir(tmp_path)
    mask.rename("a=1.png")
    assert "target" not in tracked(clip, tmp_path / "track.csv", "--mask", "a=1.png")[0]


@pytest.mark.parametrize(
    "words,told",
    [
        (["--mask", "a,b=labels.png"], "labels.png has 3 values besides black (1, 2, 3), and 2 names are given; expected a name for each"),
        (["--mask", "a,a,b=labels.png"], "two targets are called a"),
        (["--mask", "=labels.png"], "has no name before the equals sign"),
        (["--mask", "a=nowhere.png"], "--mask nowhere.png is no image"),
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
    labels(Path("labels.png"), "grey")
    cv2.imwrite("small.png", np.full((10, 10), 255, np.uint8))
    cv2.imwrite("black.png", np.zeros((SIZE[1], SIZE[0]), np.uint8))
    assert main(["track", str(clip), *words, "--results", "track.csv"]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not Path("track.csv").exists()


def test_every_object_of_a_mask_counts_where_cores_are_shared() -> None:
    marks = marks_from([BOX], None, ["12,30"], ["car,person=labels.png"], select=False, source="street.mp4")
    assert marks.most_at_once == len(marks.names) == 4
