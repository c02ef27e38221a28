from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import onnx  # after the check for torch
from onnx.helper import make_tensor_value_info

from sightline.models.graph.residuals import WIDE, split_wide
from tests.models.graph.made import kinds, model, node, run

SHAPES = {"up": (96, 4, 1, 1), "up.bias": (96,), "each": (96, 1, 3, 3), "each.bias": (96,), "down": (5, 96, 1, 1), "down.bias": (5,)}


def residual(side: int, *, seen: bool = False) -> onnx.ModelProto:
    """An inverted residual from 4 over 96 to 5 channels of a square map; its middle is an output as well, or not."""
    rng = np.random.default_rng(0)
    nodes = [
        node("Conv", ["maps", "up", "up.bias"], "expanded"),
        node("Relu", ["expanded"], "wide"),
        node("Conv", ["wide", "each", "each.bias"], "filtered", group=96, pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["filtered"], "narrow"),
        node("Conv", ["narrow", "down", "down.bias"], "out"),
        *([node("Neg", ["wide"], "other")] if seen else []),
    ]
    return model(
        nodes,
        [make_tensor_value_info("maps", onnx.TensorProto.FLOAT, ["batch", 4, side, side])],
        {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()},
        outputs=("out", *(["other"] if seen else [])),
        known=[make_tensor_value_info("wide", onnx.TensorProto.FLOAT, ["batch", 96, side, side])],
    )


def test_a_wide_map_is_worked_on_in_parts_that_add_up() -> None:
    side = 80
    assert 96 * side**2 > WIDE > 96 * 70**2
    maps = np.random.default_rng(2).standard_normal((2, 4, side, side)).astype(np.float32)
    graph = residual(side)
    [whole] = run(graph, maps=maps)
    split_wide(graph.graph)
    assert kinds(graph) == {"Conv": 6, "Relu": 4, "Add": 1}
    assert {tensor.dims[0] for tensor in graph.graph.initializer} == {48, 5}
    np.testing.assert_allclose(run(graph, maps=maps)[0], whole, atol=1e-3)  # of values up to 200


def test_blocks_of_the_same_weights_have_the_same_parts() -> None:
    graph, again = residual(80), residual(80).graph
    for entry in again.node:
        entry.name += ".again"
        entry.input[:] = [name if name in SHAPES or name == "maps" else f"{name}.again" for name in entry.input]
        entry.output[:] = [f"{name}.again" for name in entry.output]
    graph.graph.node.extend(again.node)
    graph.graph.output.append(make_tensor_value_info("out.again", onnx.TensorProto.FLOAT, None))
    graph.graph.value_info.append(make_tensor_value_info("wide.again", onnx.TensorProto.FLOAT, ["batch", 96, 80, 80]))
    split_wide(graph.graph)
    names = [tensor.name for tensor in graph.graph.initializer]
    assert len(names) == len(set(names))
    first, second = run(graph, maps=np.ones((1, 4, 80, 80), np.float32))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("graph", [residual(70), residual(80, seen=True)], ids=["small enough", "somebody else reads the map"])
def test_other_maps_stay_whole(graph: onnx.ModelProto) -> None:
    before = graph.SerializeToString()
    split_wide(graph.graph)
    assert graph.SerializeToString() == before
