"""The published VitTrack graph is read by the order of its nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import onnx  # noqa: E402  # after the check for torch, with which it is installed
import onnxruntime  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from sightline import models, zoo  # noqa: E402
from sightline.errors import WeightsMismatch  # noqa: E402
from sightline.models.checkpoint import convert, fill, load, state_for_authors  # noqa: E402
from sightline.models.layers.onestream import OneStream  # noqa: E402
from sightline.models.published_onnx import read_vittrack_onnx  # noqa: E402
from sightline.weights import SPEC_KEY  # noqa: E402
from tests.conftest import need_shared  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

NANO = zoo.find("vittrack-nano")
STEM = [f"patch_embed.net.{i}" for i in (0, 2, 4, 6)]
TOWERS = {part: [f"box_head.conv{i}_{part}" for i in (1, 2, 3, 4)] for part in ("ctr", "offset", "size")}


def published() -> Path:
    return need_shared("weights", "vittrack", "object_tracking_vittrack_2023sep.onnx")


def fused_graph(state: dict[str, Tensor]) -> onnx.ModelProto:
    """The nodes with weights of the published graph, in its order, from a checkpoint: norms fused, most names lost."""
    kept = {
        key: state[key]
        for key in state
        if key.startswith(("pos_", "norm.")) or ".norm" in key or (".weight" not in key and "blocks" in key)
    }
    nodes = []

    def convolution(name: str, norm: str | None) -> None:
        conv = f"{name}.c" if f"{name}.c.weight" in state else f"{name}.0" if f"{name}.0.weight" in state else name
        weight, bias = state[f"{conv}.weight"], state.get(f"{conv}.bias", torch.zeros(1))
        if norm is not None:
            gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + 1e-5).sqrt()
            weight, bias = weight * gain[:, None, None, None], (bias - state[f"{norm}.running_mean"]) * gain + state[f"{norm}.bias"]
        kept[f"w{name}"], kept[f"b{name}"] = weight, bias
        nodes.append(helper.make_node("Conv", ["x", f"w{name}", f"b{name}"], ["x"]))

    for name in [*STEM, *STEM]:
        convolution(name, f"{name}.bn")
    for block in range(3):
        for part in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"):
            kept[f"{block}{part}"] = state[f"blocks.{block}.{part}.weight"].T
            nodes.append(helper.make_node("MatMul", ["x", f"{block}{part}"], ["x"]))
        nodes.append(helper.make_node("MatMul", ["x", "x"], ["x"]))  # attention: no constant
    for part in ("ctr", "offset", "size"):
        for name in TOWERS[part]:
            convolution(name, f"{name}.1")
        if part == "offset":
            convolution("box_head.conv5_offset", None)
    convolution("box_head.conv5_ctr", None)
    convolution("box_head.conv5_size", None)
    constants = [numpy_helper.from_array(np.ascontiguousarray(value.numpy()), name) for name, value in kept.items()]
    return helper.make_model(helper.make_graph(nodes, "published", [], [], constants), producer_name="pytorch")


def test_a_graph_with_fused_norms_becomes_the_network_that_it_was_made_of(tmp_path: Path) -> None:
    network = stirred(models.build(NANO))
    onnx.save(fused_graph(state_for_authors(network, NANO)), tmp_path / "fused.onnx")
    again = models.build(NANO)
    fill(again, read_vittrack_onnx(tmp_path / "fused.onnx"), NANO)
    template, search = torch.rand(1, 3, 128, 128), torch.rand(1, 3, 256, 256)
    with torch.inference_mode():
        for ours, theirs in zip(maps(again, template, search), maps(network, template, search), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def maps(network: nn.Module, template: Tensor, search: Tensor) -> tuple[Tensor, ...]:
    assert isinstance(network, OneStream)
    return network.look(network.encode(network.embed(template, search)))


def test_the_published_file_converted_says_what_onnxruntime_says(tmp_path: Path) -> None:
    spec = convert(published(), "vittrack-nano", tmp_path / "nano.safetensors")
    network, carried = load(tmp_path / "nano.safetensors")
    assert spec == carried == NANO
    generator = np.random.default_rng(3)
    given = {name: generator.standard_normal((1, 3, side, side), np.float32) for name, side in (("template", 128), ("search", 256))}
    theirs = onnxruntime.InferenceSession(published(), providers=["CPUExecutionProvider"]).run(None, given)
    with torch.inference_mode():
        ours = maps(network, torch.from_numpy(given["template"]), torch.from_numpy(given["search"]))
    for mine, reference in zip(ours, theirs, strict=True):
        assert np.abs(mine.numpy() - reference).max() < 5e-6  # float32, other order of sums: 3e-6 was measured


def test_the_tensors_of_the_published_file_name_their_tracker(tmp_path: Path) -> None:
    assert convert(published(), None, tmp_path / "nano.safetensors").name == "vittrack-nano"


def test_another_graph_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    graph = helper.make_graph([helper.make_node("Identity", ["picture"], ["box"])], "other", [info("picture")], [info("box")])
    onnx.save(helper.make_model(graph), tmp_path / "other.onnx")
    with pytest.raises(WeightsMismatch, match=r"0 convolutions .* and 0 products with a constant, and takes picture") as refused:
        read_vittrack_onnx(tmp_path / "other.onnx")
    assert "\n" not in str(refused.value)


def test_a_graph_that_sightline_exported_is_sent_back(tmp_path: Path) -> None:
    model = helper.make_model(helper.make_graph([], "ours", [], []))
    model.metadata_props.add(key=SPEC_KEY, value="{}")
    onnx.save(model, tmp_path / "ours.onnx")
    with pytest.raises(WeightsMismatch, match="exported by Sightline: track with it as it is"):
        read_vittrack_onnx(tmp_path / "ours.onnx")


def test_a_graph_whose_weights_are_computed_is_refused(tmp_path: Path) -> None:
    model = fused_graph(state_for_authors(models.build(NANO), NANO))
    del model.graph.initializer[[entry.name for entry in model.graph.initializer].index("wpatch_embed.net.0")]
    onnx.save(model, tmp_path / "computed.onnx")
    with pytest.raises(WeightsMismatch, match=r"23 convolutions \(2 of them without a constant weight and bias\)"):
        read_vittrack_onnx(tmp_path / "computed.onnx")


def info(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1])


def test_a_graph_of_another_width_is_refused_by_its_shapes(tmp_path: Path) -> None:
    network = models.build(NANO)
    state = state_for_authors(network, NANO) | {"pos_embed_z": torch.zeros(1, 64, 50)}
    onnx.save(fused_graph(state), tmp_path / "wide.onnx")
    with pytest.raises(WeightsMismatch, match="1 of another shape"):
        convert(tmp_path / "wide.onnx", "vittrack-nano", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_a_broken_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07\x12\xff" + bytes(range(256)))
    with pytest.raises(WeightsMismatch, match="cannot be read as ONNX") as refused:
        read_vittrack_onnx(tmp_path / "broken.onnx")
    assert "\n" not in str(refused.value)
