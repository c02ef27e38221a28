"""The torch engine: runs a network straight from a safetensors file, for families and parts that do not export."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import nn

from sightline import models
from sightline.engines import Array, Precision, Role
from sightline.errors import EngineError, first_line
from sightline.models.checkpoint import load
from sightline.spec import Spec
from sightline.weights import kind_of, spec_text

__all__ = ["TorchSession", "open_session", "untrained"]


@dataclass(frozen=True, slots=True)
class TorchSession:
    """See `sightline.engines.Session`; also made directly of a network, for tests and training."""

    spec: Spec
    network: nn.Module
    device: str = "cpu"
    path: Path | None = None

    @property
    def roles(self) -> frozenset[Role]:
        """The methods that the network has."""
        return frozenset(role for role in get_args(Role) if hasattr(self.network, role))

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """Run one of the network's methods on a batch; only what that reads is taken from `arrays`."""
        return self.run_as(getattr(self.network, role), role, arrays)

    @torch.inference_mode()
    def run_as(self, call: Callable[..., Any], role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """As `run`, by way of another callable that computes what the method does: a compiled one, say."""
        read = {name: array for name, array in arrays.items() if models.reads(self.network, role, name)}
        with _room(self.device):
            tensors = {name: torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for name, array in read.items()}
            outputs = call(**tensors)
            return {name: output.cpu().numpy() for name, output in outputs.items()}

    def __reduce__(self) -> tuple[Callable[..., TorchSession], tuple[Any, ...]]:
        if self.path is None:
            return TorchSession, (self.spec, self.network, self.device)
        return partial(open_session, self.path, device=self.device, spec=self.spec), ()


def open_session(
    path: Path,
    *,
    threads: int | None = None,
    device: str = "cpu",
    spec: Spec | None = None,
    precision: Precision = "f32",  # noqa: ARG001  # all engines are opened alike
) -> TorchSession:
    """Open a weights file in torch; see `sightline.engines.open_session`."""
    if threads is not None:
        raise EngineError(
            "the torch engine has one thread setting for the whole process: call torch.set_num_threads(N) and leave threads empty."
        )
    if kind_of(path) == "onnx" and spec_text(path) is not None:
        raise EngineError(
            f"the engine torch reads weights as they were trained, and {path.name} is an exported graph: use engine onnxruntime or openvino, "
            "or give the .safetensors file that it was exported from."
        )
    target = _device(device)
    network, found = load(path, spec)
    with _room(device):
        return TorchSession(found, network.to(target), device, path)


def untrained(spec: Spec, *, device: str = "cpu", seed: int = 0) -> TorchSession:
    """A network of `spec` with the random weights of `seed`; torch's own random state is left as it was."""
    target = _device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = models.build(spec)
    return TorchSession(spec, network.to(target), device)


@contextlib.contextmanager
def _room(device: str) -> Iterator[None]:
    """Say in a line that a device has too little memory."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise EngineError(
            f"there is too little memory on the device {device!r}: other programs may hold it; follow fewer targets at once, or leave the device at cpu."
        ) from error


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()  # there and back: of some, nothing can be read
    except (RuntimeError, AssertionError, ImportError) as error:
        told = first_line(error).partition(". ")[0]  # what follows is for those who write operators
        raise EngineError(
            f"torch has no device {name!r} here ({told}); leave the device at cpu, or install a torch that has it."
        ) from error
    return device
