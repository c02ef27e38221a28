from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.cli import main
from sightline.errors import EngineError
from sightline.measure.ceiling import Ceiling
from sightline.measure.videos import in_processes
from sightline.weights import find

QUICK = ["--rounds", "1", "--seconds", "0.01", "--frame", "320x240"]


@pytest.fixture
def known_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine can do is not measured: that takes seconds."""
    monkeypatch.setattr("sightline.measure.ceiling.ceiling", lambda threads: Ceiling(threads, 100.0, None, None, 10.0, {"f32": "nobody"}))


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
    for text in ("OpenCV mil", "| Conv |", "a fresh process", "fps / machine", "Ceilings of this machine"):
        assert text in page


@pytest.mark.usefixtures("known_ceiling")
def test_several_targets_are_told_beside_the_network_alone_with_batches_and_callers(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    assert main(["bench", "kestrel-nano", "--targets", "1,4", "--batch", "1,4", "--callers", "1,2", *QUICK, "--output", str(output)]) == 0
    report = json.loads(output.read_text())
    assert [(row["targets"], row["batch"], row["callers"]) for row in report["rows"]] == [
        (1, 1, 1),
        (4, 1, 1),
        (4, 1, 2),
        (4, 4, 1),
        (4, 4, 2),
    ]
    assert [row["to_network"] is None for row in report["targets"]] == [
        False,
        True,
        False,
        True,
    ]  # calls at the same time have no one duration
    assert all(row["per_target"] > 0 for row in report["targets"])
    assert all(
        70 < row["kilobytes"] < 200 for row in report["targets"]
    )  # keys and values: 3 blocks, 64 tokens, 48 channels, 4 bytes, twice


@pytest.mark.usefixtures("known_ceiling")
def test_videos_at_the_same_time_are_measured_in_threads_and_in_processes(tmp_path: Path) -> None:
    output = tmp_path / "bench.md"
    assert main(["bench", "kestrel-nano", "--videos", "2", *QUICK, "--output", str(output)]) == 0
    assert "| 2 x kestrel-nano (onnxruntime f32, 1 thread) |" in output.read_text()


def test_a_tracker_that_does_not_start_in_a_process_is_one_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EngineError, match="nobody"), in_processes(["nobody", "onnxruntime", "f32"], (64, 64), 2):
        pass
    assert "nobody" in capfd.readouterr().err


@pytest.mark.usefixtures("known_ceiling")
def test_others_of_ours_are_compared_and_drawn_with_the_accuracy_that_eval_found(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name, auc in (("kestrel-nano", 0.7), ("opencv-mil", 0.4)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(json.dumps({"tracker": name, "dataset": "folder", "auc": auc}))
    weights = find("kestrel-nano")
    output, plot = tmp_path / "bench.json", tmp_path / "speed.svg"
    asked = ["--compare", f"{weights},mil", "--accuracy", str(tmp_path), "--plot", str(plot)]
    assert main(["bench", "kestrel-nano", *asked, *QUICK, "--output", str(output)]) == 0
    rows = json.loads(output.read_text())["rows"]
    assert [(row["tracker"], row["auc"]) for row in rows] == [("kestrel-nano", 0.7), (str(weights), 0.7), ("opencv-mil", 0.4)]
    assert rows[0]["file_mb"] == rows[1]["file_mb"] > 0.1
    assert "Accuracy and speed" in plot.read_text()


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
        (["--compare", "vit"], "vit=NET.onnx"),
        (["--compare", "nano=a.onnx+b.onnx"], "a.onnx does not exist"),
        (["--callers", "0"], "--callers"),
        (["--plot", "speed.svg"], "--accuracy"),
        (["--accuracy", "."], "no finished results"),
        (["--output", "bench.txt"], ".json"),
        (["nobody"], "nobody"),
    ],
)
def test_what_makes_no_sense_is_one_line(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *options, *[word for word in QUICK if options[0] not in QUICK or word not in options]]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
