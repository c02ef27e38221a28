"""What the three recipes share: the two graphs as one session of Sightline, so that its own tracker drives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from forms import Arrays, Floats, Form  # type: ignore[import-not-found]  # the script beside this one

from sightline.engines import Array, Role
from sightline.spec import Spec

__all__ = ["EdgeSession", "Graphs", "planes"]


class Graphs(Protocol):
    """Both graphs, converted and opened; pixels are (H, W, 3) uint8 RGB, other arrays have no axis for a batch."""

    def template(self, pixels: Array) -> Arrays:
        """What `Form.memory` and `Form.kept` name."""
        ...

    def search(self, pixels: Array, memory: Arrays) -> Arrays:
        """What `Form.maps` names, channels first."""
        ...


class Recipe(Protocol):
    """One of the modules to_mnn, to_ncnn, to_litert."""

    def convert(self, plain: Path, output: Path, form: Form) -> None: ...
    def open_graphs(self, output: Path, form: Form) -> Graphs: ...
    def layers(self, output: Path, form: Form, pixels: Array, memory: Arrays) -> dict[str, float]: ...


def planes(pixels: Array) -> Floats:
    """(H, W, 3) uint8 to (3, H, W) floats 0..255."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)


@dataclass(frozen=True)
class EdgeSession:
    """See `sightline.engines.Session`."""

    spec: Spec
    form: Form
    graphs: Graphs
    roles: frozenset[Role] = frozenset({"init", "step"})

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """One target after the other: these graphs have no batch."""
        targets = [{name: array[i] for name, array in arrays.items()} for i in range(len(next(iter(arrays.values()))))]
        said = [(self._begin if role == "init" else self._step)(target) for target in targets]
        return {name: np.stack([each[name] for each in said]) for name in said[0]}

    def _begin(self, given: Mapping[str, Array]) -> dict[str, np.ndarray]:
        known = self.graphs.template(given["template"])
        begun = self.form.begin(known, given.get("target", np.zeros(4, np.float32)))
        return {name: known[name] for name in self.form.memory} | {"begun": begun}

    def _step(self, given: Mapping[str, Array]) -> dict[str, np.ndarray]:
        maps = self.graphs.search(given["search"], {name: given[name] for name in self.form.memory})
        box, score = self.form.box(maps, given["begun"], given.get("prior", np.zeros(4, np.float32)))
        return {"box": box, "score": np.float32(score)}
