"""What is done to exported graphs so that engines have less to do: the same numbers from fewer nodes.

attention            written as two products and a softmax; torch's own translation works out shapes that are known, nine nodes in each block
fold_normalisation   pixels are divided by a deviation in the weights of the convolution that reads them, not one by one in every frame
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxscript import ir
from onnxscript import opset20 as op

__all__ = ["TRANSLATIONS", "fold_normalisation"]

Array = NDArray[Any]


def attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,  # noqa: ARG001  # the names are torch's; nothing is dropped outside training
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: ARG001  # all heads have keys of their own
) -> Any:
    """`torch.nn.functional.scaled_dot_product_attention` in ONNX, of (B, H, N, D) and (B, H, M, D)."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    logits = op.Mul(op.MatMul(query, op.Transpose(key, perm=[0, 1, 3, 2])), op.Constant(value_float=float(scale)))
    if is_causal:
        seen = np.tril(np.ones((query.shape[-2], key.shape[-2]), bool))
        attn_mask = op.Constant(value=numpy_helper.from_array(seen))
    if attn_mask is None:
        return op.MatMul(op.Softmax(logits, axis=-1), value)
    if not is_causal and attn_mask.dtype != ir.DataType.BOOL:
        return op.MatMul(op.Softmax(op.Add(logits, attn_mask), axis=-1), value)
    logits = op.Where(attn_mask, logits, op.Constant(value_float=float("-inf")))
    return op.MatMul(op.Softmax(logits, axis=-1), value)


TRANSLATIONS: Mapping[Any, Callable[..., Any]] = {torch.ops.aten.scaled_dot_product_attention.default: attention}


class Affine(NamedTuple):
    """`scale` x + `shift` for every channel (1, C or 1, 1, 1); and the nodes that computed it, the last one first."""

    scale: Array
    shift: Array
    nodes: list[onnx.NodeProto]


STEPS: Mapping[str, Callable[[Affine, Array], tuple[Array, Array]]] = {  # before what is known to follow
    "Div": lambda after, by: (after.scale / by, after.shift),
    "Mul": lambda after, by: (after.scale * by, after.shift),
    "Sub": lambda after, by: (after.scale, after.shift - after.scale * by),
    "Add": lambda after, by: (after.scale, after.shift + after.scale * by),
}


class _Graph:
    """A graph by the names of its values."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = node.attribute[0].t
        self.producers = {name: node for node in graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.consumers[name].append(node)

    def before(self, name: str) -> Affine | None:
        """What is done to pixels, each channel apart, up to the value `name`; None where nothing is, or others read it on the way."""
        found = Affine(np.float64(1), np.float64(0), [])  # type: ignore[arg-type]  # numbers behave as arrays
        while True:
            node = self.producers.get(name)
            if node is None or node.op_type not in STEPS or node.input[1] not in self.constants:
                starts_with_pixels = node is not None and node.op_type in ("Cast", "Transpose")
                return found if found.nodes and starts_with_pixels else None
            by = numpy_helper.to_array(self.constants[node.input[1]]).astype(np.float64)
            of_channels = by.size == 1 or (by.ndim > 2 and by.size == by.shape[-3])
            if not of_channels or len(self.consumers[name]) > 1:
                return None
            found = Affine(*STEPS[node.op_type](found, by), [*found.nodes, node])
            name = node.input[0]

    def array(self, name: str) -> Array:
        """A constant."""
        return numpy_helper.to_array(self.constants[name])


def fold_normalisation(graph: onnx.GraphProto) -> None:
    """Let convolutions that read pixels times a number, plus a number, have the factor in their weights.

    What is added stays, ahead of the convolution: it pads with zeros after that.
    """
    names = _Graph(graph)
    for node in [node for node in graph.node if node.op_type == "Conv"]:
        found = names.before(node.input[0])
        if found is None or node.input[1] not in names.constants or any(part.name == "group" and part.i != 1 for part in node.attribute):
            continue
        _scale(graph, names, node, found.scale)
        source, (last, *others) = found.nodes[-1].input[0], found.nodes
        offset = np.asarray(found.shift / found.scale, np.float32)
        for other in others:
            graph.node.remove(other)
        if offset.any():
            constant = f"{last.output[0]}.offset"
            graph.initializer.append(numpy_helper.from_array(offset, constant))
            last.op_type = "Add"
            last.input[:] = [source, constant]
        else:
            node.input[0] = source
            graph.node.remove(last)
        names = _Graph(graph)
    _drop_unread(graph)


def _scale(graph: onnx.GraphProto, names: _Graph, convolution: onnx.NodeProto, scale: Array) -> None:
    """Give a convolution weights (O, C, h, w) that are times a scale (1, C or 1, 1, 1)."""
    weights, name = names.array(convolution.input[1]), f"{convolution.input[1]}.scaled"
    if name not in names.constants:
        graph.initializer.append(numpy_helper.from_array((weights * scale.reshape(1, -1, 1, 1)).astype(weights.dtype), name))
    convolution.input[1] = name


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Remove constants that no node reads."""
    read = {name for node in graph.node for name in node.input} | {entry.name for entry in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)
