"""A target that its score calls lost is looked for where it would be by now: what was found there instead is reported, and not followed.

Otherwise a box slides along whatever covers the target, and grows with it, until the target comes out from behind beyond the search
region, or in another size than the template's. The place moves on as the target did, ever slower; the size is that of the frame that was
surest, for a size goes wrong before a score says so. Scores are wrong, too, so this ends: after some frames, or when the target could have
gone too far at its speed, what is found is followed again. To look farther, as DaSiamRPN does (Zhu et al., ECCV 2018, section 3.4), was
measured to lose more than it finds: recipes/LOG.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from sightline.box import Box
from sightline.spec import Hold

__all__ = ["Known", "held", "seen"]

RECENT = 0.8  # share of what was known in a mean of motions: about five frames


class Known(NamedTuple):
    """What is remembered of a target for the time when it is lost.

    Attributes:
        box: of the frame with the best score.
        score: of that frame, faded since.
        step: how far it goes in a frame, across and down in pixels: a mean over the last frames in which it was seen.
        speed: the mean length of such steps, in sizes sqrt(w h) of the target.
        lost: frames in a row in which it was held.
    """

    box: Box
    score: float
    step: tuple[float, float] = (0.0, 0.0)
    speed: float = 0.0
    lost: int = 0


def seen(rule: Hold | None, before: Known, place: Box, box: Box, score: float) -> Known:
    """What is known after a frame of `score` in which the target was not lost, and went from `place` to `box`; nothing new without a rule."""
    if rule is None:
        return before
    faded = before.score * rule.fade
    best, known = (box, score) if score >= faded else (before.box, faded)
    (old_x, old_y), (x, y) = place.centre, box.centre
    across, down = x - old_x, y - old_y
    step = RECENT * before.step[0] + (1 - RECENT) * across, RECENT * before.step[1] + (1 - RECENT) * down
    speed = RECENT * before.speed + (1 - RECENT) * math.hypot(across, down) / math.sqrt(max(1.0, place.w * place.h))
    return Known(best, known, step, speed)


def held(rule: Hold | None, place: Box, known: Known) -> tuple[Box, Known] | None:
    """What a lost target is looked for around next, and what is known then; None where it is no longer waited for.

    Args:
        rule: None waits for nothing.
        place: the box that it was looked for around.
        known: of it.
    """
    lost = known.lost + 1
    if rule is None or lost > rule.longest or lost * known.speed > rule.reach:
        return None
    slowed = rule.slow**lost
    (cx, cy), (_, _, w, h) = place.centre, known.box
    cx, cy = cx + slowed * known.step[0], cy + slowed * known.step[1]
    return Box(cx - 0.5 * w, cy - 0.5 * h, w, h), known._replace(lost=lost)
