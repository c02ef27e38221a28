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
from sightline.models.graph import WIDE, fold_normalisation, read_lines, split_wide  # noqa: E402
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


def pictures(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("out",), sides: tuple[int | str, int | str] = (9, 7)) -> onnx.ModelProto:
    """A graph from uint8 pictures (1, *sides, 3), sorted into planes `planes`, with an offset of each channel."""
    nodes = (node("Transpose", ["search"], "planes", perm=[0, 3, 1, 2]), node("Cast", ["planes"], "x", to=onnx.TensorProto.FLOAT), *nodes)
    graph = helper.make_graph(
        nodes,
        "pictures",
        [helper.make_tensor_value_info("search", onnx.TensorProto.UINT8, [1, *sides, 3])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in {"mean": MEAN, "weights": WEIGHTS}.items()],
        value_info=[helper.make_tensor_value_info("planes", onnx.TensorProto.UINT8, [1, 3, *sides])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def seen(graph: onnx.ModelProto) -> list[Any]:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"search": np.random.default_rng(1).integers(0, 256, (1, 9, 7, 3), np.uint8)}))


OFFSET = node("Add", ["x", "mean"], "moved")
STEPPING = node("Conv", ["moved", "weights"], "out", pads=[1, 2, 0, 1], strides=[2, 1], kernel_shape=[3, 3])


@pytest.mark.parametrize("nodes", [(OFFSET, STEPPING), (node("Conv", ["x", "weights"], "out", strides=[2, 3]),)], ids=["offset", "plain"])
def test_pixels_are_read_as_they_lie_whatever_the_steps_and_borders(nodes: tuple[onnx.NodeProto, ...]) -> None:
    graph = pictures(*nodes)
    before = seen(graph)
    read_lines(graph.graph)
    assert "Transpose" not in kinds(graph)
    np.testing.assert_allclose(seen(graph)[0], before[0], atol=1e-3)  # of values up to 2000


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(pictures(OFFSET, STEPPING, node("Relu", ["moved"], "other"), outputs=("out", "other")), id="somebody else reads them"),
        pytest.param(pictures(OFFSET, STEPPING, sides=("height", "width")), id="of any size"),
    ],
)
def test_pixels_stay_in_planes_where_those_are_needed(graph: onnx.ModelProto) -> None:
    before = graph.SerializeToString()
    read_lines(graph.graph)
    assert graph.SerializeToString() == before


def residual(side: int, *, seen: bool = False) -> onnx.ModelProto:
    """An inverted residual from 4 over 96 to 5 channels of a square map; its middle is an output as well, or not."""
    arrays = {"up": (96, 4, 1, 1), "up.bias": (96,), "each": (96, 1, 3, 3), "each.bias": (96,), "down": (5, 96, 1, 1), "down.bias": (5,)}
    nodes = [
        node("Conv", ["maps", "up", "up.bias"], "expanded"),
        node("Relu", ["expanded"], "wide"),
        node("Conv", ["wide", "each", "each.bias"], "filtered", group=96, pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["filtered"], "narrow"),
        node("Conv", ["narrow", "down", "down.bias"], "out"),
        *([node("Neg", ["wide"], "other")] if seen else []),
    ]
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("maps", onnx.TensorProto.FLOAT, ["batch", 4, side, side])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("out", *(["other"] if seen else []))],
        [numpy_helper.from_array(RNG.standard_normal(shape).astype(np.float32), name) for name, shape in arrays.items()],
        value_info=[helper.make_tensor_value_info("wide", onnx.TensorProto.FLOAT, ["batch", 96, side, side])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_a_wide_map_is_worked_on_in_parts_that_add_up() -> None:
    side = 80
    assert 96 * side**2 > WIDE > 96 * 70**2
    maps = np.random.default_rng(2).standard_normal((2, 4, side, side)).astype(np.float32)

    def told(graph: onnx.ModelProto) -> Any:
        return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"maps": maps})[0]

    graph = residual(side)
    whole = told(graph)
    split_wide(graph.graph)
    assert kinds(graph) == {"Conv": 6, "Relu": 4, "Add": 1}
    assert {tensor.dims[0] for tensor in graph.graph.initializer} == {48, 5}
    np.testing.assert_allclose(told(graph), whole, atol=1e-3)  # of values up to 200


def test_blocks_of_the_same_weights_have_the_same_parts() -> None:
    graph = residual(80)
    again = residual(80).graph
    for entry in again.node:
        weights = {tensor.name for tensor in again.initializer}
        entry.name += ".again"
        entry.input[:] = [name if name in weights | {"maps"} else f"{name}.again" for name in entry.input]
        entry.output[:] = [f"{name}.again" for name in entry.output]
    graph.graph.node.extend(again.node)
    graph.graph.output.append(helper.make_tensor_value_info("out.again", onnx.TensorProto.FLOAT, None))
    graph.graph.value_info.append(helper.make_tensor_value_info("wide.again", onnx.TensorProto.FLOAT, ["batch", 96, 80, 80]))
    split_wide(graph.graph)
    names = [tensor.name for tensor in graph.graph.initializer]
    assert len(names) == len(set(names))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    first, second = session.run(None, {"maps": np.ones((1, 4, 80, 80), np.float32)})
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("graph", [residual(70), residual(80, seen=True)], ids=["small enough", "somebody else reads the map"])
def test_other_maps_stay_whole(graph: onnx.ModelProto) -> None:
    before = graph.SerializeToString()
    split_wide(graph.graph)
    assert graph.SerializeToString() == before


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
    assert found["Gemm"] == 2 * found["MatMul"] == 4 * spec.arch.depth
    assert not any(entry.input[0] == "search" for entry in graph.graph.node if entry.op_type == "Transpose")
