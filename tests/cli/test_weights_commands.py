from __future__ import annotations

from pathlib import Path

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
