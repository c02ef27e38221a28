from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline import models, zoo
from sightline.cli import main
from sightline.models.checkpoint import state_for_authors
from sightline.weights import spec_in
from tests.cli.clips import BOX

SPEC = zoo.find("kestrel-nano")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """An untrained network as its authors would save it."""
    torch.manual_seed(0)
    path = tmp_path / "checkpoint.pth"
    torch.save({"net": state_for_authors(models.build(SPEC), SPEC)}, path)
    return path


def test_a_checkpoint_is_converted_exported_and_tracked_with(
    checkpoint: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converted, graph, results = tmp_path / "new" / "w.safetensors", tmp_path / "new" / "w.onnx", tmp_path / "track.txt"
    assert main(["convert", str(checkpoint), "--tracker", "kestrel-nano", "--output", str(converted)]) == 0
    assert "kestrel-nano" in capsys.readouterr().out
    assert spec_in(converted) == SPEC
    assert main(["export", str(converted), "--output", str(graph)]) == 0
    assert str(graph) in capsys.readouterr().out
    assert spec_in(graph) == SPEC
    for weights, options in ((graph, []), (converted, ["--threads", "1"])):
        assert main(["track", str(clip), "--box", BOX, "--tracker", str(weights), "--results", str(results), *options]) == 0
        assert len(results.read_text().splitlines()) == 12


def test_an_unknown_name_is_refused_with_suggestions(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, name in (("convert", "w.safetensors"), ("export", "w.onnx")):
        assert main([command, str(checkpoint), "--tracker", "kestral-nano", "--output", str(tmp_path / name)]) == 2
        assert "kestrel-nano" in capsys.readouterr().err
        assert not (tmp_path / name).exists()


def test_a_known_tracker_without_weights_runs_with_random_ones_and_says_so(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, again = tmp_path / "track.csv", tmp_path / "again.csv"
    for path in (results, again):
        assert main(["track", str(clip), "--box", BOX, "--tracker", "hit-tiny", "--results", str(path), "--json"]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["weights"] == "random"
        assert "RANDOM" in err
        assert "sightline convert AUTHORS_FILE --tracker hit-tiny" in err
    boxes = np.array([[float(cell) for cell in row.split(",")[2:6]] for row in results.read_text().splitlines()[1:]])
    assert len(boxes) == 12
    assert np.isfinite(boxes).all()
    assert [row.split(",")[2:7] for row in again.read_text().splitlines()] == [
        row.split(",")[2:7] for row in results.read_text().splitlines()
    ]


def test_a_file_that_is_not_there_is_never_replaced_by_random_weights(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", str(clip), "--box", BOX, "--tracker", "absent.onnx"]) == 2
    assert "absent.onnx" in capsys.readouterr().err


def test_every_tensor_that_does_not_fit_is_told_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tensors = state_for_authors(models.build(SPEC), SPEC)
    tensors["norm.weight"] = torch.zeros(7)
    del tensors["norm.bias"]
    tensors["extra.weight"] = torch.zeros(1)
    torch.save({"net": tensors}, tmp_path / "checkpoint.pth")
    command = ["convert", str(tmp_path / "checkpoint.pth"), "--tracker", "kestrel-nano", "--output", str(tmp_path / "w.safetensors")]
    assert main(command) == 2
    assert "--explain" in capsys.readouterr().err
    assert main([*command, "--explain"]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "missing: norm.bias",
        "unknown: extra.weight",
        "of another shape: norm.weight (7,) instead of (48,)",
    ]
