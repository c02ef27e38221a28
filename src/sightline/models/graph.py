"""What is done to exported graphs so that engines have less to do: the same numbers from fewer nodes.

attention            written as two products and a softmax; torch's own translation works out shapes that are known, nine nodes in each block
linear               of tokens as one product of two matrices that begins with the bias; torch's adds it in a second pass
fold_normalisation   pixels are divided by a deviation in the weights of the convolution that reads them, not one by one in every frame
read_lines           the first convolution takes pixels in the order in which they lie, R, G, B, R, ...: nobody sorts them into planes
split_wide           an expansion to more numbers than a processor's cache holds goes through its depthwise convolution in parts
"""

from __future__ import annotations

import math
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

__all__ = ["TRANSLATIONS", "fold_normalisation", "read_lines", "split_wide"]

Array = NDArray[Any]
WIDE = 2**19  # numbers in a map, 2 MB: above it, going to memory and back was measured to cost more than what parts cost
PART = 48  # most channels in a part: three of the 16 that engines take at once


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


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """`torch.nn.functional.linear` in ONNX, of (..., C) by (O, C) and (O,)."""
    *rows, channels = x.shape
    if (
        bias is None or len(rows) == 0 or sum(not isinstance(length, int) for length in rows) > 1
    ):  # a second unknown length: no plain Reshape
        product = op.MatMul(x, op.Transpose(weight, perm=[1, 0]))
        return product if bias is None else op.Add(product, bias)
    if len(rows) == 1:
        return op.Gemm(x, weight, bias, transB=1)
    flat: Any = op.Constant(value_ints=[-1, channels])
    shape: Any = op.Constant(value_ints=[*(length if isinstance(length, int) else -1 for length in rows), weight.shape[0]])
    return op.Reshape(op.Gemm(op.Reshape(x, flat), weight, bias, transB=1), shape)


TRANSLATIONS: Mapping[Any, Callable[..., Any]] = {
    torch.ops.aten.scaled_dot_product_attention.default: attention,
    torch.ops.aten.linear.default: linear,
}


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


