"""What the engines' own profilers say of a graph: every layer with the time of each call, and the shapes of what it reads and makes."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from sightline.engines import Precision

__all__ = ["Arithmetic", "LayerProfile", "Operation", "of_onnxruntime", "of_openvino"]

Arithmetic: TypeAlias = Literal["f32", "bf16", "int8"]
Operation: TypeAlias = Literal["convolution", "product", "other"]

OPERATIONS: Mapping[str, Operation] = {  # by what the engines call them
    **dict.fromkeys(("Conv", "FusedConv", "QLinearConv", "ConvInteger", "Convolution", "GroupConvolution"), "convolution"),
    **dict.fromkeys(("Gemm", "FusedGemm", "QGemm", "MatMul", "FusedMatMul", "QLinearMatMul", "MatMulInteger"), "product"),
    **dict.fromkeys(("FullyConnected", "FullyConnectedQuantized", "FullyConnectedQuantizedLegacy"), "product"),
}
COMPUTED_IN: Mapping[str, Arithmetic] = {"bf16": "bf16", "i8": "int8", "u8": "int8", "int8": "int8", "uint8": "int8"}  # f32 all others


@dataclass(frozen=True, slots=True)
class LayerProfile:
    """What an engine says of one layer.

    Attributes:
        name, kind: as the engine calls it.
        operation: what it computes.
        arithmetic: what it computes in.
        seconds: of each call of the network.
        inputs, outputs: shapes of what it reads and makes.
    """

    name: str
    kind: str
    operation: Operation
    arithmetic: Arithmetic
    seconds: list[float]
    inputs: list[list[int]]
    outputs: list[list[int]]


def of_onnxruntime(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    *,
    threads: int | None,
    precision: Precision,  # noqa: ARG001  # it has one
    calls: int,
) -> list[LayerProfile]:
    """The layers of a graph on onnxruntime, in the order in which they run, each with the seconds of so many calls.

    Args:
        path: of the graph.
        arrays: what it is given.
        threads: of a call; None for one per physical core.
        precision: "f32" or "bf16", of what is not int8 in the file.
        calls: how many.
    """
    from sightline.engines.onnx import open_graph

    with tempfile.TemporaryDirectory() as folder:
        session = open_graph(path, threads=threads, profile=Path(folder, "profile"))
        given = {entry.name: arrays[entry.name] for entry in session.get_inputs()}
        for _ in range(calls):
            session.run(None, given)
        events = json.loads(Path(session.end_profiling()).read_text())
    found: dict[str, LayerProfile] = {}
    for event in events:
        name, told = str(event.get("name")), event.get("args", {})
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            kind = told["op_name"]
            if name not in found:
                operation = OPERATIONS.get(kind, "other")
                inputs = [(type_, shape) for entry in told.get("input_type_shape", []) for type_, shape in entry.items()]
                arithmetic = COMPUTED_IN.get(inputs[0][0], "f32") if inputs and operation != "other" else "f32"
                outputs = [shape for entry in told.get("output_type_shape", []) for shape in entry.values()]
                found[name] = LayerProfile(
                    name.removesuffix("_kernel_time"), kind, operation, arithmetic, [], [shape for _, shape in inputs], outputs
                )
            found[name].seconds.append(event["dur"] / 1e6)
    return list(found.values())


def of_openvino(
    path: Path, arrays: Mapping[str, np.ndarray], *, threads: int | None, precision: Precision, calls: int
) -> list[LayerProfile]:
    """The layers of a graph on OpenVINO, as `of_onnxruntime`; kinds are told with the kernel that was taken."""
    import openvino

    from sightline.engines.openvino import settings_for

    core = openvino.Core()
    model = core.read_model(path)
    model.reshape({entry.any_name: list(arrays[entry.any_name].shape) for entry in model.inputs})
    compiled = core.compile_model(model, "CPU", settings_for(precision, threads) | {"PERF_COUNT": True})
    request = compiled.create_infer_request()
    seconds: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, tuple[str, str]] = {}
    for _ in range(calls):
        request.infer([arrays[entry.any_name] for entry in model.inputs])
        for told in request.profiling_info:
            seconds[told.node_name].append(told.real_time.total_seconds())
            kinds[told.node_name] = told.node_type, told.exec_type
    nodes = {node.get_friendly_name(): node for node in compiled.get_runtime_model().get_ordered_ops()}
    found = []
    for name, (kind, kernel) in kinds.items():
        if not any(seconds[name]):  # computed once, or of no work
            continue
        node = nodes.get(name)
        arithmetic = COMPUTED_IN.get(node.get_rt_info()["runtimePrecision"].astype(str), "f32") if node is not None else "f32"
        inputs, outputs = (
            [list(entry.get_shape()) for entry in entries] for entries in ((node.inputs(), node.outputs()) if node else ([], []))
        )
        found.append(LayerProfile(name, f"{kind} {kernel}", OPERATIONS.get(kind, "other"), arithmetic, seconds[name], inputs, outputs))
    return found
