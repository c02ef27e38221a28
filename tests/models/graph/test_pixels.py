from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import onnx  # after the check for torch
from onnx.helper import make_tensor_value_info

from sightline.models.graph.pixels import fold_normalisation, read_lines
from tests.models.graph.made import kinds, model, node, run

MEAN, STD = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]))
WEIGHTS = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
CONSTANTS = {
    "255": np.array(255, np.float32),
    "half": np.array(0.5, np.float32),
    "mean": MEAN,
    "std": STD,
    "weights": WEIGHTS,
    "row": np.ones((1, 1, 1, 5), np.float32),
}


def planes(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("out",)) -> onnx.ModelProto:
    """A graph that reads uint8 pixels in planes as `x`."""
    cast = node("Cast", ["pixels"], "x", to=onnx.TensorProto.FLOAT)
    return model([cast, *nodes], [make_tensor_value_info("pixels", onnx.TensorProto.UINT8, [1, 3, 5, 5])], CONSTANTS, outputs=outputs)


def of_planes(graph: onnx.ModelProto) -> Any:
    return run(graph, pixels=np.random.default_rng(1).integers(0, 256, (1, 3, 5, 5), np.uint8))[0]


UNIT = node("Div", ["x", "255"], "unit")
NORMED = (UNIT, node("Sub", ["unit", "mean"], "centred"), node("Div", ["centred", "std"], "normed"))
PADDED = node("Conv", ["normed", "weights"], "out", pads=[1, 1, 1, 1])


def test_one_addition_is_left_of_a_normalisation_and_padding_stays_right() -> None:
    graph = planes(*NORMED, PADDED)
    before = of_planes(graph)
    fold_normalisation(graph.graph)
    assert kinds(graph) == {"Cast": 1, "Add": 1, "Conv": 1}
    np.testing.assert_allclose(of_planes(graph), before, atol=1e-4)
    assert {tensor.name for tensor in graph.graph.initializer} == {"weights.scaled", "normed.offset"}


def test_nothing_is_left_of_a_scale_alone() -> None:
    graph = planes(UNIT, node("Conv", ["unit", "weights"], "out"))
    before = of_planes(graph)
    fold_normalisation(graph.graph)
    assert kinds(graph) == {"Cast": 1, "Conv": 1}
    np.testing.assert_allclose(of_planes(graph), before, atol=1e-4)


@pytest.mark.parametrize(
    "nodes,outputs",
    [
        pytest.param((*NORMED, PADDED, node("Relu", ["normed"], "other")), ("out", "other"), id="somebody else reads the pixels"),
        pytest.param((node("Mul", ["x", "row"], "normed"), PADDED), ("out",), id="not by channel"),
        pytest.param((node("Relu", ["x"], "seen"), node("Div", ["seen", "255"], "normed"), PADDED), ("out",), id="not pixels"),
    ],
)
def test_what_cannot_be_folded_stays_as_it_is(nodes: tuple[onnx.NodeProto, ...], outputs: tuple[str, ...]) -> None:
    graph = planes(*nodes, outputs=outputs)
    before = [entry.SerializeToString() for entry in graph.graph.node]
    fold_normalisation(graph.graph)
    assert [entry.SerializeToString() for entry in graph.graph.node] == before


def pictures(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("out",), sides: tuple[int | str, int | str] = (9, 7)) -> onnx.ModelProto:
    """A graph that sorts uint8 pictures (1, *sides, 3) into planes and reads those as `x`."""
    sort = node("Transpose", ["search"], "planes", perm=[0, 3, 1, 2])
    return model(
        [sort, node("Cast", ["planes"], "x", to=onnx.TensorProto.FLOAT), *nodes],
        [make_tensor_value_info("search", onnx.TensorProto.UINT8, [1, *sides, 3])],
        {name: CONSTANTS[name] for entry in nodes for name in entry.input if name in CONSTANTS},
        outputs=outputs,
        known=[make_tensor_value_info("planes", onnx.TensorProto.UINT8, [1, 3, *sides])],
    )


def of_pictures(graph: onnx.ModelProto) -> Any:
    return run(graph, search=np.random.default_rng(1).integers(0, 256, (1, 9, 7, 3), np.uint8))[0]


OFFSET = node("Add", ["x", "mean"], "moved")
STEPPING = node("Conv", ["moved", "weights"], "out", pads=[1, 2, 0, 1], strides=[2, 1], kernel_shape=[3, 3])


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param((OFFSET, STEPPING), id="an offset of each channel"),
        pytest.param((node("Add", ["x", "half"], "moved"), STEPPING), id="one offset of all channels"),
        pytest.param((node("Conv", ["x", "weights"], "out", strides=[2, 3]),), id="plain"),
    ],
)
def test_pixels_are_read_as_they_lie_whatever_the_steps_and_borders(nodes: tuple[onnx.NodeProto, ...]) -> None:
    graph = pictures(*nodes)
    before = of_pictures(graph)
    read_lines(graph.graph)
    assert "Transpose" not in kinds(graph)
    np.testing.assert_allclose(of_pictures(graph), before, atol=1e-3)  # of values up to 2000


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
