"""Engines run networks. A session is one opened network: immutable, without state, safe to call from many threads.

A network has one graph for each of its roles.

    init       reads the template once: what comes out is the state of a target, which `step` is given in every frame
    step       finds the target in a search crop. Where there is no `init`, its state is the template itself
    describe   turns crops into maps of features, for methods that find the target in those

Arrays are known by name. Axis 0 is the batch (B); a crop of several `Crop.scales` has them in axis 1. Boxes are cx, cy, w, h in 0..1 of
their crop, float32. In brackets: what `Spec.feed` has to ask for.

    template                           (B, H, W, 3) RGB, uint8 or as `Crop.pixels` says
    search                             likewise; for `describe` (B, V, H, W, 3), any number V of crops
    template_extra, search_extra       the same crops of a second picture [extra]
    template_padding, search_padding   (B, H, W) bool, true outside the frame [padding]
    target                             (B, 4) the box in the template crop [target]
    prior                              (B, 4) the last box in the search crop, for `step` [prior]
    history                            (B, K, 4) past boxes in the search crop, the oldest first, for `step`, where there is a
                                       `Spec.history`; before the first frame the first box stands
    filled                             (B, slots) bool, which templates are there, for `init` [filled]

    box, score                         (B, 4) and (B,) float32, of `step`
    gate                               (B,) of `step`: how good a template this frame is, where `score` does not say it
    mask, mask_box                     (B, h, w) float32 in 0..1 and (B, 4), of `step`: which pixels of a part of the search crop show the
                                       target, and which part that is
    features                           (B, V, C, h, w), every output of `describe`

What comes out of `init` is given to `step` under its own name. Outputs called `next.x` are state `x` of the target itself: of `init` as it
begins, of `step` as it goes on.

Where `Spec.memory` keeps several templates, there are two ways. Either `init` reads one template at a time, and what comes out stands in
axis 1 of the state, before the scales. Or all templates are read `together`: they stand in axis 1 of what `init` is given, it runs anew
whenever one of them has changed, and what comes out replaces the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from sightline.engines.cores import num_cores
from sightline.errors import EngineError, MissingExtra, WeightsMismatch, WeightsMissing
from sightline.spec import Spec
from sightline.unreported import keep_engines_from_reporting
from sightline.weights import BUILTIN, int8_form, int8_in, kind_of, sha256_of

__all__ = [
    "COMPUTES",
    "ENGINES",
    "IN_TORCH",
    "PRECISIONS",
    "Array",
    "Precision",
    "Role",
    "Session",
    "batch_for",
    "engine_of",
    "open_session",
    "open_untrained",
    "quantised",
]

keep_engines_from_reporting()  # before any of them is imported

Array: TypeAlias = NDArray[Any]
Role: TypeAlias = Literal["init", "step", "describe"]
Precision: TypeAlias = Literal["f32", "bf16", "int8", "int8+bf16"]

# by name, so that nothing here imports torch
ENGINES = {
    "onnxruntime": "sightline.engines.onnx",
    "openvino": "sightline.engines.openvino",
    "torch": "sightline.models.session",
    "torch-compile": "sightline.models.compiled",
}
IN_TORCH = ("torch", "torch-compile")  # they read weights as they were trained, and have one number of threads for the whole process
EXTRAS = {"openvino": "openvino", "torch": "convert", "torch-compile": "convert"}  # what each needs beside the core
PRECISIONS: tuple[Precision, ...] = get_args(Precision)  # from the most exact to the roughest
COMPUTES: dict[str, tuple[Precision, ...]] = {
    "onnxruntime": ("f32", "int8"),
    "openvino": PRECISIONS,
    "torch": ("f32",),
    "torch-compile": ("f32",),
}
# targets in one network call of a CPU, of a small network and of a larger one: in a call of one thread, and in one of several
# (`sightline bench --targets 16 --batch 1,2,4 --callers 1,2`, and `--threads 2`)
BATCHES = {
    "onnxruntime": ((1, 1), (2, 1)),
    "openvino": ((1, 2), (2, 2)),
    "torch": ((2, 2), (2, 2)),
    "torch-compile": ((2, 2), (2, 2)),
}
SMALL = 2_000_000  # bytes of a weights file: what a core's own cache holds, about
READS = {"onnx": "onnxruntime", "safetensors": "torch", "torch": "torch", "torchscript": "torch"}


class Session(Protocol):
    """One opened network; see the module's docstring for the names of arrays."""

    @property
    def spec(self) -> Spec:
        """What the network is."""
        ...

    @property
    def roles(self) -> frozenset[Role]:
        """Which of its graphs it has; always "step" or "describe"."""
        ...

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """Run one graph on a batch.

        Raises:
            EngineError: the graph refuses the arrays.
        """
        ...


