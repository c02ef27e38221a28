from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sightline.cli import main
from tests.evaluate.folders import make_sequences

WEIGHTS = str(Path(__file__).parents[2] / "recipes" / "kestrel-nano.safetensors")


def test_a_table_and_a_heat_map_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_sequences(tmp_path / "data", ["a", "b"])
    files = [tmp_path / f"cka.{suffix}" for suffix in ("csv", "md", "png")]
    words = ["similarity", WEIGHTS, WEIGHTS, "--root", str(root), "--pairs", "6", "--gap", "1", "--layers", r"blocks\.\d", "--output"]
    assert main([*words, *map(str, files)]) == 0
    assert "blocks.0" in capsys.readouterr().out
    rows = list(csv.reader(files[0].read_text().splitlines()))
    assert [row[0] for row in rows] == ["layer", "blocks.0", "blocks.1", "blocks.2"]
    assert [float(rows[i][i]) for i in (1, 2, 3)] == pytest.approx([1, 1, 1])
    assert files[1].read_text().startswith("| | blocks.0 | blocks.1 | blocks.2 |")
    assert files[2].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "change,told",
    [
        (["--output", "cka.txt"], "--output"),
        (["--pairs", "0"], "--pairs 0"),
        (["--gap", "1000"], "smaller --gap"),
        (["--root", "nowhere"], "nowhere does not exist"),
        (["--pairs", "2", "--gap", "1"], "too few"),
    ],
    ids=["suffix", "no pairs", "too far", "nowhere", "too few"],
)
def test_what_makes_no_sense_is_one_line(change: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_sequences(tmp_path / "data", ["a"])
    assert main(["similarity", WEIGHTS, WEIGHTS, "--root", str(root), *change]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
