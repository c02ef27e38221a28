from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.cli import main

QUICK = ["--rounds", "1", "--seconds", "0.01", "--frame", "320x240"]


def test_a_report_has_a_row_for_every_combination_and_says_where_it_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "bench.json"
    assert main(["bench", "--engine", "onnxruntime,openvino", "--targets", "1,3", *QUICK, "--output", str(output), "--json"]) == 0
    report = json.loads(output.read_text())
    assert report == json.loads(capsys.readouterr().out)
    assert [(row["engine"], row["targets"]) for row in report["rows"]] == [
        ("onnxruntime", 1),
        ("onnxruntime", 3),
        ("openvino", 1),
        ("openvino", 3),
    ]
    assert all(0 < row["network"] <= row["p50"] for row in report["rows"])
    assert all(0 < row["share_of_ceiling"] < 1.5 for row in report["rows"])
    assert report["machine"]["processor"]
    assert report["versions"]["onnxruntime"]


def test_the_tables_of_a_report_are_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "bench.md"
    assert main(["bench", *QUICK, "--layers", "--start", "--soak", "0.01", "--compare", "mil", "--output", str(output)]) == 0
    page = output.read_text()
    assert page.strip() in capsys.readouterr().out
    for text in ("OpenCV mil", "| Conv |", "a fresh process", "The slowest stretch", "Ceilings of this machine"):
        assert text in page


@pytest.mark.parametrize(
    "options, said",
    [
        (["--threads", "0"], "--threads"),
        (["--threads", "1,x"], "--threads"),
        (["--engine", "onnxruntime,,"], "--engine"),
        (["--engine", "nothing"], "nothing"),
        (["--engine", "onnxruntime", "--precision", "bf16"], "openvino does"),
        (["--frame", "huge"], "--frame"),
        (["--rounds", "0"], "--rounds"),
        (["--compare", "nobody"], "nobody"),
        (["--output", "bench.txt"], ".json"),
        (["nobody"], "nobody"),
    ],
)
def test_what_makes_no_sense_is_one_line(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *options, *[word for word in QUICK if options[0] not in QUICK or word not in options]]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
