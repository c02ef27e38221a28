"""A target that its score calls lost stays where it is: what was found there instead is reported, and not followed.

Otherwise a box slides along whatever covers the target, and grows with it, until the target comes out from behind beyond the search
region, or in another size than the template's. The place is the last one; the size is that of the frame that was surest, for a size goes
wrong before a score says so. To look farther, as DaSiamRPN does (Zhu et al., ECCV 2018, section 3.4), was measured to lose more than it
finds: recipes/LOG.md.
"""

from __future__ import annotations

from typing import NamedTuple

from sightline.box import Box
from sightline.spec import Hold

__all__ = ["Surest", "held", "surest"]


class Surest(NamedTuple):
    """The box of the frame with the best score, and that score, faded since."""

    box: Box
    score: float


def surest(rule: Hold | None, before: Surest, box: Box, score: float) -> Surest:
    """The surest frame, after one more of `score` in which the target was not lost; the one before it without a rule."""
    if rule is None:
        return before
    faded = before.score * rule.fade
    return Surest(box, score) if score >= faded else Surest(before.box, faded)


def held(place: Box, known: Surest) -> Box:
    """The box that a lost target is looked for around: the centre of where it was looked for, the size of the surest frame."""
    (cx, cy), (_, _, w, h) = place.centre, known.box
    return Box(cx - 0.5 * w, cy - 0.5 * h, w, h)
