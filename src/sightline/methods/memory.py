"""What is remembered of a target: when its templates change, and how; which of its past boxes are told.

Pure functions of its state. What decides is data, `Spec.memory` and `Spec.history`.

Each array that a network keeps of a template stands in axis 0 of the state once for each of `Memory.slots`; where there is
one slot only, without that axis. Place 0 is the first frame's and stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sightline.box import Box
from sightline.engines import Array
from sightline.spec import History, Memory

__all__ = ["due", "put", "sampled", "spread"]


def due(memory: Memory, age: int, score: float) -> list[int]:
    """The places whose template is taken anew from the frame that was just tracked.

    Args:
        memory: the rule.
        age: frames tracked so far, this one included.
        score: of this frame; with NaN nothing changes.
    """
    if not score > memory.above:
        return []
    return [place for place, every in enumerate(memory.every, start=1) if age % every == 0]


def spread(arrays: Mapping[str, Array], memory: Memory, *, axis: int = 0) -> dict[str, Array]:
    """The state of a target that has one template: it stands in every slot."""
    if memory.slots == 1:
        return dict(arrays)
    return {name: np.stack([array] * memory.slots, axis=axis) for name, array in arrays.items()}


def put(arrays: Mapping[str, Array], template: Mapping[str, Array], places: Sequence[int]) -> dict[str, Array]:
    """A state (arrays with slots in axis 0) with one template (without that axis) in some places; a new value."""
    changed = dict(arrays)
    for name, array in template.items():
        changed[name] = arrays[name].copy()
        changed[name][list(places)] = array
    return changed


def sampled(boxes: Sequence[Box], history: History) -> list[Box]:
    """The boxes that a network is told, oldest first.

    Args:
        boxes: of the last frames, oldest first; not empty. Before the first of them the target stood still.
        history: how many, and how many frames apart.
    """
    last = len(boxes) - 1
    return [boxes[max(0, last - back * history.every)] for back in reversed(range(history.length))]
