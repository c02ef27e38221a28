"""How much two ways to compute one network agree: the overlap of their boxes in the same crops.

Tracks are no test of that: closed tracks of equally good variants agree to 0.9 only, for each follows its own boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sightline.box import iou, xywh_from_cxcywh
from sightline.engines import Array, Session
from sightline.quantize.crops import Looks

__all__ = ["Agreement", "agreement"]

HALF = 0.5


@dataclass(frozen=True, slots=True)
class Agreement:
    """Overlap (IoU) of boxes in the same crops.

    Attributes:
        mean: over all crops.
        worst: the lowest mean over the crops of one sequence.
        worst_sequence: which one.
        elsewhere: share of the crops (0..1) whose boxes overlap by less than half: another place was chosen.
        crops: how many.
        sequences: how many.
    """

    mean: float
    worst: float
    worst_sequence: str
    elsewhere: float
    crops: int
    sequences: int

    def __str__(self) -> str:
        return (
            f"mean IoU {self.mean:.3f}, worst sequence {self.worst:.3f} ({self.worst_sequence}), "
            f"{self.elsewhere:.1%} elsewhere, {self.crops} crops of {self.sequences} sequences"
        )


def agreement(exact: Session, rough: Session, given: Looks) -> Agreement:
    """Compare the boxes of two sessions of one network; a box that is not finite overlaps nothing."""
    means = {name: [_overlap(exact, rough, arrays) for arrays in several] for name, several in given.items() if several}
    every = [value for values in means.values() for value in values]
    worst = min(means, key=lambda name: float(np.mean(means[name])))
    elsewhere = float(np.mean(np.array(every) < HALF))
    return Agreement(float(np.mean(every)), float(np.mean(means[worst])), worst, elsewhere, len(every), len(means))


def _overlap(exact: Session, rough: Session, arrays: Mapping[str, Array]) -> float:
    ours, theirs = (xywh_from_cxcywh(session.run("step", arrays)["box"].astype(np.float64)) for session in (exact, rough))
    return float(np.nan_to_num(iou(ours, theirs)).mean())
