"""How well masks follow the truth: region similarity J and boundary measure F of the DAVIS challenge.

Source: Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, CVPR 2016; the
pixels of a boundary as the toolkit of DAVIS 2017 takes them (golden/metrics/davis).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import BadData

__all__ = ["MaskStatistics", "boundary", "boundary_f", "region_j", "statistics"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BOUND = 0.008  # boundaries agree within this part of the image's diagonal


class MaskStatistics(NamedTuple):
    """Mean over frames, share above one half, and how much the first quarter of the frames is better than the last."""

    mean: float
    recall: float
    decay: float


def region_j(predicted: Bools, truth: Bools, void: Bools | None = None) -> float:
    """Intersection over union of two masks (H, W), 1 where both are empty; pixels of `void` count for neither."""
    predicted, truth = without(predicted, void), without(truth, void)
    check_alike(predicted, truth)
    either = int((predicted | truth).sum())
    return int((predicted & truth).sum()) / either if either else 1.0


def boundary_f(predicted: Bools, truth: Bools, void: Bools | None = None) -> float:
    """Harmonic mean of the shares of either boundary that lie near the other, 0..1; masks (H, W), not modified."""
    predicted, truth = without(predicted, void), without(truth, void)
    check_alike(predicted, truth)
    ours, theirs = boundary(predicted), boundary(truth)
    reach = disk(math.ceil(BOUND * math.hypot(*truth.shape)))
    near_ours, near_theirs = (cv2.dilate(edge.astype(np.uint8), reach).astype(bool) for edge in (ours, theirs))
    num_ours, num_theirs = int(ours.sum()), int(theirs.sum())
    if not num_ours or not num_theirs:
        return float(num_ours == num_theirs)
    precision, recall = int((ours & near_theirs).sum()) / num_ours, int((theirs & near_ours).sum()) / num_theirs
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: Bools) -> Bools:
    """Pixels (H, W) that differ from their right, lower or lower-right neighbour; beyond the image the last row and column go on."""
    grown = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    edge: Bools = (mask != grown[:-1, 1:]) | (mask != grown[1:, :-1]) | (mask != grown[1:, 1:])
    edge[-1, -1] = False
    return edge


def disk(radius: int) -> NDArray[np.uint8]:
    """A disk of that radius, (2 radius + 1) pixels wide."""
    along = np.arange(-radius, radius + 1)
    return np.asarray(along[:, np.newaxis] ** 2 + along**2 <= radius**2, dtype=np.uint8)


def statistics(values: Floats) -> MaskStatistics:
    """Of J or F over the frames (T,) of one object. The challenge leaves out its first and last frame before.

    Quarters are four runs of frames with rounded limits; a short clip has quarters of one frame, so decay needs four.
    """
    limits = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    quarters: Sequence[Floats] = [values[begin : end + 1] for begin, end in itertools.pairwise(limits)]
    return MaskStatistics(float(values.mean()), float((values > 0.5).mean()), float(quarters[0].mean() - quarters[3].mean()))


def without(mask: Bools, void: Bools | None) -> Bools:
    """A mask less the pixels that do not count."""
    return mask if void is None else mask & ~void


def check_alike(a: Bools, b: Bools) -> None:
    """Refuse masks of two sizes."""
    if a.shape != b.shape or a.ndim != 2:
        raise BadData(f"masks have shapes {a.shape} and {b.shape}; expected the same (height, width).")
