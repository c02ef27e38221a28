"""The made-up tracks of golden/metrics, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Meta: TypeAlias = Mapping[str, Any]
Inputs: TypeAlias = Mapping[str, Array]
Outputs: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Tracks:
    """The arrays of trajectories.npz."""

    arrays: Mapping[str, Array]

    @property
    def clips(self) -> list[str]:
        return [str(name) for name in self.arrays["sequences"]]

    @property
    def trackers(self) -> list[str]:
        return [str(name) for name in self.arrays["trackers"]]

    def of(self, clip: str, name: str) -> Array:
        return self.arrays[f"{clip}/{name}"]

    def size(self, clip: str) -> tuple[int, int]:
        width, height = self.of(clip, "size")
        return int(width), int(height)

    def visible(self, clip: str) -> Array:
        return np.asarray(self.of(clip, "absent") == 0)
