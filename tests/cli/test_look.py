from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.cli import main
from sightline.frame import read
from tests.cli.clips import SIZE, picture


def test_the_first_frame_is_written_with_lines_at_round_numbers(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "look.png"
    assert main(["track", str(clip), "--start", "3", "--look", str(path)]) == 0
    assert "frame 3, 200x120 pixels" in capsys.readouterr().out
    [frame] = read(path)
    shown = frame.image.astype(int)
    assert shown.shape == (SIZE[1], SIZE[0], 3)
    changed = np.abs(shown - picture(3)).mean(axis=2) > 30
    columns, rows = changed[100:].mean(axis=0), changed[:, 185:].mean(axis=1)  # apart from the object and most numbers
    assert [x for x in range(20, 180) if columns[x] > 0.9] == [20 * i for i in range(1, 9)]
    assert [y for y in range(20, 120) if rows[y] > 0.9] == [20, 40, 60, 80, 100]


@pytest.mark.parametrize(
    "source,path,told", [("clip.mp4", "look.gif", "ends in .png or .jpg"), ("absent.mp4", "look.png", "absent.mp4 does not exist")]
)
def test_what_cannot_be_looked_at_is_one_line(
    source: str,
    path: str,
    told: str,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["track", source, "--look", path]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [clip.name]


def test_an_image_is_not_overwritten_by_its_own_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), picture(0))
    before = path.read_bytes()
    assert main(["track", str(path), "--look", str(path)]) == 2
    assert "the source itself" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_full_disk_names_the_file_that_was_asked_for(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["track", str(clip), "--look", str(tmp_path / "look.png")]) == 2
    assert f"cannot write {tmp_path / 'look.png'} (No space left on device)" in capsys.readouterr().err
