"""Which operations of an exported graph stay in f32, told by what they are and where they stand, not by the family of the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process

__all__ = ["LEVELS", "correlations", "exact", "folded", "has_attention", "on_pixels", "products", "spared", "whole"]

LEVELS = (  # what stays in f32 besides, each with all before it: from the fastest form of a network to the most careful
    "nothing more",
    "what the maps are read from",
    "what works on large maps",
    "depthwise convolutions",
    "all convolutions",
)
LARGE = 1 / 16  # of the cells of the picture

COSTLY = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum")  # where the time goes
FEW = 6  # channels of two pictures
CHOICE = "ArgMax"  # of the one cell whose box is taken


def whole(weights: Path) -> onnx.ModelProto:
    """A graph with weights in f32, where a file keeps them in half precision, and with the shapes of its arrays."""
    model = onnx.load(weights)
    halves = {entry.name: entry for entry in model.graph.initializer if entry.data_type == onnx.TensorProto.FLOAT16}
    widened = [node for node in model.graph.node if node.op_type == "Cast" and node.input[0] in halves]
    for node in widened:
        model.graph.initializer.append(onnx.numpy_helper.from_array(_floats(halves[node.input[0]]), node.output[0]))
        model.graph.node.remove(node)
    read = {name for node in model.graph.node for name in node.input}
    for name, entry in halves.items():
        if name not in read:
            model.graph.initializer.remove(entry)
    return onnx.shape_inference.infer_shapes(model)


def folded(weights: Path) -> onnx.ModelProto:
    """The same without what can be computed beforehand, as onnxruntime likes it: it takes operations apart that OpenVINO has whole."""
    with TemporaryDirectory() as folder:
        written = Path(folder, "folded.onnx")
        quant_pre_process(weights, written, skip_symbolic_shape=True)
        return onnx.load(written)


def _floats(entry: onnx.TensorProto) -> np.ndarray:
    return onnx.numpy_helper.to_array(entry).astype(np.float32)


def exact(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that stay in f32.

    They are what decodes, after the last costly operation, and all that follows the choice of a cell: a lazy head computes size and
    offset for a few cells only, which costs nothing in f32, and loses most of the overlap in int8.
    """
    late: set[str] = set()  # arrays that follow the choice
    for node in graph.node:
        if node.op_type == CHOICE or any(name in late for name in node.input):
            late.update(node.output)
    wanted: set[str] = set()  # arrays that a costly operation depends on
    kept = []
    for node in reversed(graph.node):
        before = not any(name in late for name in node.output)
        if before and (node.op_type in COSTLY or any(name in wanted for name in node.output)):
            wanted.update(node.input)
        else:
            kept.append(node.name)
    return kept[::-1]


def spared(graph: onnx.GraphProto, level: int) -> list[str]:
    """Names of the costly nodes that stay in f32 at a level of `LEVELS`.

    The last ones before the decoder and those on large maps, which are few weights and many numbers of a wide range, cost most of the
    overlap where int8 costs much; of depthwise convolutions each channel has a range of its own, which one scale for all does not fit.
    The last level is that of networks with linear layers: without them nothing would be left in int8.
    """
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    others = {*exact(graph), *products(graph)}
    is_linear = any(node.op_type in ("Gemm", "MatMul") and node.name not in others for node in graph.node)
    parts = (
        _last(graph),
        _on_large_maps(graph),
        [node.name for node in convolutions if _groups(node) > 1],
        [node.name for node in convolutions if is_linear],
    )
    return sorted({name for part in parts[:level] for name in part})


def correlations(graph: onnx.GraphProto) -> list[str]:
    """Names of the products of two arrays outside attention, and of what reads them up to the next costly node.

    NNCF gives what such a product makes a range for each channel, of which OpenVINO then cannot compile the fusion.
    """
    shares = _shares(graph)
    found: list[str] = []
    multiplying = set(products(graph))
    for node in graph.node:
        if node.name in multiplying:
            following = list(_following(graph, node))
            if not any(name in shares for name in node.input) and all(other.op_type != "Softmax" for other in following):
                found += [node.name, *(other.name for other in following)]
    return list(dict.fromkeys(found))


def has_attention(graph: onnx.GraphProto) -> bool:
    """Whether some product reads what a softmax has made."""
    shares = _shares(graph)
    return any(node.op_type in ("MatMul", "Einsum") and any(name in shares for name in node.input) for node in graph.node)


def products(graph: onnx.GraphProto) -> list[str]:
    """Names of the costly operations on two arrays that both depend on the inputs: attention, correlation."""
    constant = _constants(graph)
    return [node.name for node in graph.node if node.op_type in COSTLY and not any(name in constant for name in node.input[:2])]


def on_pixels(graph: onnx.GraphProto) -> list[str]:
    """Names of the convolutions that read pictures: `FEW` channels at most."""
    channels = {entry.name: entry.dims[1] for entry in graph.initializer if len(entry.dims) == 4}
    convolutions = [node for node in graph.node if node.op_type == "Conv" and _groups(node) == 1]
    return [node.name for node in convolutions if channels.get(node.input[1], FEW + 1) <= FEW]


def _shares(graph: onnx.GraphProto) -> set[str]:
    """Arrays that a softmax has made."""
    return {name for node in graph.node if node.op_type == "Softmax" for name in node.output}


def _following(graph: onnx.GraphProto, start: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """What reads the output of a node, at any distance, up to and with the next costly ones."""
    reached = set(start.output)
    begun = False
    for node in graph.node:  # sorted: what is read stands before its readers
        if begun and any(name in reached for name in node.input):
            if node.op_type not in COSTLY:
                reached.update(node.output)
            yield node
        begun = begun or node.name == start.name


def _last(graph: onnx.GraphProto) -> list[str]:
    """Names of the costly nodes that are followed by no other costly one in int8."""
    decoding = set(exact(graph))
    costly = {node.name: node for node in graph.node if node.op_type in COSTLY and node.name not in decoding}
    return [name for name, node in costly.items() if not any(other.name in costly for other in _following(graph, node))]


def _on_large_maps(graph: onnx.GraphProto) -> list[str]:
    """Names of the convolutions that read more than a sixteenth of the cells of the picture itself."""
    shapes = {entry.name: [axis.dim_value for axis in entry.type.tensor_type.shape.dim] for entry in (*graph.value_info, *graph.input)}
    convolutions = [node for node in graph.node if node.op_type == "Conv" and len(shapes.get(node.input[0], ())) == 4]
    cells = {node.name: shapes[node.input[0]][2] * shapes[node.input[0]][3] for node in convolutions}
    return [name for name, number in cells.items() if number > LARGE * max(cells.values())]


def _groups(node: onnx.NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "group"), 1) if node.op_type == "Conv" else 1


def _constants(graph: onnx.GraphProto) -> set[str]:
    return {entry.name for entry in graph.initializer} | {name for node in graph.node if node.op_type == "Constant" for name in node.output}
