"""What is remembered of a target: when its templates change, and how; which of its past boxes are told.

Pure functions of its state. What decides is data, `Spec.memory` and `Spec.history`.

Each array that a network keeps of a template stands in axis 0 of the state once for each of `Memory.slots`; where there is
one slot only, without that axis. Place 0 is the first frame's and stays. With `Memory.samples` the templates of all frames
stay, each apart, and those that are read stand in that axis, the oldest first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.box import Box
from sightline.engines import Array
from sightline.engines.state import apart
from sightline.spec import History, Memory

__all__ = ["banked", "drawn", "due", "filled", "mixed", "put", "qualifies", "sampled", "shown", "spread"]


def due(memory: Memory, age: int) -> list[int]:
    """The places whose template may change now; with samples, a place more in every frame.

    Args:
        memory: the rule.
        age: frames tracked so far, the one just tracked included.
    """
    if memory.samples:
        return [age]
    if memory.turns:
        changes, rest = divmod(age, memory.every[0])
        return [] if rest else [1 + changes % len(memory.every)]
    return [place for place, every in enumerate(memory.every, start=1) if age % every == 0]


def qualifies(memory: Memory, score: float, best: float) -> bool:
    """Whether a frame's template is the one that a change would take.

    Args:
        memory: the rule.
        score: of the frame; NaN never qualifies.
        best: score of the template that a change would take so far.
    """
    return score > memory.above and (memory.keep == "last" or score > best)


def mixed(arrays: Mapping[str, Array], template: Mapping[str, Array], share: float) -> dict[str, Array]:
    """A template's arrays moved by a share towards those of a new one; what else is in `arrays` is left out."""
    return {name: (1 - share) * arrays[name] + share * array for name, array in template.items()}


def filled(memory: Memory, age: int) -> NDArray[np.bool_]:
    """Which places hold a template: (slots,), always the first two."""
    num = 2 + age // memory.every[0] if memory.turns else memory.slots
    return np.arange(memory.slots) < num


def spread(arrays: Mapping[str, Array], memory: Memory, *, axis: int = 0) -> dict[str, Array]:
    """The state of a target that has one template, read by a network: it stands in every slot."""
    template, own = apart(arrays)
    if memory.slots > 1 or memory.samples:
        template = {name: np.stack([array] * memory.slots, axis=axis) for name, array in template.items()}
    return template | own


def put(arrays: Mapping[str, Array], template: Mapping[str, Array], places: Sequence[int]) -> dict[str, Array]:
    """A state (arrays with slots in axis 0) with one template (without that axis) in some places; a new value."""
    changed = dict(arrays)
    for name, array in template.items():
        changed[name] = arrays[name].copy()
        changed[name][list(places)] = array
    return changed


def banked(memory: Memory, bank: Sequence[Mapping[str, Array]], template: Mapping[str, Array]) -> tuple[Mapping[str, Array], ...]:
    """A bank of templates, oldest first, with one more; the oldest goes where there are too many."""
    return (*bank, template)[-memory.bank :]


def drawn(memory: Memory, bank: Sequence[Mapping[str, Array]]) -> list[Mapping[str, Array]]:
    """The templates of a bank, oldest first, for the places behind the first.

    The bank is cut into as many spans of equal length as there are slots; each but the first gives the template that it begins with.

    Source: Kang et al., AAAI 2025, arXiv:2412.11023; golden/mcitrack/t224_track.
    """
    length = len(bank) // memory.slots
    return [bank[place * length] for place in range(1, memory.slots)]


def sampled(boxes: Sequence[Box], history: History) -> list[Box]:
    """The boxes that a network is told, oldest first.

    Args:
        boxes: of the last frames, oldest first; not empty. Before the first of them the target stood still.
        history: how many, and how many frames apart.
    """
    last = len(boxes) - 1
    return [boxes[max(0, last - back * history.every)] for back in reversed(range(history.length))]


def shown(memory: Memory, templates: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Those of the templates of all frames, oldest first, that are read now, in axis 0; nothing without `Memory.samples`.

    All of them, or the first and the middle one of each of `samples` spans of equal length; what is left over at the end waits.

    Source: Zheng et al., AAAI 2024, arXiv:2401.01686; golden/odtrack/baseline_track.
    """
    if not memory.samples:
        return {}
    length = len(templates) // memory.samples
    places = sorted({0, *(i * length + length // 2 for i in range(memory.samples))})
    chosen = [templates[i] for i in places] if len(templates) > memory.samples else templates
    return {name: np.stack([template[name] for template in chosen]) for name in templates[0]}
