"""What a wrong answer costs. Boxes are in 0..1 of the search crop; every function returns a scalar."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["focal_loss", "giou", "giou_loss", "l1_loss"]


def focal_loss(score: Tensor, target: Tensor, *, alpha: float = 2.0, beta: float = 4.0) -> Tensor:
    """Penalty-reduced focal loss of a map of centres.

    Args:
        score: (B, 1, G, G) or (B, G, G), probabilities.
        target: same number of cells, 1 at a centre, falling off around it, 0 far away.
        alpha: weight of hard cells.
        beta: how quickly cells near a centre count as background.

    Returns:
        The sum over all cells, divided by the number of cells that are 1 (where there is any).

    Source: Law and Deng, ECCV 2018, equation 1; golden/components/losses_ostrack.
    """
    score, target = score.reshape(target.shape), target.to(score.dtype)
    is_centre = target == 1
    likely = torch.log(score.clamp(min=1e-12)) * (1 - score) ** alpha
    unlikely = torch.log((1 - score).clamp(min=1e-12)) * score**alpha * (1 - target) ** beta
    total = -torch.where(is_centre, likely, unlikely).sum()
    return total / is_centre.sum().clamp(min=1)


def giou(boxes_xyxy: Tensor, targets_xyxy: Tensor) -> tuple[Tensor, Tensor]:
    """Generalised and plain overlap (N,) of pairs of boxes (N, 4); NaN for a pair without area. Rezatofighi et al., CVPR 2019."""

    def area(low: Tensor, high: Tensor) -> Tensor:
        return (high - low).clamp(min=0).prod(dim=-1)

    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    target_low, target_high = targets_xyxy[..., :2], targets_xyxy[..., 2:]
    common = area(torch.maximum(low, target_low), torch.minimum(high, target_high))
    union = area(low, high) + area(target_low, target_high) - common
    hull = area(torch.minimum(low, target_low), torch.maximum(high, target_high))
    overlap = common / union
    return overlap - (hull - union) / hull, overlap


def giou_loss(boxes_xyxy: Tensor, targets_xyxy: Tensor) -> Tensor:
    """Mean of 1 - GIoU over boxes (N, 4); targets are cut off at the crop."""
    return (1 - giou(boxes_xyxy, targets_xyxy.clamp(0, 1))[0]).mean()


def l1_loss(boxes_xyxy: Tensor, targets_xyxy: Tensor) -> Tensor:
    """Mean absolute difference of the four corner coordinates; targets are cut off at the crop."""
    return (boxes_xyxy - targets_xyxy.clamp(0, 1)).abs().mean()
