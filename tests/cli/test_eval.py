from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest

from sightline.cli import main
from sightline.engines import Opening
from sightline.evaluate.layouts import LAYOUTS
from tests.cli.clips import make_folder
from tests.conftest import need_shared
from tests.evaluate.folders import make_sequences

NAMES = ("a", "b", "c")


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A command over three sequences."""
    root = make_sequences(tmp_path / "data", NAMES)
    return ["eval", "--tracker", "kestrel-nano", "--dataset", "folder", "--root", str(root), "--output", str(tmp_path / "results")]


@pytest.mark.usefixtures("fake_tracker")
def test_one_json_object_has_means_and_the_same_per_sequence(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--json"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert printed.err == ""
    assert (told["tracker"], told["dataset"], told["evaluated"], told["expected"]) == ("fake", "folder", 3, 3)
    assert list(told["sequences"]) == list(NAMES)
    assert told["rules"] == "sightline"
    for key in ("auc", "precision", "norm_precision", "ao", "sr50", "sr75", "mean_iou"):
        assert told[key] == pytest.approx(sum(row[key] for row in told["sequences"].values()) / 3)
    assert told["fps"] > 0
    assert told["gaps"] == {}
    assert json.loads((tmp_path / "results" / "folder" / "fake" / "summary.json").read_text()) == told
    run = json.loads((tmp_path / "results" / "folder" / "fake" / "run.json").read_text())
    assert set(run) >= {"spec", "weights_sha256", "engine", "versions", "machine", "dataset", "tracker_hash"}
    assert len(run["weights_sha256"]["kestrel-nano.onnx"]) == 64


@pytest.mark.usefixtures("fake_tracker")
def test_rules_are_chosen_by_name_and_named_in_the_summary(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--rules", "pysot", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rules"], told["precision"]) == ("pysot", 1.0)
    assert told["sr75"] == pytest.approx(5 / 6)  # the absent frame is a miss of success, and a hit of precision
    assert main([*words, "--rules", "pysot"]) == 0
    assert "\nprotocol: one-pass; rules: pysot\n" in capsys.readouterr().out


@pytest.mark.usefixtures("fake_tracker")
def test_a_protocol_has_figures_and_a_folder_of_its_own(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--protocol", "restarts", "--rules", "vot2014", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["protocol"], told["rules"], told["failures"], told["eao"]) == ("restarts", "vot2014", 1.0, None)
    assert set(told["sequences"]["a"]) >= {"accuracy", "robustness", "failures", "eao", "fps", "frames"}
    assert (tmp_path / "results" / "folder" / "fake" / "restarts" / "a" / "a_001.txt").is_file()
    assert main([*words, "--protocol", "long-term"]) == 0
    printed = capsys.readouterr().out
    assert "protocol: long-term; rules: vot-lt\n" in printed
    assert "recall" in printed
    assert main([*words, "--protocol", "long-term", "--submit", "lasot"]) == 2
    assert "--submit is for one box in every frame, and the protocol long-term leaves more" in capsys.readouterr().err


@pytest.mark.usefixtures("fake_tracker")
def test_the_table_says_what_was_left_alone_and_what_was_made_again(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert "3 of 3 sequences evaluated" in capsys.readouterr().out
    result = tmp_path / "results" / "folder" / "fake" / "b.txt"
    result.write_text(result.read_text()[:30])
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "2 were complete already and left alone." in printed
    assert "made again: b (damaged: " in printed or "made again: b (short: " in printed


@pytest.mark.usefixtures("fake_tracker")
def test_a_gap_is_listed_and_gives_no_means_and_code_2(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data" / "b" / "groundtruth.txt").unlink()
    assert main([*words, "--json"]) == 2
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["evaluated"], told["expected"], told["auc"], told["fps"]) == (2, 3, None, None)
    first, second = printed.err.splitlines()
    assert first.startswith("sightline: 1 of 3 sequences of folder are not in ")  # said before the run
    assert second.startswith("sightline: error: 1 of 3 sequences are not evaluated, so there are no means: b (missing in the data set")
    assert main([*words, "--partial", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["precision"] == 1.0


@pytest.mark.usefixtures("fake_tracker")
def test_complete_results_are_written_for_a_toolkit_and_others_are_not(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--submit", "lasot", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in (Path(told["submission"]) / "fake_tracking_result").iterdir()) == ["a.txt", "b.txt", "c.txt"]
    (tmp_path / "data" / "b" / "groundtruth.txt").unlink()
    assert main([*words, "--submit", "mot", "--partial", "--json"]) == 2
    assert "nothing was written for --submit mot" in capsys.readouterr().err
    assert not (Path(told["submission"]).parent / "mot").exists()


@pytest.mark.parametrize(
    "extra,told",
    [
        (["--workers", "0"], "--workers is 0"),
        (["--threads", "-1"], "--threads is -1"),
        (["--dataset", "lasott"], "no data set called 'lasott'"),
        (["--root", "nowhere"], "nowhere does not exist"),
        (["--tracker", "nobody"], "nobody"),
        (["--import", "none.npz"], "none.npz cannot be read"),
        (["--submit", "vot"], "no format called 'vot'"),
        (["--submit", "got10k"], "for got10k only, and this is folder"),
        (["--tracker", "opencv:nothing"], "no OpenCV tracker called 'nothing'"),
        (["--tracker", "command:/nowhere/at/all"], "does not start"),
        (["--rules", "mine"], "no rules are called 'mine'; the protocol one-pass has sightline, got10k"),
        (["--protocol", "anchors"], "folder cannot be run by the protocol anchors: none of its sequences names frames to start from"),
        (["--protocol", "mine"], "no protocol called 'mine'; known are one-pass"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_makes_no_sense_is_refused(
    extra: list[str], told: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = dict(zip(words[1::2], words[2::2], strict=True)) | dict(zip(extra[::2], extra[1::2], strict=True))
    assert main(["eval", *(word for pair in options.items() for word in pair)]) == 2
    printed = capsys.readouterr().err
    assert told in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_program_that_speaks_trax_is_evaluated_as_ours_is(workers: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = dict(zip(words[1::2], words[2::2], strict=True))
    options["--tracker"] = f"command:{sys.executable} -m tests.cli.fake trax --tracker kestrel-nano"
    asked = ["eval", *(word for pair in options.items() for word in pair), "--workers", workers]
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["tracker"], told["evaluated"], told["precision"]) == ("fake", 3, 1.0)
    assert told["auc"] > 0.8
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == list(NAMES)


def test_a_class_and_a_tracker_of_opencv_are_evaluated(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "theirs.py").write_text(
        "class Still:\n    def init(self, image, box):\n        self.box = box\n    def update(self, image):\n        return self.box\n"
    )
    options = dict(zip(words[1::2], words[2::2], strict=True))
    # MIL draws at random, more at each call in a process: that it is run and scored can be tested, how well it follows cannot
    for tracker, name, least in ((f"python:{tmp_path / 'theirs.py'}:Still", "Still", 0.3), ("opencv:mil", "opencv-mil", 0.0)):
        options["--tracker"] = tracker
        assert main(["eval", *(word for pair in options.items() for word in pair), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["tracker"], told["evaluated"]) == (name, 3)
        assert told["auc"] > least
    rows = (tmp_path / "results" / "folder" / "Still" / "a.txt").read_text().splitlines()
    assert set(rows) == {"20.000000,40.000000,24.000000,24.000000"}


def test_threads_reach_network_and_crops(
    words: list[str], fake_tracker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def opened(opening: Opening) -> Any:
        asked.extend([str(opening), opening.threads, cv2.getNumThreads()])
        return fake_tracker()

    before = cv2.getNumThreads()
    monkeypatch.setattr("sightline.tracker.opened", opened)
    try:
        assert main([*words, "--threads", "2", "--json"]) == 0
    finally:
        cv2.setNumThreads(before)
    assert asked == ["onnxruntime f32", 2, 2]
    assert json.loads(capsys.readouterr().out)["timed_on"][0].endswith(", 1 x 2 threads")


def test_two_workers_give_the_boxes_of_one(words: list[str], tmp_path: Path) -> None:
    assert main(words) == 0
    assert main([*words[:-1], str(tmp_path / "two"), "--workers", "2"]) == 0
    for name in NAMES:
        one, two = (folder / "folder" / "kestrel-nano" / f"{name}.txt" for folder in (tmp_path / "results", tmp_path / "two"))
        assert one.read_bytes() == two.read_bytes()


def test_stored_boxes_are_imported_and_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = need_shared("data", "eval")
    words = ["eval", "--tracker", "FEAR-XS", "--dataset", "folder", "--root", str(root), "--output", str(tmp_path), "--json"]
    assert main([*words, "--import", str(root / "reference-boxes.npz")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert f"{told['auc']:.6f}" == "0.724528"
    assert (told["evaluated"], told["expected"], told["fps"]) == (26, 26, None)


@pytest.mark.usefixtures("fake_tracker")
def test_two_cameras_are_tracked_and_what_has_no_partner_and_no_place_is_told_shortly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / LAYOUTS["rgbt210"].names[0]
    folder.mkdir(parents=True)
    for camera, count in (("visible", 6), ("infrared", 7)):
        make_folder(folder / camera, count)
    (folder / "init.txt").write_text("".join(f"{20 + 2 * i},40,24,24\n" for i in range(5)))
    options = ["--root", str(tmp_path / "data"), "--output", str(tmp_path / "results")]
    assert main(["eval", "--tracker", "kestrel-nano", "--dataset", "rgbt210", *options, "--partial"]) == 0
    printed, notes = capsys.readouterr()
    frames = LAYOUTS["rgbt210"].frames[folder.name]
    assert f"1 sequences have another number of frames than rgbt210 is known to have, {folder.name} 5 instead of {frames}" in notes
    assert "fake looks at one picture; the second ones of rgbt210 are not read." in notes
    assert "1 of 210 sequences evaluated" in printed
    assert "rules: rgbt234\n" in printed
    assert printed.count("MISSING: ") == 31
    assert "MISSING: and 179 more; all are listed in " in printed
    assert "left out: 2 images or rows of 1 sequences, which have no partner in the data set" in printed
    assert len(json.loads((tmp_path / "results" / "rgbt210" / "fake" / "summary.json").read_text())["gaps"]) == 209
