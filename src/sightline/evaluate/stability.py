"""How steadily boxes follow the truth: not how far off they are, but how much that changes from frame to frame.

Source: Zhang and Wang, "On The Stability of Video Detection and Tracking", arXiv:1611.06467, section 3: deviations of the centre in target
sizes and of scale and shape as ratios, each as a standard deviation over a trajectory; a tracker that is always ten pixels off is stable.
The change between neighbouring frames is ours: it says what a viewer sees as trembling, and slow drift leaves it alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.box import iou

__all__ = ["Stability", "stability", "trembling"]

Floats = NDArray[np.float64]


class Stability(NamedTuple):
    """Of one clip; smaller is steadier, 0 is a box that keeps its place and shape relative to the truth. NaN with fewer than two frames that count.

    Attributes:
        centre: standard deviations of the centre's error across and down, in widths and heights of the target, added.
        shape: standard deviations of the ratios of scale and of width by height to the true ones, added.
        trembling: median change of the centre's error from a frame to the next, in sizes of the target (square root of its area).
        frames: how many counted.
    """

    centre: float
    shape: float
    trembling: float
    frames: int


def stability(boxes: Floats, truth: Floats, *, above: float = 0.5) -> Stability:
    """Stability of one clip.

    Args:
        boxes: (T, 4) predictions.
        truth: (T, 4), NaN where the target is absent.
        above: frames whose overlap is not above it do not count: on another object a box is not unstable but wrong.
    """
    with np.errstate(invalid="ignore"):
        counted = np.isfinite(truth).all(axis=1) & (np.nan_to_num(iou(boxes, truth), nan=0.0) > above)
    if counted.sum() < 2:
        return Stability(np.nan, np.nan, np.nan, int(counted.sum()))
    found, true = boxes[counted], truth[counted]
    off = (found[:, :2] + found[:, 2:] / 2 - true[:, :2] - true[:, 2:] / 2) / true[:, 2:]
    ratio = found[:, 2:] / true[:, 2:]
    scale, aspect = np.sqrt(ratio.prod(axis=1)), ratio[:, 0] / ratio[:, 1]
    return Stability(
        centre=float(off.std(axis=0).sum()),
        shape=float(scale.std() + aspect.std()),
        trembling=trembling(boxes, truth, counted),
        frames=int(counted.sum()),
    )


def trembling(boxes: Floats, truth: Floats, counted: NDArray[np.bool_]) -> float:
    """Median change of the centre's error between neighbouring frames that both count, in sizes of the target; NaN without any."""
    errors = (boxes[:, :2] + boxes[:, 2:] / 2) - (truth[:, :2] + truth[:, 2:] / 2)
    pairs = counted[1:] & counted[:-1]
    if not pairs.any():
        return float("nan")
    sizes = np.sqrt(truth[1:, 2:].prod(axis=1))[pairs]
    return float(np.median(np.linalg.norm((errors[1:] - errors[:-1])[pairs], axis=1) / sizes))
