"""State, by the names of a network's outputs: `next.x` is state `x` of the target itself, all others are kept of a template.

Networks whose filter is learned while tracking (`methods.online`) say in `next.flag` what became of the target:

    NORMAL      found; the frame is learned from
    LOST        not found; the box stays, and nothing is learned
    HARD        found beside something that looks like it; the frame is learned from at once
    UNCERTAIN   found, perhaps; the box moves, and nothing is learned
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

__all__ = ["HARD", "LOST", "NORMAL", "UNCERTAIN", "apart"]

V = TypeVar("V")

NEXT = "next."
NORMAL, LOST, HARD, UNCERTAIN = range(4)


def apart(outputs: Mapping[str, V]) -> tuple[dict[str, V], dict[str, V]]:
    """What is kept of a template, and the state of the target itself, both under the names that `step` reads."""
    template = {name: value for name, value in outputs.items() if not name.startswith(NEXT)}
    return template, {name.removeprefix(NEXT): value for name, value in outputs.items() if name.startswith(NEXT)}
