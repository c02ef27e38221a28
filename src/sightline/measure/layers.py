"""Where the time of a network goes: by kind of operation and by node, from the engine's own profiler."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.errors import EngineError
from sightline.weights import kind_of

__all__ = ["Share", "profile"]

CALLS = 30
WARM = 5


@dataclass(frozen=True, slots=True)
class Share:
    """One kind of operation, or one node.

    Attributes:
        name: as the engine calls it.
        milliseconds: of one call of the network.
        share: of all, 0..1.
    """

    name: str
    milliseconds: float
    share: float


def profile(path: Path, arrays: Mapping[str, np.ndarray], *, threads: int, by: str = "kind") -> list[Share]:
    """Where an exported network spends its time on onnxruntime, the longest first.

    Args:
        path: a graph that Sightline exported.
        arrays: what it is given.
        threads: of the call.
        by: "kind" of operation, or "node".

    Raises:
        EngineError: the file is not ONNX.
    """
    import onnxruntime

    from sightline.engines.onnx import SLOW_FUSIONS

    if kind_of(path) != "onnx":
        raise EngineError(f"{path.name} is not ONNX, and only onnxruntime's profiler is read: run `sightline export` first.")
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS)
        given = {entry.name: arrays[entry.name] for entry in session.get_inputs()}
        for _ in range(WARM + CALLS):
            session.run(None, given)
        events = json.loads(Path(session.end_profiling()).read_text())
    return _shares(events, by)


def _shares(events: list[dict[str, object]], by: str) -> list[Share]:
    """Sums over the calls after the first ones, from the profiler's list of events."""
    taken: dict[str, list[float]] = defaultdict(list)
    for event in events:
        name, arguments = str(event.get("name")), event.get("args")
        if event.get("cat") == "Node" and name.endswith("_kernel_time") and isinstance(arguments, dict):
            taken[f"{arguments['op_name']} {name.removesuffix('_kernel_time')}"].append(float(str(event["dur"])) / 1e3)
    sums: dict[str, float] = defaultdict(float)
    for node, times in taken.items():
        kind, _, label = node.partition(" ")
        sums[kind if by == "kind" else f"{label} ({kind})"] += sum(times[WARM:]) / max(1, len(times) - WARM)
    total = sum(sums.values())
    return [Share(name, value, value / total) for name, value in sorted(sums.items(), key=lambda item: -item[1])]
