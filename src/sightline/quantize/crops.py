"""What a network is given when it tracks: crops cut by the tracker's own spec, around the true box moved a little.

Crops are asked of the method that tracks, so borders, scales, priors and histories are those of tracking.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from sightline.box import Box
from sightline.engines import Array, Session
from sightline.engines.kept import Kept
from sightline.errors import EngineError
from sightline.methods.network import NetworkMethod
from sightline.quantize.footage import Take

__all__ = ["Looks", "digest", "looks", "moved"]

Looks: TypeAlias = Mapping[str, Sequence[Mapping[str, Array]]]  # by take, all that `step` is given, look by look

CENTRE, SIZE = 0.4, 0.15  # how far the box that is cut around is from the true one, at most, in its own size


def looks(session: Session, takes: Sequence[Take], *, each: int, seed: int = 0) -> Looks:
    """The inputs of `step` for some pictures of every take.

    Args:
        session: opened in f32; it reads the templates, and says what the state is.
        takes: each begins with its first picture as the template.
        each: how many pictures of a take are looked at, evenly from the second to the last.
        seed: of the distance between the true box and the one that is cut around.

    Raises:
        EngineError: the tracker is no network that says a box by itself.
    """
    if "step" not in session.roles or session.spec.method != "network":
        raise EngineError(f"{session.spec.name} learns a filter while it tracks: it is no network that says a box by itself.")
    rng = np.random.default_rng(seed)
    return {take.name: _looks(session, take, each, rng) for take in takes}


def _looks(session: Session, take: Take, each: int, rng: np.random.Generator) -> list[Mapping[str, Array]]:
    kept = Kept(session)
    method = NetworkMethod(kept)
    frame, box = take.shots[0]()
    state = method.begin(frame, Box.checked(box, *frame.size))
    num = len(take.shots) - 1
    for i in sorted({1 + k * num // min(each, num) for k in range(min(each, num))}):
        frame, box = take.shots[i]()
        around = moved(box, rng)
        method.advance([frame], [replace(state, box=around, history=(around,) * len(state.history))])
    return kept.given


def moved(box: Box, rng: np.random.Generator) -> Box:
    """A box not far from another."""
    w, h = (side * math.exp(rng.uniform(-SIZE, SIZE)) for side in (box.w, box.h))
    cx, cy = (middle + side * rng.uniform(-CENTRE, CENTRE) for middle, side in zip(box.centre, (box.w, box.h), strict=True))
    return Box(cx - w / 2, cy - h / 2, w, h)


def digest(given: Looks) -> str:
    """SHA-256 of all that is in them."""
    content = hashlib.sha256()
    for name, several in given.items():
        content.update(name.encode())
        for arrays in several:
            for key in sorted(arrays):
                content.update(key.encode())
                content.update(np.ascontiguousarray(arrays[key]).tobytes())
    return content.hexdigest()
