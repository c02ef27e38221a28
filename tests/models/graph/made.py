"""Small graphs for tests, and what onnxruntime computes by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper


def node(kind: str, given: list[str], name: str, **attributes: Any) -> NodeProto:
    """A node that computes the value of its own name."""
    return helper.make_node(kind, given, [name], name=name, **attributes)


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    constants: Mapping[str, NDArray[Any]],
    *,
    outputs: Sequence[str] = ("out",),
    known: Sequence[ValueInfoProto] = (),
) -> ModelProto:
    """A graph of nodes; `known` are shapes of values between them."""
    graph = helper.make_graph(
        list(nodes),
        "small",
        list(inputs),
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
        value_info=list(known),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def run(graph: ModelProto, **arrays: NDArray[Any]) -> list[Any]:
    """All outputs."""
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, arrays))


def kinds(graph: ModelProto) -> Counter[str]:
    """How many nodes of each kind there are."""
    return Counter(entry.op_type for entry in graph.graph.node)
