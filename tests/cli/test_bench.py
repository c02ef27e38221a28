from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.cli import main
from sightline.errors import EngineError, SightlineError
from sightline.measure.ceiling import Ceiling
from sightline.measure.race import Race
from sightline.measure.soak import Window
from sightline.measure.subject import Subject
from sightline.measure.videos import in_processes
from sightline.weights import find

QUICK = ["--rounds", "1", "--seconds", "0.01", "--frame", "320x240"]


@pytest.fixture
def known_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine can do is not measured: that takes seconds."""
    monkeypatch.setattr("sightline.measure.bench.ceiling", lambda threads: Ceiling(threads, 100.0, None, None, 10.0, {"f32": "nobody"}))


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
    for text in ("OpenCV mil", "| Conv x ", "its slowest layers", "a fresh process", "fps / fresh", "Ceilings of this machine"):
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
    with pytest.raises(EngineError, match="nobody"), in_processes(Subject("nobody", "onnxruntime"), (64, 64), 2):
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
        (["--engine", "onnxruntime", "--precision", "bf16"], "not in bf16; use engine openvino"),
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
        (["--engine", ""], "--engine is empty"),
        (["--targets", "²"], "--targets"),
        (["--seconds", "inf"], "--seconds inf"),
        (["--seconds", "nan"], "--seconds nan"),
        (["--soak", "inf"], "--soak inf"),
        (["--output", f"{__file__}/bench.md"], "is a file, and no folder to write to"),
        (["--layers", "--engine", "torch"], "add one of them to --engine"),
        (["--start", "--engine", "torch"], "on torch has random ones"),
        (["--videos", "2", "--engine", "torch"], "on torch has random ones"),
        (["--precision", "int8"], "has no int8 form for onnxruntime"),
    ],
)
def test_what_makes_no_sense_is_one_line_before_anything_is_measured(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path))
    monkeypatch.setattr("sightline.measure.bench.ceiling", None)
    others = [word for i in range(0, len(QUICK), 2) if QUICK[i] != options[0] for word in QUICK[i : i + 2]]
    assert main(["bench", *options, *others]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", ["{", "[1]", "\xff"])
def test_results_that_are_damaged_are_named(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "summary.json").write_text(content, encoding="latin-1")
    assert main(["bench", *QUICK, "--accuracy", str(tmp_path)]) == 2
    assert "summary.json cannot be read" in capsys.readouterr().err


def test_a_plot_that_would_be_empty_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("sightline.measure.bench.ceiling", None)
    (tmp_path / "summary.json").write_text(json.dumps({"tracker": "merlin", "dataset": "folder", "auc": 0.5}))
    (tmp_path / "run.json").write_text(json.dumps({"engine": "openvino int8"}))
    assert main(["bench", "merlin", *QUICK, "--accuracy", str(tmp_path), "--plot", str(tmp_path / "speed.svg")]) == 2
    assert "has results of merlin (openvino int8), and of none of the trackers here" in capsys.readouterr().err


@pytest.mark.usefixtures("known_ceiling")
def test_accuracy_is_that_of_one_pass_in_the_precision_of_the_row(tmp_path: Path) -> None:
    for place, auc, more in (("one", 0.7, {}), ("one/temporal", 0.2, {"protocol": "temporal"}), ("rough", 0.6, {})):
        (tmp_path / place).mkdir()
        told = {"tracker": "kestrel-nano", "dataset": "folder", "auc": auc, **more}
        (tmp_path / place / "summary.json").write_text(json.dumps(told))
    (tmp_path / "rough" / "run.json").write_text(json.dumps({"engine": "openvino int8"}))
    output = tmp_path / "bench.json"
    assert main(["bench", "kestrel-nano", *QUICK, "--accuracy", str(tmp_path), "--output", str(output)]) == 0
    [row] = json.loads(output.read_text())["rows"]
    assert row["auc"] == 0.7


@pytest.mark.usefixtures("known_ceiling")
def test_what_was_measured_before_an_interrupt_is_told_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Race.round

    def second_is_interrupted(race: Race, seconds: float) -> None:
        if race.num_rounds:
            raise KeyboardInterrupt
        whole(race, seconds)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Race, "round", second_is_interrupted)
    output = tmp_path / "bench.md"
    command = ["bench", "kestrel-nano", "--rounds", "3", *QUICK[2:], "--output", str(output)]
    assert main(command) == 130
    page = output.read_text()
    assert page.strip() in capsys.readouterr().out
    assert "| kestrel-nano (onnxruntime f32, 1 thread) |" in page
    assert "Not all was measured that was asked for: interrupted." in page
    monkeypatch.setattr(Race, "round", interrupted)
    output.unlink()
    assert main(command) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not output.exists()  # there is nothing to tell


@pytest.mark.usefixtures("known_ceiling")
def test_a_part_that_fails_takes_nothing_of_the_others_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def begun(*_: object, **__: object) -> None:
        raise EngineError("it does not begin.")

    def soaked(*_: object, **__: object) -> Iterator[Window]:
        yield Window(10.0, 700.0, None, None, None, None)
        raise SightlineError("it broke.")

    output = tmp_path / "bench.json"
    command = ["bench", "kestrel-nano", *QUICK, "--output", str(output)]
    monkeypatch.setattr("sightline.measure.bench.start", begun)
    assert main([*command, "--start"]) == 2
    assert capsys.readouterr().err == "sightline: error: it does not begin. What was measured before is in the report.\n"
    report = json.loads(output.read_text())
    assert (len(report["rows"]), report["start"], report["stopped"]) == (1, [], "it does not begin.")
    monkeypatch.setattr("sightline.measure.bench.soak", soaked)
    assert main([*command, "--soak", "30"]) == 2
    assert [window["fps"] for window in json.loads(output.read_text())["soak"]] == [700.0]
