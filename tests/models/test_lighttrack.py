"""LightTrack: its names, its two search sizes, and its export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.box import Box  # noqa: E402
from sightline.frame import Frame  # noqa: E402
from sightline.models.checkpoint import fill, fits, read_tensors, save_weights, state_for_authors  # noqa: E402
from sightline.models.export import export  # noqa: E402
from sightline.models.layers.pixelwise import Pixelwise  # noqa: E402
from sightline.tracker import load  # noqa: E402
from tests.conftest import need_shared  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

MOBILE = zoo.find("lighttrack-mobile")
ARCH = replace(MOBILE.arch, stages=(((3, 2),), ((3, 2),), ((3, 2),), ((5, 2),)), score_kernels=(3,), box_kernels=(3, 5))
SMALL = replace(MOBILE, arch=ARCH)


def test_the_found_network_has_the_parameters_of_the_paper() -> None:
    with torch.device("meta"):
        network = models.build(MOBILE)
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_969_397


def test_the_tensors_of_the_published_weights_tell_the_network() -> None:
    tensors = read_tensors(need_shared("weights", "lighttrack_m", "lighttrack_mobile_from_openvino.pth"))
    assert [spec.name for spec in fits(tensors)] == ["lighttrack-mobile", "lighttrack-mobile-defaults"]


def test_copies_with_a_further_prefix_are_read() -> None:
    network = stirred(models.build(SMALL))
    theirs = state_for_authors(network, SMALL)
    theirs = {f"feature_extractor.{key}" if key.startswith("features") else key: value for key, value in theirs.items()}
    again = models.build(SMALL)
    fill(again, theirs, SMALL)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in again.state_dict().items())


def lively(network: nn.Module) -> nn.Module:
    """Weights that keep the spread of what goes through: with smaller ones all cells score alike, and rounding picks the box."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 1.6 * parameter[0].numel() ** -0.5)
    return network


def test_one_exported_graph_follows_large_and_small_targets_as_the_network_does(tmp_path: Path) -> None:
    network = lively(stirred(models.build(SMALL))).eval()
    assert isinstance(network, Pixelwise)
    save_weights(network, SMALL, tmp_path / "w.safetensors")
    export(tmp_path / "w.safetensors", tmp_path / "w.onnx")
    inputs = onnxruntime.InferenceSession(tmp_path / "w.onnx").get_inputs()
    assert next(entry.shape for entry in inputs if entry.name == "search") == ["batch", "16*cells", "16*cells", 3]
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    for box in (Box(100, 80, 60, 40), Box(100, 80, 16, 14)):
        followed = []
        for name in ("w.safetensors", "w.onnx"):
            tracker = load(tmp_path / name)
            tracker.init(Frame(image), box)
            followed.append([tracker.update(Frame(np.roll(image, 3 * i, axis=1))) for i in range(1, 4)])
        assert {estimate.region.size for estimate in followed[0]} == {256 if box.w > 20 else 288}
        for ours, exported in zip(*followed, strict=True):
            assert exported.box == pytest.approx(ours.box, abs=1e-2)
            assert exported.score == pytest.approx(ours.score, abs=1e-4)
