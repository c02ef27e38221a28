"""Which pictures of a track make a sample. Rules by name; `None`: this track has no such pictures, draw another one.

All are those of the PyTracking family (STARK: Yan et al., ICCV 2021) where no other source is named. T pictures; `seen` (T,) bool says in
which the target can be seen, `boxed` in which it has a box. Pictures are drawn with replacement; templates come oldest first, as when
tracking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from sightline.train.augment import Generator
from sightline.train.data.track import Bools
from sightline.train.recipe import Growth

__all__ = ["DRAWS", "Drawn", "gap_at"]

WIDER = 5  # frames that a range grows by where nothing is in it
TRIES = 100


class Drawn(NamedTuple):
    """Numbers of pictures."""

    templates: list[int]
    searches: list[int]


class Wanted(NamedTuple):
    """How many pictures, and how far apart at most."""

    templates: int
    searches: int
    gap: int


Draw: TypeAlias = Callable[[Bools, Bools, Wanted, Generator], Drawn | None]


def gap_at(gap: int, growth: Growth | None, epoch: int) -> int:
    """The largest distance in an epoch. Borsuk et al., ECCV 2022 (FEAR)."""
    if growth is None:
        return gap
    return gap + growth.by * max(0, min(epoch, growth.until) - growth.since)


def both(seen: Bools, boxed: Bools, wanted: Wanted, rng: Generator) -> Drawn | None:  # noqa: ARG001  # the signature of a rule
    """Any pictures, in either order."""
    templates, searches = _pick(seen, 0, len(seen), wanted.templates, rng), _pick(seen, 0, len(seen), wanted.searches, rng)
    return Drawn(sorted(templates), sorted(searches)) if templates and searches else None


def causal(seen: Bools, boxed: Bools, wanted: Wanted, rng: Generator) -> Drawn | None:  # noqa: ARG001  # the signature of a rule
    """A base; further templates up to `gap` before it, searches up to `gap` after it; where there are none, from further away."""
    length = len(seen)
    base = _pick(seen, wanted.templates - 1, length - wanted.searches, 1, rng)
    if not base:  # as published, but for short tracks, which have none
        base = _pick(seen, min(1, wanted.templates - 1), length - 1, 1, rng)
    if not base:
        return None
    [b] = base
    for wider in range(0, length + WIDER, WIDER):
        earlier = _pick(seen, b - wanted.gap - wider, b, wanted.templates - 1, rng)
        later = _pick(seen, b + 1, b + wanted.gap + wider, wanted.searches, rng)
        if len(earlier) == wanted.templates - 1 and later:
            return Drawn(sorted([*earlier, b]), sorted(later))
    return None


def interval(seen: Bools, boxed: Bools, wanted: Wanted, rng: Generator) -> Drawn | None:  # noqa: ARG001  # the signature of a rule
    """A base among all; everything else up to `gap` before or after it. Chen et al., CVPR 2021 (TransT)."""
    base = _pick(seen, 0, len(seen), 1, rng)
    if not base:
        return None
    [b] = base
    low, high = b - wanted.gap, b + wanted.gap + 1
    templates = [b, *_pick(seen, low, high, wanted.templates - 1, rng)]
    return Drawn(sorted(templates), sorted(_pick(seen, low, high, wanted.searches, rng)))


def order(seen: Bools, boxed: Bools, wanted: Wanted, rng: Generator) -> Drawn | None:  # noqa: ARG001  # the signature of a rule
    """The template before the search picture, less than `gap` among the pictures in which the target is seen (SiamFC)."""
    places = np.flatnonzero(seen)
    for _ in range(TRIES if len(places) > 1 else 0):
        first, second = np.sort(rng.integers(len(places), size=2))
        if 0 < second - first < wanted.gap:
            return Drawn([int(places[first])] * wanted.templates, [int(places[second])] * wanted.searches)
    return None


def trident(seen: Bools, boxed: Bools, wanted: Wanted, rng: Generator, *, which: Literal["seen", "any", "boxed"]) -> Drawn | None:
    """First template and search anywhere; every further template less than `gap` from the search, on the first one's side."""
    first, search = _pick(seen, 0, len(seen), 1, rng), _pick(seen, 0, len(seen), wanted.searches, rng)
    if not first or not search:
        return None
    [t], s = first, search[0]
    low, high = (s, s + wanted.gap) if t >= s else (s - wanted.gap, s)
    further = {"seen": seen, "any": np.ones_like(seen), "boxed": boxed}[which]
    # a range that ends at the first picture holds nothing: the search picture itself stands in for it
    templates = [_pick(further, low, high, 1, rng) or [s] for _ in range(wanted.templates - 1)]
    return Drawn([t, *(place for [place] in templates)], search)


def _pick(allowed: Bools, low: int, high: int, num: int, rng: Generator) -> list[int]:
    """So many numbers of pictures in low..high - 1 that are allowed, with replacement; none where there is none."""
    low, high = max(low, 0), min(high, len(allowed))
    places = np.flatnonzero(allowed[low:high]) + low if high > low else np.array([], int)
    return [int(place) for place in rng.choice(places, num)] if num > 0 and len(places) else []


DRAWS: Mapping[str, Draw] = {
    "both": both,
    "causal": causal,
    "interval": interval,
    "order": order,
    "trident": partial(trident, which="seen"),
    "trident-pro": partial(trident, which="any"),
    "stark": partial(trident, which="boxed"),
}
