"""ncnn (packages ncnn and pnnx, tried with 1.0.20261020 and 20261020).

pnnx turns the plain ONNX into ncnn's own two files; its wheel holds the program, and its Python part, which needs torch, is not used.
"""

from __future__ import annotations

import importlib.util
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import ncnn
import numpy as np
from boxes import planes  # type: ignore[import-not-found]  # the scripts beside this one
from forms import Arrays, Floats, Form  # type: ignore[import-not-found]

from sightline.engines import Array


def convert(plain: Path, output: Path, form: Form) -> None:
    """template.ncnn.param, template.ncnn.bin, and the same of search."""
    del form  # names are lost, the order stays
    found = importlib.util.find_spec("pnnx")
    if found is None or found.origin is None:
        raise SystemExit("ncnn needs its converter: pip install --no-deps pnnx")
    [program] = [path for path in Path(found.origin).parent.rglob("pnnx") if path.is_file()]
    for name in ("template", "search"):
        # pnnx writes beside its input whatever it is told
        (output / f"{name}.onnx").write_bytes((plain / f"{name}.onnx").read_bytes())
        done = subprocess.run([str(program), f"{name}.onnx", "fp16=0"], cwd=output, capture_output=True, text=True, check=False)
        if done.returncode or not (output / f"{name}.ncnn.param").is_file():
            raise SystemExit(f"pnnx fails on {name}.onnx: {done.stderr.strip()}")


def _open(output: Path, name: str) -> ncnn.Net:
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.load_param(str(output / f"{name}.ncnn.param"))
    net.load_model(str(output / f"{name}.ncnn.bin"))
    return net


class NcnnGraphs:
    """See `boxes.Graphs`. ncnn has no axis for the batch, and numbers its inputs and outputs."""

    def __init__(self, output: Path, form: Form) -> None:
        self.form = form
        self.of_template, self.of_search = (_open(output, name) for name in ("template", "search"))

    def template(self, pixels: Array) -> Arrays:
        with self.of_template.create_extractor() as extractor:
            extractor.input("in0", _mat(planes(pixels)))
            return {name: np.array(extractor.extract(f"out{i}")[1]) for i, name in enumerate((*self.form.memory, *self.form.kept))}

    def search(self, pixels: Array, memory: Arrays) -> Arrays:
        with self.of_search.create_extractor() as extractor:
            _give(extractor, self.form, pixels, memory)
            return {name: np.array(extractor.extract(f"out{i}")[1]) for i, name in enumerate(self.form.maps)}


def open_graphs(output: Path, form: Form) -> NcnnGraphs:
    """What `convert` wrote."""
    return NcnnGraphs(output, form)


def layers(output: Path, form: Form, pixels: Array, memory: Arrays, calls: int = 30) -> dict[str, float]:
    """Milliseconds of one search by kind of layer: outputs are asked for one after the other, and each works out what is missing only."""
    net = _open(output, "search")
    spent: dict[str, float] = defaultdict(float)
    for i in range(calls + 3):
        if i == 3:
            spent.clear()
        with net.create_extractor() as extractor:
            extractor.set_light_mode(False)  # what was worked out is kept
            _give(extractor, form, pixels, memory)
            for layer in net.layers():
                if layer.type not in ("Input", "MemoryData", "Split"):
                    began = time.perf_counter()
                    extractor.extract(layer.tops[-1])
                    spent[layer.type] += time.perf_counter() - began
    return {kind: seconds / calls * 1e3 for kind, seconds in spent.items()}


def _give(extractor: ncnn.Extractor, form: Form, pixels: Array, memory: Arrays) -> None:
    extractor.input("in0", _mat(planes(pixels)))
    for i, name in enumerate(form.memory, start=1):
        extractor.input(f"in{i}", _mat(memory[name]))


def _mat(array: Floats) -> ncnn.Mat:
    """With memory of its own: a Mat of an array looks at the array's, and does not keep it alive."""
    return ncnn.Mat(np.ascontiguousarray(array)).clone()
