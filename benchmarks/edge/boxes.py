"""What the three recipes share: the two graphs as one session of Sightline, so that its own tracker drives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.engines import Array, Role
from sightline.spec import Spec

__all__ = ["MEMORY", "EdgeSession", "Graphs", "Maps", "decode"]

Floats = NDArray[np.float32]
Maps = tuple[Floats, Floats, Floats]  # score (16, 16), size (2, 16, 16), offset (2, 16, 16)
MEMORY = ("keys0", "values0", "keys1", "values1", "keys2", "values2")  # what template.onnx gives and search.onnx takes, (64, 48) each


class Graphs(Protocol):
    """Both graphs, converted and opened; pixels are (H, W, 3) uint8 RGB."""

    def template(self, pixels: Array) -> list[Floats]:
        """The arrays of `MEMORY`."""
        ...

    def search(self, pixels: Array, memory: Sequence[Floats]) -> Maps:
        """The head's maps."""
        ...


class Recipe(Protocol):
    """One of the modules to_mnn, to_ncnn, to_litert."""

    def convert(self, plain: Path, output: Path) -> None: ...
    def open_graphs(self, output: Path) -> Graphs: ...
    def layers(self, output: Path, pixels: Array, memory: Sequence[Floats]) -> dict[str, float]: ...


def planes(pixels: Array) -> Floats:
    """(H, W, 3) uint8 to (3, H, W) floats 0..255."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)


def decode(maps: Maps) -> tuple[Floats, float]:
    """The box cx, cy, w, h (4,) in 0..1 of the crop at the largest product of score and Hann window, and the largest score.

    As `sightline.models.layers.decode.decode_center`; Ye et al., ECCV 2022, section 3.3.
    """
    score, size, offset = maps
    side = len(score)
    line = 0.5 * (1 - np.cos(2 * np.pi / (side + 1) * np.arange(1, side + 1)))
    row, column = np.unravel_index(np.argmax(score * np.outer(line, line)), score.shape)
    centre = (np.array([column, row]) + offset[:, row, column]) / side
    return np.concatenate([centre, size[:, row, column]]).astype(np.float32), float(score.max())


@dataclass(frozen=True)
class EdgeSession:
    """See `sightline.engines.Session`."""

    spec: Spec
    graphs: Graphs
    roles: frozenset[Role] = frozenset({"init", "step"})

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        """One target after the other: these graphs have no batch."""
        if role == "init":
            memories = [self.graphs.template(pixels) for pixels in arrays["template"]]
            return {name: np.stack(parts) for name, parts in zip(MEMORY, zip(*memories, strict=True), strict=True)}
        said: list[tuple[Any, float]] = [
            decode(self.graphs.search(pixels, [arrays[name][i] for name in MEMORY])) for i, pixels in enumerate(arrays["search"])
        ]
        return {"box": np.stack([box for box, _ in said]), "score": np.array([score for _, score in said], np.float32)}
