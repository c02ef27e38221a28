"""Boxes as four words, x1, y1, x2, y2, each a place along a side of the search crop or half a side beyond it (ARTrack).

Wei et al., CVPR 2023, section 3.2. With N bins to a side there are 2 N words, from 0 half a side before the crop on.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["BEYOND", "box_at", "places"]

BEYOND = 0.5  # sides of the crop on either side of it


def places(boxes: Tensor, bins: int, size: int) -> Tensor:
    """Where boxes lie on the scale of words; the word is the whole number below.

    Args:
        boxes: (B, K, 4) as cx, cy, w, h in 0..1 of the search crop.
        bins: to a side of it.
        size: of it in pixels.

    Returns:
        (B, 4 K) float32 in 0..2 (N - 1): x1, y1, x2, y2 of every box, one after another.
    """
    half = boxes[..., 2:] / 2
    centre = boxes[..., :2] - 0.5 / size  # as published: the middle of a crop is the pixel (size - 1) / 2
    corners = torch.cat([centre - half, centre + half], dim=2).clamp(-BEYOND, 1 + BEYOND)
    return (corners.flatten(1) + BEYOND) * (bins - 1)


def box_at(corners: Tensor) -> Tensor:
    """(B, 4) x1, y1, x2, y2 in 0..1 of the crop as cx, cy, w, h; w and h are negative where corners have changed places."""
    low, high = corners[:, :2], corners[:, 2:]
    return torch.cat([(low + high) / 2, high - low], dim=1)
