"""Labels and losses of networks whose every cell says a box and foretells how well that box will overlap the target.

B batch, G x G cells. Zhang et al., CVPR 2021 (VarifocalNet), as Lin et al., NeurIPS 2022 (SwinTrack) train; golden/components/swintrack_loss.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.train.losses import giou

__all__ = ["covered_cells", "overlap_losses", "varifocal_loss", "weighted_giou_loss"]


def covered_cells(boxes_xyxy: Tensor, grid: int) -> Tensor:
    """The cells (B, G, G) bool that a box touches, at least one; boxes (B, 4) in 0..1 of the crop."""
    places = (boxes_xyxy.double() * grid).round(decimals=5)  # what floats leave of a whole number counts as that number
    edges = places.floor().clamp(0, grid - 1).unsqueeze(2)  # (B, 4, 1)
    cells = torch.arange(grid, device=boxes_xyxy.device)
    inside = (cells >= edges[:, :2]) & (cells <= edges[:, 2:])  # (B, 2, G): x, y
    return inside[:, 1].unsqueeze(2) & inside[:, 0].unsqueeze(1)


def varifocal_loss(score: Tensor, quality: Tensor, on_target: Tensor, *, alpha: float = 0.75, gamma: float = 2.0) -> Tensor:
    """Cross entropy of the foretold and the true overlap, both (B, G, G) in 0..1.

    A cell `on_target` (B, G, G) bool weighs as much as its true overlap, another one alpha score^gamma. The sum is divided by the number
    of cells on the target.
    """
    weights = torch.where(on_target, quality, alpha * score**gamma)
    total = (weights * functional.binary_cross_entropy(score, quality, reduction="none")).sum()
    return total / on_target.sum().clamp(min=1e-4)


def weighted_giou_loss(boxes_xyxy: Tensor, targets_xyxy: Tensor, weights: Tensor) -> Tensor:
    """Mean of 1 - GIoU over boxes (N, 4), each with its weight (N,)."""
    return ((1 - giou(boxes_xyxy, targets_xyxy)[0]) * weights).sum() / weights.sum().clamp(min=1e-5)


def overlap_losses(score: Tensor, boxes_cxcywh: Tensor, targets_xyxy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both losses of a network's answer, and the overlap that its cells should have foretold.

    Args:
        score: (B, G, G) in 0..1, foretold overlaps.
        boxes_cxcywh: (B, G, G, 4) in 0..1 of the crop, what each cell says.
        targets_xyxy: (B, 4) in 0..1 of the crop, the truth.

    Returns:
        The varifocal loss, the GIoU loss of the cells on the target, and the quality (B, G, G), 0 where a cell is not on it.
    """
    on_target = covered_cells(targets_xyxy, score.shape[1])
    corners = xyxy_from_cxcywh(boxes_cxcywh[on_target])
    truths = targets_xyxy.repeat_interleave(on_target.flatten(1).sum(dim=1), dim=0)
    quality = torch.zeros_like(score)
    quality[on_target] = giou(corners.detach(), truths)[1]
    return varifocal_loss(score, quality, on_target), weighted_giou_loss(corners, truths, score[on_target].detach()), quality
