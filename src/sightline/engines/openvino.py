"""The OpenVINO engine: reads the same ONNX files as onnxruntime, often faster on Intel and AMD processors, and computes in bf16 where asked.

What OpenVINO would decide by itself is decided here, because it changes results or speed (docs/how-to/speed.md).

    precision   always named
    pinning     threads are never pinned to cores: two processes would share one core
    shapes      a graph is compiled for each batch size that is used: one for any size is slower
    callers     a graph is compiled once more for each caller that is in it at the same time: callers of one compiled graph wait for each
                other, and one compiled with streams for several is slower for a single one
    template    where it is read once for a target, it is read in f32 whatever the precision: that costs a frame nothing, and what is
                rounded there is wrong in every frame
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import openvino

from sightline.engines import Array, Precision, Role
from sightline.engines.cores import call_threads, num_cores
from sightline.engines.exported import check_kind, init_of, role_of, spec_of
from sightline.errors import EngineError
from sightline.spec import Memory, Spec
from sightline.weights import spec_text

__all__ = ["OpenVinoSession", "open_session", "settings_for"]

Shapes: TypeAlias = tuple[tuple[int, ...], ...]


class _Request:
    """What runs a compiled graph, for one caller at a time.

    Its inputs are written to memory that it has for good. That costs less than OpenVINO's tensors for every call's arrays, which Python makes
    while all other callers wait.
    """

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._places = [self._request.get_input_tensor(i).data for i in range(len(compiled.inputs))]

    def run(self, arrays: Sequence[Array]) -> list[np.ndarray]:
        """New arrays, in the order of the graph's outputs, for those of its inputs."""
        for place, array in zip(self._places, arrays, strict=True):
            place[...] = array
        return list(self._request.infer().to_tuple())


class _Requests:
    """Those of one graph: as many as there are calls at the same time, at most as many as there are places.

    Each is compiled apart. A caller takes the one that it had last, whose numbers lie in the caches of its core; where that is gone, the one
    that was put back last. So a single caller has always the same one.
    """

    def __init__(self, compiled: Callable[[], Any], places: int) -> None:
        self._compiled = compiled
        self._places = threading.Semaphore(places)
        self._idle: dict[int, _Request] = {}  # by the thread that had it

    @contextlib.contextmanager
    def taken(self) -> Iterator[_Request]:
        """One that is nobody else's for a while; where all are taken, after waiting for it."""
        caller = threading.get_ident()
        with self._places:
            try:
                request = self._idle.pop(caller, None) or self._idle.popitem()[1]
            except KeyError:
                request = _Request(self._compiled())
            try:
                yield request
            finally:
                self._idle[caller] = request


@dataclass(slots=True)
class _Graph:
    """One graph, compiled for every set of input shapes that was asked for."""

    model: Any
    settings: Mapping[str, Any]
    device: str
    inputs: list[str]
    outputs: list[str]
    places: int  # for callers at the same time
    lock: threading.Lock = field(default_factory=threading.Lock)
    requests: dict[Shapes, _Requests] = field(default_factory=dict)

    def run(self, arrays: list[Array]) -> list[np.ndarray]:
        """Run on arrays in the order of `inputs`; many threads may."""
        shapes = tuple(array.shape for array in arrays)
        with self.lock:
            requests = self.requests.get(shapes)
            if requests is None:
                requests = self.requests[shapes] = _Requests(functools.partial(self._compile, shapes), self.places)
        with requests.taken() as request:
            return request.run(arrays)

    def _compile(self, shapes: Shapes) -> Any:
        with self.lock:
            model = self.model.clone()
        model.reshape({i: list(shape) for i, shape in enumerate(shapes)})
        return _core().compile_model(model, self.device, dict(self.settings))


@dataclass(frozen=True, slots=True)
class OpenVinoSession:
    """See `sightline.engines.Session`. Pickles as its path and is opened again by the process that reads it."""

    spec: Spec
    graphs: Mapping[Role, _Graph]
    reopen: Callable[[], OpenVinoSession]

    @property
    def roles(self) -> frozenset[Role]:
        """The graphs that are there."""
        return frozenset(self.graphs)

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """Run one graph on a batch; only what the graph reads is taken from `arrays`."""
        graph = self.graphs[role]
        try:
            outputs = graph.run([arrays[name] for name in graph.inputs])
        except KeyError as error:
            raise EngineError(f"{self.spec.name} reads {error} in its {role} graph, which was not given.") from error
        except RuntimeError as error:
            raise EngineError(f"OpenVINO refuses {self.spec.name} ({role}): {_told(error)}") from error
        return dict(zip(graph.outputs, outputs, strict=True))

    def __reduce__(self) -> tuple[Callable[[], OpenVinoSession], tuple[()]]:
        return self.reopen, ()


def open_session(
    path: Path, *, threads: int | None = None, device: str = "cpu", spec: Spec | None = None, precision: Precision = "f32"
) -> OpenVinoSession:
    """Open an ONNX file that Sightline exported; see `sightline.engines.open_session`."""
    check_kind(path, "openvino")
    found = spec_of(path, spec_text(path), spec)
    main = _open(path, threads, device.upper(), precision)
    role = role_of(main.outputs)
    graphs: dict[Role, _Graph] = {role: main}
    beside = init_of(path, main.inputs, role)
    if beside is not None:
        is_read_once = found.memory == Memory()
        graphs["init"] = _open(beside, threads, device.upper(), "f32" if is_read_once else precision)
    again = functools.partial(open_session, path, threads=threads, device=device, spec=spec, precision=precision)
    return OpenVinoSession(found, graphs, again)


@functools.cache
def _core() -> openvino.Core:
    """OpenVINO's library of plugins, one for the process and never given back.

    Its CPU plugin gives the thread that loads it a stack for signal handlers, and frees that stack with the last network: if another thread
    lets go of that one, the next signal that Python handles (Ctrl-C, a child that ends) is handled on freed memory, and ends the process.
    """
    return openvino.Core()


def _open(path: Path, threads: int | None, device: str, precision: Precision) -> _Graph:
    core = _core()
    if device not in core.available_devices:
        raise EngineError(f"OpenVINO has no device {device} here; it has {', '.join(core.available_devices)}; leave the device at cpu.")
    if precision == "bf16" and "BF16" not in core.get_property(device, "OPTIMIZATION_CAPABILITIES"):
        raise EngineError(f"this {device} does not compute in bf16; leave the precision at f32.")
    try:
        model = core.read_model(path)
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot open {path} ({_told(error)}); export it again.") from error
    return _Graph(
        model,
        settings_for(precision, threads, device),
        device,
        [entry.any_name for entry in model.inputs],
        [entry.any_name for entry in model.outputs],
        1 if threads is None else max(1, num_cores() // threads),
    )


def settings_for(precision: Precision, threads: int | None, device: str = "CPU") -> dict[str, Any]:
    """What a graph is compiled with for one caller (see the top of this file); `precision` is f32 or bf16, whatever is int8 in the graph."""
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": 1}
    if device != "CPU":
        return settings  # what follows is of the processor, and refused by others
    number = call_threads(threads)
    return settings | {"ENABLE_CPU_PINNING": False} | ({} if number is None else {"INFERENCE_NUM_THREADS": number})


def _told(error: Exception) -> str:
    """The line of OpenVINO's message that says what is wrong: those before it name its own source files, or what it has checked."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from")]
    plain = [line for line in lines if not line.startswith("Check ")]
    return (plain or lines or [type(error).__name__])[-1]
