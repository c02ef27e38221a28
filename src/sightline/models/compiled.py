"""The engine torch-compile: the torch engine with a network that `torch.compile` has translated.

It pays where torch has to be taken and many frames follow: the first call of each graph takes as long as some ten thousand frames do, and the
compiler that torch uses for a processor (g++ or clang) has to be there. Sums are taken in another order than in torch: boxes differ by rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sightline.engines import Array, Precision, Role
from sightline.errors import EngineError, first_line
from sightline.models import session
from sightline.models.session import TorchSession
from sightline.spec import Spec

__all__ = ["CompiledSession", "open_session", "untrained"]


@dataclass(frozen=True, slots=True)
class CompiledSession:
    """See `sightline.engines.Session`. A process that unpickles it compiles anew."""

    plain: TorchSession
    calls: Mapping[Role, Callable[..., Any]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        calls = {role: torch.compile(getattr(self.plain.network, role)) for role in self.plain.roles}
        object.__setattr__(self, "calls", calls)

    @property
    def spec(self) -> Spec:
        """What the network is."""
        return self.plain.spec

    @property
    def roles(self) -> frozenset[Role]:
        """The methods that the network has."""
        return self.plain.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """Run one of the network's methods on a batch; the first time it is compiled, and once more where batches have several sizes.

        Raises:
            EngineError: it cannot be compiled here.
        """
        try:
            return self.plain.run_as(self.calls[role], role, arrays)
        except RuntimeError as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            raise EngineError(f"torch cannot compile {self.spec.name} here ({first_line(error)}); use the engine torch.") from error

    def __reduce__(self) -> tuple[Callable[..., CompiledSession], tuple[Any, ...]]:
        return CompiledSession, (self.plain,)


def open_session(
    path: Path, *, threads: int | None = None, device: str = "cpu", spec: Spec | None = None, precision: Precision = "f32"
) -> CompiledSession:
    """Open a weights file; see `sightline.engines.open_session`."""
    return CompiledSession(session.open_session(path, threads=threads, device=device, spec=spec, precision=precision))


def untrained(spec: Spec, *, device: str = "cpu", seed: int = 0) -> CompiledSession:
    """As `sightline.models.session.untrained`."""
    return CompiledSession(session.untrained(spec, device=device, seed=seed))
