"""Trackers without a network: a session that is a function, and frames with a bright square to follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sightline.engines import Array, Role
from sightline.methods.network import NetworkMethod, Target
from sightline.spec import Spec
from sightline.tracker import Tracker
from sightline.zoo import SPECS

SPEC = replace(SPECS["kestrel-nano"], name="fake", lost_below=0.3, sure_above=0.6, hold=None, max_batch=4)


def stay(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
    """The target is in the middle of the search region and as large as before."""
    batch = arrays["search"].shape[0]
    return {"box": np.tile(np.array([0.5, 0.5, 0.25, 0.25], np.float32), (batch, 1)), "score": np.full(batch, 0.9, np.float32)}


@dataclass
class FakeSession:
    """Counts its calls; `step` decides what the network would say."""

    spec: Spec = SPEC
    step: Callable[[Mapping[str, Array]], dict[str, np.ndarray]] = stay
    init: Callable[[Mapping[str, Array]], dict[str, np.ndarray]] | None = None
    calls: list[tuple[Role, int]] = field(default_factory=list)

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset({"init", "step"} if self.init else {"step"})

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        self.calls.append((role, next(iter(arrays.values())).shape[0]))
        function = self.init if role == "init" else self.step
        assert function is not None
        return function(arrays)


def brightest(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
    """The target is the bright blob of the search crop: its bounding box, and its share of full brightness as the score."""
    boxes, scores = [], []
    for crop in arrays["search"]:
        rows, columns = np.nonzero(crop[..., 0] > 128)
        size = crop.shape[0]
        if rows.size == 0:
            boxes.append([0.5, 0.5, 0.25, 0.25])
            scores.append(0.1)
            continue
        x1, x2, y1, y2 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        boxes.append([(x1 + x2) / 2 / size, (y1 + y2) / 2 / size, (x2 - x1) / size, (y2 - y1) / size])
        scores.append(0.95)
    return {"box": np.array(boxes, np.float32), "score": np.array(scores, np.float32)}


def picture(x: float, y: float = 60.0, *, level: int = 255) -> np.ndarray:
    """A grey frame (120, 200, 3) with a bright 20x20 square at x, y."""
    image = np.full((120, 200, 3), 40, np.uint8)
    image[int(y) : int(y) + 20, int(x) : int(x) + 20] = level
    return image


def tracker(session: FakeSession | None = None) -> Tracker[Target]:
    """One that looks for the bright square, or has another session."""
    return Tracker(NetworkMethod(session or FakeSession(step=brightest)))
