"""Inverted residuals on large maps, computed a few channels at a time.

Such a block expands a map to many channels, filters each by itself (depthwise) and projects them to few again. Expanded, a large map
does not fit in the processor's cache, and every operation on it goes to memory and back. A part of the channels fits, and what the parts
project to is added up.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

from sightline.models.graph.values import Values, drop_unread, forget_shapes, groups_of, shapes_of

__all__ = ["WIDE", "split_wide"]

WIDE = 2**19  # numbers in a map, 2 MB: above it, going to memory and back was measured to cost more than what parts cost
PART = 48  # most channels in a part: three of the 16 that engines take at once


class _Residual(NamedTuple):
    """An inverted residual: 1x1 convolution, activation, depthwise convolution, activation, 1x1 convolution."""

    expand: onnx.NodeProto
    first: onnx.NodeProto
    depth: onnx.NodeProto
    second: onnx.NodeProto
    project: onnx.NodeProto


def split_wide(graph: onnx.GraphProto) -> None:
    """Let inverted residuals whose expanded map has more than `WIDE` numbers work on at most `PART` channels at a time."""
    values = Values(graph)
    shapes = shapes_of(graph.value_info)
    blocks = [block for node in graph.node if node.op_type == "Conv" and (block := _residual(values, node)) is not None]
    nodes, gone = list(graph.node), set[str]()
    for block in blocks:
        if math.prod(shapes.get(block.depth.input[0], [0])[1:]) <= WIDE:
            continue
        place = nodes.index(block.project)
        nodes[place : place + 1] = _parts(graph, values, block)
        gone |= {node.output[0] for node in block[:-1]}
    kept = [node for node in nodes if node.output[0] not in gone]
    del graph.node[:]
    graph.node.extend(kept)
    forget_shapes(graph, gone)
    drop_unread(graph)


def _residual(values: Values, depth: onnx.NodeProto) -> _Residual | None:
    """The inverted residual around a depthwise convolution; None where it is in none, or others read what is between its nodes."""

    def before(node: onnx.NodeProto | None) -> onnx.NodeProto | None:
        return values.producers.get(node.input[0]) if node is not None else None

    def after(node: onnx.NodeProto | None) -> onnx.NodeProto | None:
        readers = values.consumers[node.output[0]] if node is not None else []
        return readers[0] if len(readers) == 1 else None

    first, second = before(depth), after(depth)
    expand, project = before(first), after(second)
    found = (expand, first, depth, second, project)
    if any(node is None for node in found) or after(expand) is not first or after(first) is not depth:
        return None
    block = _Residual(*found)  # type: ignore[arg-type]  # none of them is None
    convolutions = (block.expand, block.depth, block.project)
    if any(node.op_type != "Conv" or node.input[1] not in values.constants for node in convolutions):
        return None
    shapes = [values.array(node.input[1]).shape for node in convolutions]
    is_depthwise = shapes[1][:2] == (groups_of(block.depth), 1) and groups_of(block.expand) == groups_of(block.project) == 1
    are_points = shapes[0][2:] == shapes[2][2:] == (1, 1)
    return block if is_depthwise and are_points and block.first.op_type == block.second.op_type == "Relu" else None


def _parts(graph: onnx.GraphProto, values: Values, block: _Residual) -> list[onnx.NodeProto]:
    """The nodes that do what a block does, and the sums of what its parts project to; their weights are added to the graph."""
    channels = len(values.array(block.depth.input[1]))
    width = next((width for width in range(PART, 0, -16) if channels % width == 0), channels)
    made = {tensor.name for tensor in graph.initializer}  # among them parts of another block with the same weights
    nodes: list[onnx.NodeProto] = []
    total = ""
    for start in range(0, channels, width):
        part = _part(graph, values, block, slice(start, start + width), made)
        nodes += part
        projected = part[-1].output[0]
        if total:
            nodes.append(onnx.helper.make_node("Add", [total, projected], [f"{projected}.sum"], name=f"{block.project.name}.{start}.sum"))
        total = nodes[-1].output[0]
    nodes[-1].output[0] = block.project.output[0]
    return nodes


def _part(graph: onnx.GraphProto, values: Values, block: _Residual, own: slice, made: set[str]) -> list[onnx.NodeProto]:
    """Copies of a block's nodes which work on its `own` channels; weights that are not `made` yet are added to the graph."""
    nodes: list[onnx.NodeProto] = []
    value = block.expand.input[0]
    for node in block:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name, copy.output[0], copy.input[0] = f"{node.name}.{own.start}", f"{node.output[0]}.{own.start}", value
        if node is block.project and own.start > 0:
            del copy.input[2:]  # its bias is added once, by the first part
        for i, name in enumerate(copy.input[1:], start=1):
            copy.input[i] = f"{name}.{own.start}"
            if copy.input[i] in made:
                continue
            array = values.array(name)
            if node is not block.project:
                array = array[own]
            elif i == 1:  # weights: of the channels that are read; the bias is of those that are written, which are all
                array = array[:, own]
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), copy.input[i]))
        for attribute in copy.attribute:
            if attribute.name == "group" and node is block.depth:
                attribute.i = own.stop - own.start
        nodes.append(copy)
        value = copy.output[0]
    return nodes
