from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from sightline.box import Box
from sightline.cli import main
from sightline.engines import Opening
from sightline.measure.ceiling import Ceiling
from sightline.quantize import make
from sightline.scene import SceneFrame
from sightline.weights import init_path, int8_path
from tests.quantize.made import SMALL, rounded


def boxed(box: Box) -> str:
    return ",".join(f"{value:.1f}" for value in box)


@pytest.mark.parametrize("form", ["a folder of sequences", "a video"])
@pytest.mark.parametrize("levels,passes", [pytest.param(127, True, id="fine"), pytest.param(3, False, id="coarse")])
def test_the_gate_lets_fine_weights_through_and_coarse_ones_not(
    form: str,
    levels: int,
    passes: bool,
    weights: Path,
    folder: Path,
    film: tuple[Path, list[SceneFrame]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sightline.quantize.onnx.WAYS", {"plain": lambda model, *_: rounded(model, levels)})
    images, shots = film
    given = [str(folder)] if form == "a folder of sequences" else [str(images), "--box", boxed(shots[0].box)]
    assert main(["quantize", str(weights), "--engine", "onnxruntime", "--calibrate", *given]) == (0 if passes else 2)
    assert int8_path(weights, "onnxruntime").exists() == passes
    said = capsys.readouterr()
    assert ("loses too much" in said.err) != passes
    assert (f"for {2 if form == 'a folder of sequences' else 1} real object" in said.out) == passes


def test_without_real_pictures_nothing_is_made(
    weights: Path, film: tuple[Path, list[SceneFrame]], capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ([], ["--box", "1,2,3,4"]):
        assert main(["quantize", str(weights), "--engine", "onnxruntime", *more]) == 2
        [line] = capsys.readouterr().err.strip().splitlines()
        assert "give --calibrate SEQUENCES (a folder of NAME/img/*.jpg with NAME/groundtruth.txt" in line
        assert f"--calibrate street.mp4 --box {more[1] if more else '120,80,40,60'}" in line
    assert main(["quantize", str(weights), "--calibrate", str(film[0] / "000.jpg")]) == 2
    assert "a file without boxes" in capsys.readouterr().err
    assert not int8_path(weights, "onnxruntime").exists()


@pytest.mark.usefixtures("recipe")
@pytest.mark.parametrize("objects,warned", [(1, True), (5, False)])
def test_tracking_in_int8_says_once_that_few_objects_were_checked(
    objects: int, warned: bool, weights: Path, film: tuple[Path, list[SceneFrame]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=replace(SMALL, objects=objects))
    images, shots = film
    command = [
        "track",
        str(images / "00*.jpg"),
        "--box",
        boxed(shots[0].box),
        "--tracker",
        str(weights),
        "--results",
        str(tmp_path / "r.csv"),
    ]
    assert main([*command, "--precision", "int8"]) == 0
    assert capsys.readouterr().err.count("for 1 real object (what was filmed): nothing is known of others") == warned
    assert main(command) == 0
    assert "real object" not in capsys.readouterr().err


@pytest.mark.usefixtures("recipe")
def test_the_command_says_what_it_did(weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sightline.quantize.footage.open_footage", lambda _: SMALL)
    command = ["quantize", str(weights), "--engine", "onnxruntime", "--calibrate", "sequences"]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["calibrated_on"], told["objects_checked"]) == ("what was filmed", 2)
    assert told["files"] == [str(int8_path(weights, "onnxruntime")), str(init_path(int8_path(weights, "onnxruntime")))]
    assert main([*command, "--budget", "1"]) == 2
    assert "the budget is 1.000, so nothing was written" in capsys.readouterr().err
    assert main([*command, "--budget", "95"]) == 2
    assert main([*command, "--output", str(weights)]) == 2
    assert "the file in f32 itself" in capsys.readouterr().err


@pytest.mark.usefixtures("recipe")
def test_bench_names_a_file_in_int8_as_what_it_is(
    weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Ceiling(1, 100.0, None, 400.0, 10.0, {})
    monkeypatch.setattr("sightline.measure.bench.ceiling", lambda _: known)
    make.quantize(weights, int8_path(weights, "onnxruntime"), engine="onnxruntime", footage=SMALL)
    quick = ["--rounds", "1", "--seconds", "0.01", "--frame", "320x240", "--json"]
    shown: list[Path] = []

    def profile(opening: Opening, _: object) -> list[object]:
        shown.append(opening.file())
        return []

    monkeypatch.setattr("sightline.measure.layers.profile", profile)
    assert main(["bench", str(weights), "--precision", "f32,int8", "--layers", *quick]) == 0
    said = capsys.readouterr()
    assert said.err.count("nothing is known of others") == 1
    rows = json.loads(said.out)["rows"]
    assert [row["precision"] for row in rows] == ["f32", "int8"]
    int8 = int8_path(weights, "onnxruntime")
    assert shown == [weights, int8]  # of each its own layers
    assert rows[1]["file_mb"] == pytest.approx((int8.stat().st_size + init_path(int8).stat().st_size) / 1e6)
    assert main(["bench", str(int8), *quick]) == 0
    [row] = json.loads(capsys.readouterr().out)["rows"]
    assert row["precision"] == "int8"
    assert main(["bench", str(weights), "--engine", "onnxruntime,openvino", "--precision", "int8", *quick]) == 0
    said = capsys.readouterr()
    assert [row["engine"] for row in json.loads(said.out)["rows"]] == ["onnxruntime"]
    assert "sightline: left out: w.onnx has no int8 form for openvino" in said.err