def read_lines(graph: onnx.GraphProto) -> None:
    """Let convolutions read pixels (B, H, W, C) as one channel (B, 1, H, W C), where only convolutions read them, and their size is known.

    What was a step of one pixel to the right is one of C numbers: kernels (O, C, h, w) become (O, 1, h, w C).
    """
    names = _Graph(graph)
    sizes = {entry.name: [dim.dim_value for dim in entry.type.tensor_type.shape.dim] for entry in graph.input}
    for start in [node for node in graph.node if node.op_type == "Transpose" and node.input[0] in sizes]:
        found = _pixels(names, start)
        if found is None or not all(sizes[start.input[0]][1:]):
            continue
        _, height, width, channels = sizes[start.input[0]]
        shape = f"{start.output[0]}.lines"
        graph.initializer.append(numpy_helper.from_array(np.array([0, 1, height, -1]), shape))
        start.op_type = "Reshape"
        start.input.append(shape)
        del start.attribute[:]
        if found.offset is not None:
            offset = np.tile(names.array(found.offset.input[1]).reshape(-1), width * channels // names.array(found.offset.input[1]).size)
            graph.initializer.append(numpy_helper.from_array(offset, f"{found.offset.input[1]}.lines"))
            found.offset.input[1] += ".lines"
        for convolution in found.convolutions:
            _widen(graph, names, convolution, channels)
        shapes = {node.output[0] for node in (start, found.cast, found.offset) if node is not None}
        for entry in [entry for entry in graph.value_info if entry.name in shapes]:
            graph.value_info.remove(entry)
    _drop_unread(graph)


class _Pixels(NamedTuple):
    """From pixels that were sorted into planes to the convolutions that read them; `offset` adds a number to each channel."""

    cast: onnx.NodeProto
    offset: onnx.NodeProto | None
    convolutions: list[onnx.NodeProto]


def _pixels(names: _Graph, start: onnx.NodeProto) -> _Pixels | None:
    """What follows a Transpose, if it is that alone, and weights are constants."""
    cast, *others = names.consumers[start.output[0]]
    if list(start.attribute[0].ints) != [0, 3, 1, 2] or cast.op_type != "Cast" or others:
        return None
    readers, offset = names.consumers[cast.output[0]], None
    if len(readers) == 1 and readers[0].op_type == "Add" and readers[0].input[1] in names.constants:
        offset = readers[0]
        if names.array(offset.input[1]).size not in (1, names.array(offset.input[1]).shape[-3:][0]):
            return None
        readers = names.consumers[offset.output[0]]
    are_plain = all(node.op_type == "Conv" and node.input[1] in names.constants for node in readers)
    return _Pixels(cast, offset, readers) if readers and are_plain else None


def _widen(graph: onnx.GraphProto, names: _Graph, convolution: onnx.NodeProto, channels: int) -> None:
    """Give a convolution of planes the kernels and steps of one of lines."""
    weights, name = names.array(convolution.input[1]), f"{convolution.input[1]}.lines"
    height, width = weights.shape[2:]
    if name not in {tensor.name for tensor in graph.initializer}:
        lines = np.ascontiguousarray(weights.transpose(0, 2, 3, 1)).reshape(len(weights), 1, height, width * channels)
        graph.initializer.append(numpy_helper.from_array(lines, name))
    convolution.input[1] = name
    for part in convolution.attribute:
        if part.name == "kernel_shape":
            part.ints[:] = [height, width * channels]
        elif part.name in ("strides", "pads"):
            part.ints[:] = [length * (channels if i % 2 else 1) for i, length in enumerate(part.ints)]


class _Residual(NamedTuple):
    """An inverted residual: 1x1 convolution, activation, depthwise convolution, activation, 1x1 convolution."""

    expand: onnx.NodeProto
    first: onnx.NodeProto
    depth: onnx.NodeProto
    second: onnx.NodeProto
    project: onnx.NodeProto


def split_wide(graph: onnx.GraphProto) -> None:
    """Let inverted residuals of wide maps work on some channels at a time, and add up what their parts say."""
    names = _Graph(graph)
    shapes = {entry.name: [dim.dim_value for dim in entry.type.tensor_type.shape.dim] for entry in graph.value_info}
    blocks = [block for node in graph.node if node.op_type == "Conv" and (block := _residual(names, node)) is not None]
    nodes, gone = list(graph.node), set[str]()
    for block in blocks:
        if math.prod(shapes.get(block.depth.input[0], [0])[1:]) <= WIDE:
            continue
        channels = len(names.array(block.depth.input[1]))
        width = next((width for width in range(PART, 0, -16) if channels % width == 0), channels)
        place = nodes.index(block.project)
        nodes[place : place + 1] = _parts(graph, names, block, width)
        gone |= {node.output[0] for node in block[:-1]}
    kept = [node for node in nodes if node.output[0] not in gone]
    del graph.node[:]
    graph.node.extend(kept)
    for entry in [entry for entry in graph.value_info if entry.name in gone]:
        graph.value_info.remove(entry)
    _drop_unread(graph)


def _residual(names: _Graph, depth: onnx.NodeProto) -> _Residual | None:
    """The inverted residual around a depthwise convolution whose values nobody else reads, if it is in one."""

    def before(node: onnx.NodeProto | None) -> onnx.NodeProto | None:
        return names.producers.get(node.input[0]) if node is not None else None

    def after(node: onnx.NodeProto | None) -> onnx.NodeProto | None:
        readers = names.consumers[node.output[0]] if node is not None else []
        return readers[0] if len(readers) == 1 else None

    first, second = before(depth), after(depth)
    expand, project = before(first), after(second)
    found = (expand, first, depth, second, project)
    if any(node is None for node in found) or after(expand) is not first or after(first) is not depth:
        return None
    block = _Residual(*found)  # type: ignore[arg-type]  # none of them is None
    convolutions = (block.expand, block.depth, block.project)
    if any(node.op_type != "Conv" or node.input[1] not in names.constants for node in convolutions):
        return None
    shapes = [names.array(node.input[1]).shape for node in convolutions]
    is_depthwise = shapes[1][:2] == (_groups(block.depth), 1) and _groups(block.expand) == _groups(block.project) == 1
    are_points = shapes[0][2:] == shapes[2][2:] == (1, 1)
    return block if is_depthwise and are_points and block.first.op_type == block.second.op_type == "Relu" else None


def _parts(graph: onnx.GraphProto, names: _Graph, block: _Residual, width: int) -> list[onnx.NodeProto]:
    """The nodes that do what a block does, `width` channels at a time."""
    nodes: list[onnx.NodeProto] = []
    total = ""
    channels, made = len(names.array(block.depth.input[1])), {tensor.name for tensor in graph.initializer}
    for start in range(0, channels, width):
        own = slice(start, start + width)
        value = block.expand.input[0]
        for node in block:
            copy, rows = onnx.NodeProto(), own
            copy.CopyFrom(node)
            copy.name, copy.output[0], copy.input[0] = f"{node.name}.{start}", f"{node.output[0]}.{start}", value
            if node is block.project:
                rows = slice(None)
                del copy.input[3 if start == 0 else 2 :]  # its bias is added once
            for i, name in enumerate(copy.input[1:], start=1):
                copy.input[i] = f"{name}.{start}"
                if copy.input[i] in made:  # of another block that has the same weights
                    continue
                part = names.array(name)[rows] if node is not block.project or i > 1 else names.array(name)[:, own]
                graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(part), copy.input[i]))
            for attribute in copy.attribute:
                if attribute.name == "group" and node is block.depth:
                    attribute.i = width
            nodes.append(copy)
            value = copy.output[0]
        if total:
            nodes.append(onnx.helper.make_node("Add", [total, value], [f"{value}.sum"], name=f"{block.project.name}.{start}.sum"))
        total = nodes[-1].output[0]
    nodes[-1].output[0] = block.project.output[0]
    return nodes


def _groups(node: onnx.NodeProto) -> int:
    return next((part.i for part in node.attribute if part.name == "group"), 1)


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
