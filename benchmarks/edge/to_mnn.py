"""MNN (package MNN, tried with 3.6.1).

Its command `mnnconvert` installs a package that reports each use to its makers; what does the work is a module of its own, which is
called here and reports nothing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _tools
import MNN
import numpy as np
from boxes import planes  # type: ignore[import-not-found]  # the scripts beside this one
from forms import Arrays, Floats, Form  # type: ignore[import-not-found]

from sightline.engines import Array


def convert(plain: Path, output: Path, form: Form) -> None:
    """template.mnn and search.mnn."""
    del form  # names stay as they are
    for name in ("template", "search"):
        made = output / f"{name}.mnn"
        _tools.mnnconvert(
            ["mnnconvert", "-f", "ONNX", "--modelFile", str(plain / f"{name}.onnx"), "--MNNModel", str(made), "--bizCode", "sightline"]
        )
        if not made.is_file():
            raise SystemExit(f"MNN did not write {made}.")


class _Graph:
    """One graph on one thread."""

    def __init__(self, path: Path) -> None:
        self.net = MNN.Interpreter(str(path))
        self.session = self.net.createSession({"numThread": 1, "precision": "high"})

    def give(self, arrays: dict[str, Floats]) -> None:
        for name, array in arrays.items():
            tensor = self.net.getSessionInput(self.session, name)
            tensor.copyFrom(MNN.Tensor(array.shape, MNN.Halide_Type_Float, np.ascontiguousarray(array), MNN.Tensor_DimensionType_Caffe))

    def take(self, name: str) -> Floats:
        tensor = self.net.getSessionOutput(self.session, name)
        shape = tensor.getShape()
        host = MNN.Tensor(shape, MNN.Halide_Type_Float, np.empty(shape, np.float32), MNN.Tensor_DimensionType_Caffe)
        tensor.copyToHostTensor(host)
        return np.array(host.getNumpyData(), np.float32).reshape(shape)

    def run(self, arrays: dict[str, Floats], outputs: Sequence[str]) -> Arrays:
        self.give(arrays)
        self.net.runSession(self.session)
        return {name: self.take(name)[0] for name in outputs}


class MnnGraphs:
    """See `boxes.Graphs`."""

    def __init__(self, output: Path, form: Form) -> None:
        self.form = form
        self.of_template, self.of_search = (_Graph(output / f"{name}.mnn") for name in ("template", "search"))

    def template(self, pixels: Array) -> Arrays:
        return self.of_template.run({"template": planes(pixels)[np.newaxis]}, (*self.form.memory, *self.form.kept))

    def search(self, pixels: Array, memory: Arrays) -> Arrays:
        return self.of_search.run(_given(pixels, memory), self.form.maps)


def open_graphs(output: Path, form: Form) -> MnnGraphs:
    """What `convert` wrote."""
    return MnnGraphs(output, form)


def layers(output: Path, form: Form, pixels: Array, memory: Arrays, calls: int = 30) -> dict[str, float]:
    """Milliseconds of one search by kind of operation, from MNN's callbacks before and after each."""
    del form  # names are in the file
    graph, began = _Graph(output / "search.mnn"), [0.0]
    graph.give(_given(pixels, memory))
    spent: dict[str, float] = defaultdict(float)

    def before(_tensors: Any, _info: Any) -> bool:
        began[0] = time.perf_counter()
        return True

    def after(_tensors: Any, info: Any) -> bool:
        spent[info.getType()] += time.perf_counter() - began[0]
        return True

    for i in range(calls + 5):
        if i == 5:
            spent.clear()
        graph.net.runSessionWithCallBackInfo(graph.session, before, after)
    return {kind: seconds / calls * 1e3 for kind, seconds in spent.items()}


def _given(pixels: Array, memory: Arrays) -> dict[str, Floats]:
    return {"search": planes(pixels)[np.newaxis], **{name: array[np.newaxis] for name, array in memory.items()}}
