"""What is done to exported graphs: the same numbers from fewer nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")

import onnx  # noqa: E402  # after the check for torch
from onnx import helper, numpy_helper  # noqa: E402

from sightline import models, zoo  # noqa: E402
from sightline.models.export import example, graphs  # noqa: E402
from sightline.models.graph import fold_normalisation  # noqa: E402
from tests.models.roles import for_step  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

RNG = np.random.default_rng(0)
MEAN, STD = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]))
WEIGHTS = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)


def node(kind: str, given: list[str], name: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, given, [name], name=name, **attributes)


def model(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("out",)) -> onnx.ModelProto:
    """A graph from uint8 pixels, with the constants that nodes may name."""
    constants = {"255": np.float32(255), "mean": MEAN, "std": STD, "weights": WEIGHTS, "row": np.ones((1, 1, 1, 5), np.float32)}
    graph = helper.make_graph(
        [node("Cast", ["pixels"], "x", to=onnx.TensorProto.FLOAT), *nodes],
        "small",
        [helper.make_tensor_value_info("pixels", onnx.TensorProto.UINT8, [1, 3, 5, 5])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def said(graph: onnx.ModelProto) -> list[Any]:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(1).integers(0, 256, (1, 3, 5, 5), np.uint8)
    return list(session.run(None, {"pixels": pixels}))


def kinds(graph: onnx.ModelProto) -> Counter[str]:
    return Counter(entry.op_type for entry in graph.graph.node)


UNIT = node("Div", ["x", "255"], "unit")
NORMED = (UNIT, node("Sub", ["unit", "mean"], "centred"), node("Div", ["centred", "std"], "normed"))
PADDED = node("Conv", ["normed", "weights"], "out", pads=[1, 1, 1, 1])


def test_one_addition_is_left_of_a_normalisation_and_padding_stays_right() -> None:
    graph = model(*NORMED, PADDED)
    before = said(graph)
    fold_normalisation(graph.graph)
    assert kinds(graph) == {"Cast": 1, "Add": 1, "Conv": 1}
    np.testing.assert_allclose(said(graph)[0], before[0], atol=1e-4)
    assert {tensor.name for tensor in graph.graph.initializer} == {"weights.scaled", "normed.offset"}


def test_nothing_is_left_of_a_scale_alone() -> None:
    graph = model(UNIT, node("Conv", ["unit", "weights"], "out"))
    before = said(graph)
    fold_normalisation(graph.graph)
    assert kinds(graph) == {"Cast": 1, "Conv": 1}
    np.testing.assert_allclose(said(graph)[0], before[0], atol=1e-4)


@pytest.mark.parametrize(
    "nodes,outputs",
    [
        pytest.param((*NORMED, PADDED, node("Relu", ["normed"], "other")), ("out", "other"), id="somebody else reads the pixels"),
        pytest.param((node("Mul", ["x", "row"], "normed"), PADDED), ("out",), id="not by channel"),
        pytest.param((node("Relu", ["x"], "seen"), node("Div", ["seen", "255"], "normed"), PADDED), ("out",), id="not pixels"),
    ],
)
def test_what_cannot_be_folded_stays_as_it_is(nodes: tuple[onnx.NodeProto, ...], outputs: tuple[str, ...]) -> None:
    graph = model(*nodes, outputs=outputs)
    before = [entry.SerializeToString() for entry in graph.graph.node]
    fold_normalisation(graph.graph)
    assert [entry.SerializeToString() for entry in graph.graph.node] == before


def test_an_exported_network_has_one_node_for_a_gelu_and_four_for_an_attention() -> None:
    spec = zoo.find("kestrel-nano")
    network = stirred(models.build(spec))
    graph = graphs(network, spec)["step"]
    found = kinds(graph)
    assert found["Gelu"] == found["Softmax"] == spec.arch.depth
    assert not {"Erf", "Shape", "Sub"} & set(found)
    given = for_step(network, example(spec, 2))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = network.step(**given)  # type: ignore[operator]  # nn.Module's attributes are tensors or modules to mypy
    box, score = session.run(["box", "score"], {name: value.numpy() for name, value in given.items()})
    np.testing.assert_allclose(box, expected["box"], atol=1e-5)
    np.testing.assert_allclose(score, expected["score"], atol=1e-5)
