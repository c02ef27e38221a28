"""A graph indexed by the names of its values: where they come from and go, their shapes, and what is no longer needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

import onnx
from onnx import numpy_helper

from sightline.engines import Array

__all__ = ["Values", "drop_unread", "forget_shapes", "groups_of", "shapes_of"]


class Values:
    """Where the values of a graph come from and where they go. Made anew after nodes were added or removed.

    Attributes:
        constants: tensors by name.
        producers: the node that computes a value, by the value's name.
        consumers: the nodes that read it.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = node.attribute[0].t
        self.producers = {name: node for node in graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.consumers[name].append(node)

    def array(self, name: str) -> Array:
        """A constant."""
        return numpy_helper.to_array(self.constants[name])


def shapes_of(entries: Iterable[onnx.ValueInfoProto]) -> dict[str, list[int]]:
    """Shapes by name, of inputs or of values between nodes; 0 for a length that is not known."""
    return {entry.name: [axis.dim_value for axis in entry.type.tensor_type.shape.dim] for entry in entries}


def groups_of(convolution: onnx.NodeProto) -> int:
    """The number of its groups."""
    return next((part.i for part in convolution.attribute if part.name == "group"), 1)


def forget_shapes(graph: onnx.GraphProto, names: Collection[str]) -> None:
    """Take back what the graph says of the shapes of some values, which have other ones now or are gone."""
    for entry in [entry for entry in graph.value_info if entry.name in names]:
        graph.value_info.remove(entry)


def drop_unread(graph: onnx.GraphProto) -> None:
    """Remove constants that no node reads."""
    read = {name for node in graph.node for name in node.input} | {entry.name for entry in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)
