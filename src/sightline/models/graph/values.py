"""A graph indexed by the names of its values."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

__all__ = ["Array", "Values", "drop_unread"]

Array = NDArray[Any]


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


def drop_unread(graph: onnx.GraphProto) -> None:
    """Remove constants that no node reads."""
    read = {name for node in graph.node for name in node.input} | {entry.name for entry in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)
