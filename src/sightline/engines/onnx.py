"""The onnxruntime engine: `name.onnx`, and `name.init.onnx` beside it where the template is read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime

from sightline.engines import Array, Precision, Role
from sightline.engines.cores import call_threads
from sightline.engines.exported import check_kind, init_of, role_of, spec_of
from sightline.errors import EngineError, first_line
from sightline.spec import Spec
from sightline.weights import SPEC_KEY

__all__ = ["OnnxSession", "open_graph", "open_session", "options_for"]

SLOW_FUSIONS = ["SkipLayerNormFusion"]  # its pass over a sum and the norm of it takes longer than one pass for each
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}  # of devices, by the word before their number


@dataclass(frozen=True, slots=True)
class OnnxSession:
    """See `sightline.engines.Session`. Pickles as its path and is opened again by the process that reads it."""

    spec: Spec
    graphs: Mapping[Role, onnxruntime.InferenceSession]
    reopen: Callable[[], OnnxSession]

    @property
    def roles(self) -> frozenset[Role]:
        """The graphs that are there."""
        return frozenset(self.graphs)

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """Run one graph on a batch; only what the graph reads is taken from `arrays`."""
        graph = self.graphs[role]
        names = [output.name for output in graph.get_outputs()]
        try:
            outputs = graph.run(names, {entry.name: arrays[entry.name] for entry in graph.get_inputs()})
        except KeyError as error:
            raise EngineError(f"{self.spec.name} reads {error} in its {role} graph, which was not given.") from error
        except Exception as error:  # onnxruntime's own classes share no base but Exception
            raise EngineError(f"onnxruntime refuses {self.spec.name} ({role}): {first_line(error)}") from error
        return dict(zip(names, outputs, strict=True))

    def __reduce__(self) -> tuple[Callable[[], OnnxSession], tuple[()]]:
        return self.reopen, ()


def open_session(
    path: Path,
    *,
    threads: int | None = None,
    device: str = "cpu",
    spec: Spec | None = None,
    precision: Precision = "f32",  # noqa: ARG001  # all engines are opened alike
) -> OnnxSession:
    """Open an ONNX file that Sightline exported; see `sightline.engines.open_session`."""
    check_kind(path, "onnxruntime")
    main = open_graph(path, threads=threads, device=device)
    found = spec_of(path, main.get_modelmeta().custom_metadata_map.get(SPEC_KEY), spec)
    role = role_of(entry.name for entry in main.get_outputs())
    graphs: dict[Role, onnxruntime.InferenceSession] = {role: main}
    beside = init_of(path, {entry.name for entry in main.get_inputs()}, role)
    if beside is not None:
        graphs["init"] = open_graph(beside, threads=threads, device=device)
    return OnnxSession(found, graphs, partial(open_session, path, threads=threads, device=device, spec=spec))


def open_graph(path: Path, *, threads: int | None, device: str = "cpu", profile: Path | None = None) -> onnxruntime.InferenceSession:
    """One graph of a network, with the settings that all are opened with.

    Args:
        path: ONNX.
        threads: of one call; None for one on each physical core that this process may use.
        device: "cpu", "cuda" or "cuda:1".
        profile: how the name of its profile begins, which `end_profiling` writes; None for none.

    Raises:
        EngineError: the device cannot be used, or the file cannot be opened.
    """
    provider, where = _provider(device)
    options = options_for(threads)
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    try:
        session = onnxruntime.InferenceSession(
            path, options, providers=[provider], provider_options=[where], disabled_optimizers=SLOW_FUSIONS
        )
    except Exception as error:  # onnxruntime's own classes share no base but Exception
        raise EngineError(f"onnxruntime cannot open {path} ({first_line(error)}); export it again.") from error
    if provider not in session.get_providers():  # it goes on with the processor, and only logs that
        raise EngineError(
            f"onnxruntime cannot use the device {device!r} here: a library that its provider needs is missing; leave the device at cpu."
        )
    return session


def _provider(device: str) -> tuple[str, dict[str, str]]:
    """What runs a graph on a device, "cuda" or "cuda:1", and its options."""
    kind, colon, number = device.partition(":")
    provider, available = PROVIDERS.get(kind, ""), onnxruntime.get_available_providers()
    if provider not in available or (colon and not (kind == "cuda" and number.isdecimal())):
        raise EngineError(
            f"onnxruntime has no provider for device {device!r} here, it has {', '.join(available)}; leave the device at cpu, or give the weights as "
            "they were trained (.safetensors) to the engine torch."
        )
    return provider, {"device_id": number} if number else {}


def options_for(threads: int | None) -> onnxruntime.SessionOptions:
    """What a graph is opened with; None for a thread on each physical core that this process may use."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = call_threads(threads) or 0  # 0: one per physical core
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors alone: its warnings are about graphs, and nothing that a user can mend
    # Between calls its threads would spin, on cores that decode the next frame and encode the last (docs/how-to/speed.md).
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options
