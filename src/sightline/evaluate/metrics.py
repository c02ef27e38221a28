"""Success and precision of one clip, as `iou > t` over 21 thresholds, continuous boxes, first frame included.

These are the rules of the reference figures for small folders of sequences: intersection over union without +1, limited
to 1; frames whose truth is NaN do not count; the success curve is the share of frames above each threshold, strictly;
its area is the plain mean (so a perfect track has 20/21).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sightline.box import iou

__all__ = ["SUCCESS_THRESHOLDS", "mean_iou", "overlaps", "precision", "success_auc"]

Floats = NDArray[np.float64]

SUCCESS_THRESHOLDS = np.linspace(0.0, 1.0, 21)


def overlaps(boxes: Floats, truth: Floats) -> Floats:
    """Overlap in the frames that count.

    Args:
        boxes: (T, 4) predictions.
        truth: (T, 4), NaN where the target is absent.

    Returns:
        (N,) in 0..1, N <= T. A prediction that is not finite counts as 0.
    """
    counted = np.isfinite(truth).all(axis=1)
    overlap: Floats = np.nan_to_num(iou(boxes[counted], truth[counted]), nan=0.0)
    return overlap


def success_auc(boxes: Floats, truth: Floats) -> float:
    """Area under the success curve of one clip, 0..20/21."""
    return float((overlaps(boxes, truth)[:, np.newaxis] > SUCCESS_THRESHOLDS).mean())


def mean_iou(boxes: Floats, truth: Floats) -> float:
    """Mean overlap of one clip, 0..1."""
    return float(overlaps(boxes, truth).mean())


def precision(boxes: Floats, truth: Floats, *, pixels: float = 20.0) -> float:
    """Share of frames whose centre lies within `pixels` of the true one, 0..1."""
    counted = np.isfinite(truth).all(axis=1)
    centres, true_centres = (rows[counted, :2] + rows[counted, 2:] / 2 for rows in (boxes, truth))
    return float((np.linalg.norm(centres - true_centres, axis=1) <= pixels).mean())