def open_session(
    path: Path,
    *,
    engine: str | None = None,
    threads: int | None = None,
    device: str = "cpu",
    spec: Spec | None = None,
    precision: Precision = "f32",
) -> Session:
    """Open a weights file.

    Args:
        path: ONNX (engines onnxruntime and openvino), or safetensors (engine torch).
        engine: a key of `ENGINES`; None for the one that reads this kind of file.
        threads: of one call; None for one per physical core.
        device: as the engine names it.
        spec: what the network is, where the file does not say.
        precision: what is computed in; anything but f32 changes boxes. bf16 by the engine openvino alone, where the processor has it;
            int8 where `sightline quantize` has made a file for the engine, which is opened instead ("int8+bf16": bf16 for the rest of it).

    Raises:
        EngineError: unknown engine, or it cannot open the file, or does not compute in that precision; `threads` below 1.
        MissingExtra: the engine is not installed.
        WeightsMissing, WeightsMismatch, BadSpec: the file.
    """
    name = engine or engine_of(path)
    if name not in ENGINES:
        raise EngineError(f"there is no engine called {name!r}; known are {', '.join(ENGINES)}.")
    if threads is not None and not (isinstance(threads, Integral) and threads >= 1):
        raise EngineError(f"threads is {threads}; expected a whole number from 1 on, or None for one on each physical core.")
    if precision != "f32" and precision not in COMPUTES[name]:
        able = [other for other, precisions in COMPUTES.items() if precision in precisions]
        expected = f"use engine {' or '.join(able)}" if able else f"known are {', '.join(PRECISIONS)}"
        raise EngineError(f"the {name} engine computes in {' or '.join(COMPUTES[name])}, not in {precision}; {expected}.")
    if precision in ("int8", "int8+bf16"):
        path, precision = quantised(path, name), "bf16" if precision == "int8+bf16" else "f32"
    session: Session = _module(name).open_session(path, threads=threads, device=device, spec=spec, precision=precision)
    return session


def engine_of(path: Path) -> str:
    """The engine that reads a weights file: of a quantised one, the one that it was made for."""
    made = int8_in(path)
    return str(made["engine"]) if made and made.get("engine") in ENGINES else READS[kind_of(path)]


def batch_for(engine: str, path: Path | None, threads: int | None) -> int:
    """Targets that are cheapest in one network call of a CPU (docs/how-to/several.md).

    In a call of one thread, a network whose weights leave a core's cache finds neither them nor the next crop there at the next call: two
    targets share that. A smaller one keeps its weights, and loses by numbers of two targets, most where other callers share the cache behind.
    Several threads have too little to do in its layers, and more in those of two targets.

    Args:
        engine: a key of `ENGINES`.
        path: the weights file; None where weights are random.
        threads: of the call; None for one per physical core.
    """
    small, larger = BATCHES.get(engine, ((1, 1), (1, 1)))[(threads or num_cores()) > 1]
    return small if path is None or path.stat().st_size < SMALL else larger


def quantised(path: Path, engine: str) -> Path:
    """The int8 form of a weights file for an engine, which may be itself.

    Raises:
        WeightsMissing: nobody has made one.
        WeightsMismatch: it was made from other weights.
    """
    found = int8_form(path, engine)
    if found == path:
        return path
    name = path.stem if path.parent == BUILTIN else path
    make = f"`sightline quantize {name} --engine {engine} --calibrate DIR`"
    if not found.is_file():
        raise WeightsMissing(f"{path.name} has no int8 form for {engine} (expected {found}): make it once by {make}.")
    if (int8_in(found) or {}).get("source_sha256") != sha256_of(path):
        raise WeightsMismatch(f"{found} was made from other weights than {path}: make it again by {make}.")
    return found


def _module(engine: str) -> Any:
    try:
        return import_module(ENGINES[engine])
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "sightline" or engine not in EXTRAS:
            raise
        raise MissingExtra(
            f"the engine {engine} needs {package}: pip install 'sightline[{EXTRAS[engine]}]'. Tracking with an ONNX file on onnxruntime does not."
        ) from error
    except ImportError as error:  # a library that it needs is not on this system, or it was built for another one
        told = (str(error).splitlines() or ["no reason given"])[0]
        raise EngineError(
            f"the engine {engine} is installed and cannot be imported ({told}); install it again, or use another engine."
        ) from error


def open_untrained(spec: Spec, *, device: str = "cpu", engine: str = "torch") -> Session:
    """A network with random weights, on an engine of `IN_TORCH`: to see that a tracker runs and how fast, never to track with.

    Raises:
        EngineError: there is no such device.
        MissingExtra: torch is not installed.
    """
    session: Session = _module(engine).untrained(spec, device=device)
    return session
