"""What of an exported graph is worth to be computed in int8, told by its operations and not by its family."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process

__all__ = ["exact", "folded", "has_attention", "on_pixels", "products"]

COSTLY = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum")  # where the time goes
FEW = 6  # channels of two pictures
CHOICE = "ArgMax"  # of the one cell whose box is taken


def folded(weights: Path) -> onnx.ModelProto:
    """A graph without what can be computed beforehand, and with the shapes of its arrays, which both recipes need."""
    with TemporaryDirectory() as folder:
        written = Path(folder, "folded.onnx")
        quant_pre_process(weights, written, skip_symbolic_shape=True)
        return onnx.load(written)


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


def has_attention(graph: onnx.GraphProto) -> bool:
    """Whether some product weighs what a softmax has made."""
    shares = {name for node in graph.node if node.op_type == "Softmax" for name in node.output}
    return any(node.op_type in ("MatMul", "Einsum") and any(name in shares for name in node.input) for node in graph.node)


def products(graph: onnx.GraphProto) -> list[str]:
    """Names of the costly operations on two arrays that both depend on the inputs: attention, correlation."""
    constant = _constants(graph)
    return [node.name for node in graph.node if node.op_type in COSTLY and not any(name in constant for name in node.input[:2])]


def on_pixels(graph: onnx.GraphProto) -> list[str]:
    """Names of the convolutions of a picture's few channels."""
    channels = {entry.name: entry.dims[1] for entry in graph.initializer if len(entry.dims) == 4}
    groups = {node.name: next((a.i for a in node.attribute if a.name == "group"), 1) for node in graph.node if node.op_type == "Conv"}
    convolutions = [node for node in graph.node if node.op_type == "Conv" and groups[node.name] == 1]
    return [node.name for node in convolutions if channels.get(node.input[1], FEW + 1) <= FEW]


def _constants(graph: onnx.GraphProto) -> set[str]:
    return {entry.name for entry in graph.initializer} | {name for node in graph.node if node.op_type == "Constant" for name in node.output}
