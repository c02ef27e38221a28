"""What happens to pixels before the first convolution, moved into its weights.

Networks divide pixels by a deviation, subtract a mean and sort R, G, B, R, ... into three planes, in every frame and one by one. The weights
of the convolution that reads the pixels can take over the factor (`fold_normalisation`) and the order (`read_lines`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

from sightline.engines import Array
from sightline.models.graph.values import Values, drop_unread, forget_shapes, groups_of, shapes_of

__all__ = ["fold_normalisation", "read_lines"]


class _Affine(NamedTuple):
    """`scale` x + `shift` for every channel (1, C or 1, 1, 1); and the nodes that compute it, the last one first."""

    scale: Array
    shift: Array
    nodes: list[onnx.NodeProto]


STEPS: Mapping[str, Callable[[_Affine, Array], tuple[Array, Array]]] = {  # scale and shift, with one step put before those known
    "Div": lambda after, by: (after.scale / by, after.shift),
    "Mul": lambda after, by: (after.scale * by, after.shift),
    "Sub": lambda after, by: (after.scale, after.shift - after.scale * by),
    "Add": lambda after, by: (after.scale, after.shift + after.scale * by),
}


def fold_normalisation(graph: onnx.GraphProto) -> None:
    """Move the factor of a normalisation into the weights of the convolution that reads the pixels.

    What is added to pixels stays as one Add before the convolution: it cannot move behind, because the convolution pads with zeros.
    """
    values = Values(graph)
    for node in [node for node in graph.node if node.op_type == "Conv"]:
        found = _normalisation(values, node.input[0])
        if found is None or node.input[1] not in values.constants or groups_of(node) != 1:
            continue
        _scale(graph, values, node, found.scale)
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
        values = Values(graph)
    drop_unread(graph)


def _normalisation(values: Values, name: str) -> _Affine | None:
    """How the value `name` is made of pixels; None where nothing is done to each channel by itself, or others read what is between."""
    found = _Affine(np.float64(1), np.float64(0), [])  # type: ignore[arg-type]  # numbers behave as arrays
    while True:
        node = values.producers.get(name)
        if node is None or node.op_type not in STEPS or node.input[1] not in values.constants:
            starts_with_pixels = node is not None and node.op_type in ("Cast", "Transpose")
            return found if found.nodes and starts_with_pixels else None
        by = values.array(node.input[1]).astype(np.float64)
        of_channels = by.size == 1 or (by.ndim > 2 and by.size == by.shape[-3])
        if not of_channels or len(values.consumers[name]) > 1:
            return None
        found = _Affine(*STEPS[node.op_type](found, by), [*found.nodes, node])
        name = node.input[0]


def _scale(graph: onnx.GraphProto, values: Values, convolution: onnx.NodeProto, scale: Array) -> None:
    """Multiply the weights (O, C, h, w) of a convolution by a scale (1, C or 1, 1, 1)."""
    weights, name = values.array(convolution.input[1]), f"{convolution.input[1]}.scaled"
    if name not in values.constants:
        graph.initializer.append(numpy_helper.from_array((weights * scale.reshape(1, -1, 1, 1)).astype(weights.dtype), name))
    convolution.input[1] = name


class _Pixels(NamedTuple):
    """The way from pixels (B, H, W, C) to the convolutions that read them as planes (B, C, H, W).

    Attributes:
        sort: the Transpose into planes.
        cast: to float.
        offset: adds a number to each channel; None where nothing does.
        convolutions: all that read the result.
    """

    sort: onnx.NodeProto
    cast: onnx.NodeProto
    offset: onnx.NodeProto | None
    convolutions: list[onnx.NodeProto]


def read_lines(graph: onnx.GraphProto) -> None:
    """Let convolutions read pixels (B, H, W, C) as they lie in memory, as one channel of lines (B, 1, H, W C): nothing is sorted.

    Kernels (O, C, h, w) become (O, 1, h, w C), and a step of one pixel to the right becomes one of C numbers. Only where nothing but
    convolutions reads the pixels, and their height and width are known.
    """
    values = Values(graph)
    sizes = shapes_of(graph.input)
    for sort in [node for node in graph.node if node.op_type == "Transpose" and node.input[0] in sizes]:
        found = _pixels(values, sort)
        if found is None or not all(sizes[sort.input[0]][1:]):
            continue
        _, height, width, channels = sizes[sort.input[0]]
        _keep_order(graph, sort, height)
        if found.offset is not None:
            _repeat(graph, values, found.offset, width * channels)
        for convolution in found.convolutions:
            _widen(graph, values, convolution, channels)
        forget_shapes(graph, {node.output[0] for node in (sort, found.cast, found.offset) if node is not None})
    drop_unread(graph)


def _pixels(values: Values, sort: onnx.NodeProto) -> _Pixels | None:
    """What follows a Transpose; None where that is anything but a cast, perhaps an offset, and convolutions with constant weights."""
    cast, *others = values.consumers[sort.output[0]]
    if list(sort.attribute[0].ints) != [0, 3, 1, 2] or cast.op_type != "Cast" or others:
        return None
    readers, offset = values.consumers[cast.output[0]], None
    if len(readers) == 1 and readers[0].op_type == "Add" and readers[0].input[1] in values.constants:
        offset = readers[0]
        added = values.array(offset.input[1])
        if added.size > 1 and added.size != added.shape[-3:][0]:
            return None
        readers = values.consumers[offset.output[0]]
    are_plain = all(node.op_type == "Conv" and node.input[1] in values.constants for node in readers)
    return _Pixels(sort, cast, offset, readers) if readers and are_plain else None


def _keep_order(graph: onnx.GraphProto, sort: onnx.NodeProto, height: int) -> None:
    """Make a Transpose into planes a Reshape into lines."""
    shape = f"{sort.output[0]}.lines"
    graph.initializer.append(numpy_helper.from_array(np.array([0, 1, height, -1]), shape))
    sort.op_type = "Reshape"
    sort.input.append(shape)
    del sort.attribute[:]


def _repeat(graph: onnx.GraphProto, values: Values, offset: onnx.NodeProto, length: int) -> None:
    """Let an offset of each channel add its numbers over and over along a line of `length`."""
    name = offset.input[1]
    added = values.array(name).reshape(-1)
    graph.initializer.append(numpy_helper.from_array(np.tile(added, length // added.size), f"{name}.lines"))
    offset.input[1] = f"{name}.lines"


def _widen(graph: onnx.GraphProto, values: Values, convolution: onnx.NodeProto, channels: int) -> None:
    """Give a convolution of planes the kernels, steps and borders of one of lines."""
    weights, name = values.array(convolution.input[1]), f"{convolution.input[1]}.lines"
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
