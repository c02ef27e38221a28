"""What a tracker says about one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sightline.box import Box
from sightline.mask import Mask
from sightline.region import BentRegion, Region
from sightline.spec import Spec

__all__ = ["Estimate", "Status", "status_of"]

Status: TypeAlias = Literal["tracked", "uncertain", "lost"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where the target is, how sure the tracker is, and where it looked.

    Attributes:
        box: x, y, w, h in frame pixels, always finite.
        score: what `Spec.score` says: a probability in 0..1, a raw response, or NaN for trackers that give none.
        status: "tracked", "uncertain" or "lost", by the two thresholds of the spec.
        region: the part of the frame that was searched.
        mask: which pixels show the target, of trackers that say so.
    """

    box: Box
    score: float
    status: Status
    region: Region | BentRegion
    mask: Mask | None = None


def status_of(score: float, spec: Spec) -> Status:
    """The status that a score means for a tracker; always "tracked" where the spec has no thresholds."""
    if spec.lost_below is not None and score < spec.lost_below:
        return "lost"
    if spec.sure_above is not None and score < spec.sure_above:
        return "uncertain"
    return "tracked"
