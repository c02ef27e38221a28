from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sightline import models, zoo
from sightline.cli import main
from sightline.cli.environment import device_name
from sightline.models.checkpoint import save_weights
from tests.cli.clips import BOX, make_video
from tests.evaluate.folders import make_sequences

NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what is to be missing")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """An untrained network that torch reads."""
    spec = zoo.find("kestrel-nano")
    torch.manual_seed(0)
    save_weights(models.build(spec), spec, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


@pytest.fixture
def commands(tmp_path: Path) -> dict[str, list[str]]:
    """A command of each kind that follows something, without its tracker."""
    clip = make_video(tmp_path / "clip.mp4")
    (tmp_path / "jobs.csv").write_text("source,x,y,w,h\nclip.mp4,20,40,24,24\n")
    data = make_sequences(tmp_path / "data", ("a",))
    return {
        "track": ["track", str(clip), "--box", BOX, "--results", str(tmp_path / "track.csv")],
        "batch": ["batch", str(tmp_path / "jobs.csv"), "--output", str(tmp_path / "tracks")],
        "eval": ["eval", "--dataset", "folder", "--root", str(data), "--output", str(tmp_path / "results")],
    }


def line_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command is refused."""
    capsys.readouterr()
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_a_network_runs_where_it_is_told_to(
    weights: Path, commands: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = []
    for device in ("cpu", "cpu:0"):
        assert (
            main([*commands["track"], "--tracker", str(weights), "--engine", "torch", "--device", device, "--threads", "1", "--json"]) == 0
        )
        told = json.loads(capsys.readouterr().out)
        assert (told["engine"], told["device"]) == ("torch", device)
        boxes.append((tmp_path / "track.csv").read_text())
    assert boxes[0] == boxes[1]


@pytest.mark.parametrize("command", ["track", "batch", "eval"])
def test_every_command_that_follows_says_that_a_device_is_not_there(
    command: str, commands: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    if command == "batch":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra `parquet`)")
    told = line_of([*commands[command], "--tracker", "kestrel-nano", "--device", "meta", "--threads", "1"], capsys)
    assert "onnxruntime has no provider for device 'meta' here, it has " in told
    assert "to the engine torch" in told


def test_a_program_that_speaks_trax_says_so_too() -> None:
    words = [sys.executable, "-m", "sightline", "trax", "--tracker", "kestrel-nano", "--device", "meta"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "no provider for device 'meta'" in done.stderr


@pytest.mark.parametrize(
    "engine, device, told",
    [
        pytest.param("torch", "cuda", "torch has no device 'cuda' here (", marks=NO_CUDA),
        pytest.param("torch-compile", "cuda:1", "torch has no device 'cuda:1' here (", marks=NO_CUDA),
        ("torch", "meta", "torch has no device 'meta' here ("),
        ("torch", "nothing", "torch has no device 'nothing' here ("),
        ("torch", "hpu", "torch has no device 'hpu' here ("),
        ("onnxruntime", "cpu", "the onnxruntime engine reads ONNX"),
    ],
)
def test_what_torch_has_not_is_one_line(
    engine: str, device: str, told: str, weights: Path, commands: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in line_of([*commands["track"], "--tracker", str(weights), "--engine", engine, "--device", device], capsys)


def test_openvino_names_the_devices_that_it_has(commands: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openvino")
    told = line_of([*commands["track"], "--tracker", "kestrel-nano", "--engine", "openvino", "--device", "cuda"], capsys)
    assert "OpenVINO has no device CUDA here; it has CPU" in told


def test_no_engine_is_the_fastest_where_none_has_the_device(
    commands: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    told = line_of([*commands["track"], "--tracker", "kestrel-nano", "--engine", "auto", "--device", "meta"], capsys)
    assert "no provider for device 'meta'" in told
    assert not (tmp_path / "cache").exists()


def test_an_exported_file_is_nothing_for_torch(commands: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    told = line_of([*commands["track"], "--tracker", "kestrel-nano", "--engine", "torch"], capsys)
    assert "kestrel-nano.onnx is an exported graph: use engine onnxruntime or openvino, or give the .safetensors file" in told


def test_random_weights_are_on_the_device_too(commands: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert "torch has no device 'meta'" in line_of([*commands["track"], "--tracker", "hit-tiny", "--device", "meta"], capsys)


def test_trackers_of_others_run_where_they_like(commands: dict[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    told = line_of([*commands["eval"], "--tracker", "opencv:mil", "--device", "cuda"], capsys)
    assert "--device cuda is for networks of Sightline's; opencv:mil runs by itself" in told


@pytest.mark.usefixtures("fake_tracker")
def test_results_of_another_device_are_made_anew(
    commands: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*commands["eval"], "--tracker", "kestrel-nano", "--json"]
    made, timed_on = [], []
    for more in ([], ["--device", "dml:0"], ["--device", "dml:1"]):  # one that torch, which other tests have loaded, cannot tell more of
        assert main([*words, *more]) == 0
        told = json.loads(capsys.readouterr().out)
        made.append(told["made"])
        timed_on.append(told["timed_on"])
    assert made == [{"a": "no result"}, {"a": "made by another tracker, or another version of it"}, {}]
    assert timed_on[1] == [f"{timed_on[0][0]}, the network on dml:0"]
    assert json.loads((tmp_path / "results" / "folder" / "fake" / "run.json").read_text())["engine"] == "onnxruntime on dml"


@pytest.mark.usefixtures("fake_tracker")
def test_several_objects_go_through_another_device_together(
    commands: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sightline.engines.cores.num_cores", lambda: 4)
    for more, callers in ([], 1), (["--callers", "2"], 2):
        assert main([*commands["track"], "--box", "24,44,16,16", "--device", "cuda", "--json", *more]) == 0
        assert json.loads(capsys.readouterr().out)["callers"] == callers


def test_the_gpu_of_a_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"model of {device}")
    assert device_name("cuda:1") == "cuda:1 (model of cuda:1)"
    assert device_name("mps") == "mps"
