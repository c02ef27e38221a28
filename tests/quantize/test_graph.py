from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnx  # only where it is there
from onnx import TensorProto, helper, numpy_helper  # only where it is there

from sightline.quantize.graph import LEVELS, correlations, exact, has_attention, on_pixels, products, spared, whole


def lazy_graph() -> onnx.GraphProto:
    """A picture's convolution, attention, a score whose best cell decides where a second convolution looks, and a decoder."""
    nodes = [
        helper.make_node("Conv", ["pixels", "w3"], ["stem"], name="on pixels"),
        helper.make_node("MatMul", ["stem", "stem"], ["alike"], name="product"),
        helper.make_node("Softmax", ["alike"], ["shares"], name="shares"),
        helper.make_node("MatMul", ["shares", "stem"], ["seen"], name="weighed"),
        helper.make_node("Conv", ["seen", "w9"], ["score"], name="score"),
        helper.make_node("ArgMax", ["score"], ["best"], name="best"),
        helper.make_node("Gather", ["seen", "best"], ["around"], name="around"),
        helper.make_node("Conv", ["around", "w9"], ["size"], name="size"),
        helper.make_node("Sigmoid", ["size"], ["box"], name="decode"),
    ]
    weights = [numpy_helper.from_array(np.zeros((9, channels, 1, 1), np.float32), f"w{channels}") for channels in (3, 9)]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, 4, 4])
    return helper.make_graph(nodes, "lazy", [pixels], [helper.make_tensor_value_info("box", TensorProto.FLOAT, None)], weights)


def test_what_follows_the_choice_of_a_cell_stays_exact() -> None:
    graph = lazy_graph()
    assert exact(graph) == ["best", "around", "size", "decode"]
    assert products(graph) == ["product", "weighed"]
    assert on_pixels(graph) == ["on pixels"]
    assert has_attention(graph)
    del graph.node[2]
    assert not has_attention(graph)


def correlating_graph() -> onnx.GraphProto:
    """A convolution on the picture, one for each channel on a smaller map, a correlation with a kernel, and what reads both."""
    shapes = {
        "pixels": [1, 3, 16, 16],
        "seen": [1, 8, 4, 4],
        "thin": [1, 8, 4, 4],
        "both": [1, 16, 4, 4],
        "wide": [1, 8, 4, 4],
        "box": [1, 4, 4, 4],
    }
    nodes = [
        helper.make_node("Conv", ["pixels", "w3"], ["seen"], name="on pixels", strides=[4, 4]),
        helper.make_node("Conv", ["seen", "w1"], ["thin"], name="thin", group=8),
        helper.make_node("MatMul", ["kernel", "thin"], ["alike"], name="correlation"),
        helper.make_node("Concat", ["thin", "alike"], ["both"], name="both", axis=1),
        helper.make_node("Conv", ["both", "w16"], ["wide"], name="joined"),
        helper.make_node("Conv", ["wide", "w8"], ["map"], name="last"),
        helper.make_node("Sigmoid", ["map"], ["box"], name="decode"),
    ]
    weights = [numpy_helper.from_array(np.zeros((8, channels, 1, 1), np.float32), f"w{channels}") for channels in (1, 3, 8, 16)]
    arrays = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    kernel = helper.make_tensor_value_info("kernel", TensorProto.FLOAT, [1, 8, 4, 4])
    inner = [arrays[name] for name in ("seen", "thin", "both", "wide")]
    return helper.make_graph(nodes, "correlating", [arrays["pixels"], kernel], [arrays["box"]], weights, value_info=inner)


def test_what_reads_a_correlation_stays_exact_and_attention_does_not() -> None:
    assert correlations(correlating_graph()) == ["correlation", "both", "joined"]
    assert correlations(lazy_graph()) == []


def test_each_level_keeps_more_in_f32() -> None:
    kept = [spared(correlating_graph(), level) for level in range(len(LEVELS))]
    assert kept == [[], ["last"], ["last", "on pixels"], *[["last", "on pixels", "thin"]] * 2]
    assert spared(lazy_graph(), 1) == ["score"]  # what follows the choice is exact anyway


def test_all_convolutions_stay_exact_where_linear_layers_are_left() -> None:
    graph = lazy_graph()
    graph.node[1].input[1] = "w9"
    assert spared(graph, 4) == ["on pixels", "score", "size"]


def test_weights_in_half_precision_are_widened_and_nothing_else_changes(tmp_path: Path) -> None:
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 4])
    half = numpy_helper.from_array(np.arange(4, dtype=np.float16), "half")
    nodes = [
        helper.make_node("Cast", ["half"], ["weight"], name="widen", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "weight"], ["scaled"], name="scale"),
        helper.make_node("HardSwish", ["scaled"], ["box"], name="decode"),
    ]
    graph = helper.make_graph(nodes, "half", [pixels], [helper.make_tensor_value_info("box", TensorProto.FLOAT, [1, 4])], [half])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "half.onnx")
    found = whole(tmp_path / "half.onnx").graph
    assert [node.op_type for node in found.node] == ["Mul", "HardSwish"]
    [weight] = found.initializer
    assert weight.name == "weight"
    np.testing.assert_array_equal(numpy_helper.to_array(weight), np.arange(4, dtype=np.float32))
    assert [entry.name for entry in found.value_info] == ["scaled"]
