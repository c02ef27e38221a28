"""FEAR-XS: its published graphs, its two ways to choose, and their export."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import onnxruntime  # noqa: E402  # after the check for torch, with which it is installed

from sightline import models, zoo  # noqa: E402
from sightline.errors import WeightsMismatch, WeightsMissing  # noqa: E402
from sightline.models.checkpoint import convert, fill, load, read_tensors, state_for_authors  # noqa: E402
from sightline.models.export import graphs  # noqa: E402
from sightline.models.fear import Fear  # noqa: E402
from sightline.spec import Spec  # noqa: E402
from tests.conftest import need_shared  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

XS, SMOOTH = zoo.find("fear-xs"), zoo.find("fear-xs-smooth")
SMALL = replace(SMOOTH, arch=replace(SMOOTH.arch, width=32, tower=1))


def fear(spec: Spec = SMALL) -> Fear:
    network = models.build(spec)
    assert isinstance(network, Fear)
    return network


def published(part: str = "encoder") -> Path:
    return need_shared("weights", "fear_xs", f"fear_xs_{part}.onnx")


def test_the_published_graphs_converted_say_what_onnxruntime_says(tmp_path: Path) -> None:
    convert(published(), "fear-xs", tmp_path / "w.safetensors")
    network, spec = load(tmp_path / "w.safetensors")
    assert spec == XS
    assert isinstance(network, Fear)
    generator = np.random.default_rng(0)
    encoder, head = (onnxruntime.InferenceSession(published(part), providers=["CPUExecutionProvider"]) for part in ("encoder", "head"))
    template, search = (encoder.run(None, {"image": generator.standard_normal((1, 3, side, side), np.float32)})[0] for side in (128, 256))
    box, logits = head.run(["bbox", "cls"], {"template_features": template, "search_features": search})
    picture = np.random.default_rng(0).standard_normal((1, 3, 128, 128), np.float32)
    with torch.inference_mode():
        np.testing.assert_allclose(network.extract(torch.from_numpy(picture)).numpy(), template, atol=1e-4 * float(template.std()))
        maps = network.look(torch.from_numpy(template), torch.from_numpy(search))
    np.testing.assert_allclose(maps.logits.numpy(), logits, atol=1e-4 * float(logits.std()))
    np.testing.assert_allclose(maps.distances.numpy(), box, atol=1e-4 * float(box.std()))


def test_either_half_of_the_published_network_will_do() -> None:
    first, second = read_tensors(published("encoder")), read_tensors(published("head"))
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_one_half_alone_asks_for_the_other(tmp_path: Path) -> None:
    shutil.copy(published("head"), tmp_path / "mine_head.onnx")
    with pytest.raises(WeightsMissing, match=r"put mine_encoder\.onnx into the same folder"):
        read_tensors(tmp_path / "mine_head.onnx")


def test_weights_that_fit_both_ways_to_choose_ask_which(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="fits fear-xs, fear-xs-smooth; say which"):
        convert(published(), None, tmp_path / "w.safetensors")


def test_a_lightning_checkpoint_has_the_same_names_behind_a_prefix() -> None:
    network = stirred(fear())
    theirs = {f"model.{key}": value for key, value in state_for_authors(network, SMALL).items()}
    theirs["model.encoder.model.head.conv.weight"] = torch.zeros(1)
    again = fear()
    fill(again, theirs, SMALL)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in again.state_dict().items())


def test_the_exported_graph_smooths_as_the_network_does() -> None:
    network = stirred(fear()).eval()
    assert isinstance(network, Fear)
    torch.manual_seed(0)
    search = torch.randint(0, 256, (3, 256, 256, 3), dtype=torch.uint8)
    kernel = network.init(torch.randint(0, 256, (3, 128, 128, 3), dtype=torch.uint8))["kernel"]
    prior = torch.tensor([[0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0.1, 0.3], [0.4, 0.5, 0.2, 0.1]])
    with torch.inference_mode():
        expected = network.step(search, kernel, prior)
    graph = graphs(network, SMALL)["step"].SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    given = {"search": search.numpy(), "kernel": kernel.detach().numpy(), "prior": prior.numpy()}
    box, score = session.run(["box", "score"], given)
    np.testing.assert_allclose(box, expected["box"].numpy(), atol=1e-4)
    np.testing.assert_allclose(score, expected["score"].numpy(), atol=1e-4)
    with torch.inference_mode():
        unsmoothed = network.step(search, kernel)
    assert not torch.allclose(unsmoothed["box"], expected["box"])
