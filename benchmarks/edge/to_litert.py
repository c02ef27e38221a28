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
from boxes import MEMORY, Floats, Maps  # type: ignore[import-not-found]  # the script beside this one

from sightline.engines import Array

SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"  # onnx2tf fetches it from the network where it is not there


def convert(plain: Path, output: Path) -> None:
    """template_float32.tflite and search_float32.tflite."""
    output = output.resolve()
    np.save(output / SAMPLE, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    for name, kept in (("template", ()), ("search", ("-kat", *MEMORY))):
        program = "import sys; from onnx2tf import main; sys.exit(main())"
        words = ["-i", str((plain / f"{name}.onnx").resolve()), "-o", str(output), "-n", "-rtpo", "Erf", "-osd", *kept]
        done = subprocess.run([sys.executable, "-c", program, *words], cwd=output, capture_output=True, text=True, check=False)
        if not (output / f"{name}_float32.tflite").is_file():
            raise SystemExit(f"onnx2tf fails on {name}.onnx: {(done.stdout + done.stderr).strip()[-500:]}")


class LiteRtGraphs:
    """See `boxes.Graphs`."""

    def __init__(self, output: Path) -> None:
        opened = (Interpreter(str(output / f"{name}_float32.tflite"), num_threads=1) for name in ("template", "search"))
        self.interpreters = tuple(opened)
        self.of_template, self.of_search = (interpreter.get_signature_runner() for interpreter in self.interpreters)

    def template(self, pixels: Array) -> list[Floats]:
        said = self.of_template(template=pixels[np.newaxis].astype(np.float32))
        return [said[name][0] for name in MEMORY]

    def search(self, pixels: Array, memory: Sequence[Floats]) -> Maps:
        said = self.of_search(**_given(pixels, memory))
        score, size, offset = (np.moveaxis(said[name][0], -1, 0) for name in ("score", "size", "offset"))
        return score[0], size, offset


def open_graphs(output: Path) -> LiteRtGraphs:
    """What `convert` wrote."""
    return LiteRtGraphs(output)


def layers(output: Path, pixels: Array, memory: Sequence[Floats], calls: int = 30) -> dict[str, float]:  # noqa: ARG001  # one interface
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


def _given(pixels: Array, memory: Sequence[Floats]) -> dict[str, Any]:
    return {
        "search": pixels[np.newaxis].astype(np.float32),
        **{name: array[np.newaxis] for name, array in zip(MEMORY, memory, strict=True)},
    }
