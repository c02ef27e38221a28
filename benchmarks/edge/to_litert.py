"""LiteRT, once TensorFlow Lite (packages onnx2tf and ai-edge-litert, tried with 1.29.24 and 2.1.0).

onnx2tf goes by way of TensorFlow. GELU's error function has no operation in LiteRT and is written out in others; pictures have their channels
last there.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from forms import Arrays, Form  # type: ignore[import-not-found]  # the script beside this one

from sightline.engines import Array

SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"  # onnx2tf fetches it from the network where it is not there


def convert(plain: Path, output: Path, form: Form) -> None:
    """template_float32.tflite and search_float32.tflite."""
    output = output.resolve()
    np.save(output / SAMPLE, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    for name, kept in (("template", ()), ("search", ("-kat", *form.memory))):
        program = "import sys; from onnx2tf import main; sys.exit(main())"
        words = ["-i", str((plain / f"{name}.onnx").resolve()), "-o", str(output), "-n", "-rtpo", "Erf", "-osd", *kept]
        done = subprocess.run([sys.executable, "-c", program, *words], cwd=output, capture_output=True, text=True, check=False)
        if not (output / f"{name}_float32.tflite").is_file():
            raise SystemExit(f"onnx2tf fails on {name}.onnx: {(done.stdout + done.stderr).strip()[-500:]}")


class _Graph:
    """One graph on one thread. What TensorFlow could not give a signature has its inputs by name and its outputs in the order of `outputs`."""

    def __init__(self, path: Path, outputs: Sequence[str]) -> None:
        self.interpreter = Interpreter(str(path), num_threads=1)
        self.outputs = outputs
        self.interpreter.allocate_tensors()
        self.runner = self.interpreter.get_signature_runner() if self.interpreter.get_signature_list() else None

    def run(self, arrays: dict[str, Any]) -> Arrays:
        if self.runner is not None:
            return {name: array[0] for name, array in self.runner(**arrays).items()}
        for detail in self.interpreter.get_input_details():
            self.interpreter.set_tensor(detail["index"], arrays[detail["name"]].reshape(detail["shape"]))
        self.interpreter.invoke()
        found = [self.interpreter.get_tensor(detail["index"])[0] for detail in self.interpreter.get_output_details()]
        return dict(zip(self.outputs, found, strict=True))


class LiteRtGraphs:
    """See `boxes.Graphs`."""

    def __init__(self, output: Path, form: Form) -> None:
        self.of_template = _Graph(output / "template_float32.tflite", (*form.memory, *form.kept))
        self.of_search = _Graph(output / "search_float32.tflite", form.maps)

    def template(self, pixels: Array) -> Arrays:
        return self.of_template.run({"template": pixels[np.newaxis].astype(np.float32)})

    def search(self, pixels: Array, memory: Arrays) -> Arrays:
        said = self.of_search.run(_given(pixels, memory))
        # channels come last, but for maps to which constants were added; grids are square
        return {name: np.moveaxis(array, -1, 0) if array.shape[0] == array.shape[1] else array for name, array in said.items()}


def open_graphs(output: Path, form: Form) -> LiteRtGraphs:
    """What `convert` wrote."""
    return LiteRtGraphs(output, form)


def layers(output: Path, form: Form, pixels: Array, memory: Arrays, calls: int = 30) -> dict[str, float]:  # noqa: ARG001  # one interface
    """Milliseconds by kind of operation, each run alone as a graph of its own: the wheel has no profiler.

    Shares to look at, not parts of the time above: in the whole graph XNNPACK joins operations, and one that stands alone has cold inputs.
    """
    path = output / "search_float32.tflite"
    spent: dict[str, float] = defaultdict(float)
    for place in range(len(flatbuffer_utils.read_model(str(path)).subgraphs[0].operators)):
        model = flatbuffer_utils.read_model(str(path))
        graph = model.subgraphs[0]
        alone = graph.operators[place]
        graph.operators, graph.outputs, model.signatureDefs = [alone], alone.outputs, []
        graph.inputs = [i for i in dict.fromkeys(alone.inputs) if i >= 0 and model.buffers[graph.tensors[i].buffer].data is None]
        name = flatbuffer_utils.opcode_to_name(model, alone.opcodeIndex)
        spent[name] += _milliseconds(bytes(flatbuffer_utils.convert_object_to_bytearray(model)), calls)
    return dict(spent)


def _milliseconds(model: bytes, calls: int) -> float:
    """The median of calls."""
    interpreter: Any = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.random.default_rng(0).random(detail["shape"]).astype(detail["dtype"]))
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        interpreter.invoke()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e3


def _given(pixels: Array, memory: Arrays) -> dict[str, Any]:
    return {"search": pixels[np.newaxis].astype(np.float32), **{name: array[np.newaxis] for name, array in memory.items()}}
