from __future__ import annotations

from pathlib import Path

import pytest

from sightline.cli import main
from tests.train.made import make_data

GRID = """
from dataclasses import replace
from sightline.train.ablate import Study, Variant
from tests.train.made import RECIPE
STUDY = Study("batch", {str(batch): Variant(replace(RECIPE, batch=batch)) for batch in (4, 8)})
"""


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "data").mkdir()
    make_data(tmp_path / "data")
    (tmp_path / "grid.py").write_text(GRID)
    return ["ablate", str(tmp_path / "grid.py"), "--data", str(tmp_path / "data"), "--output", str(tmp_path / "out")]


def test_a_grid_file_becomes_a_table(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--steps", "1", "--seeds", "0"]) == 0
    printed = capsys.readouterr().out
    assert "| batch | IoU" in printed
    assert (tmp_path / "out" / "table.md").read_text() in printed
    assert len((tmp_path / "out" / "table.csv").read_text().splitlines()) == 1 + 2 * 7


@pytest.mark.parametrize(
    "change,told",
    [
        (["--steps", "0"], "--steps is 0"),
        (["--seeds", "one"], "--seeds 'one' is not a list of numbers"),
        (["--workers", "0"], "--workers is 0"),
    ],
)
def test_what_makes_no_sense_is_one_line(change: list[str], told: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, *change]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_an_unknown_study_lists_those_there_are(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ablate", "nothing", *words[2:]]) == 2
    assert "expected one of mask-ratio, " in capsys.readouterr().err
