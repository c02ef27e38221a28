"""Losses of networks in which every search token says a class and a box: TransT (Chen et al., CVPR 2021) and HCAT.

B batch, G x G the grid of search tokens, in 0..1 of the search crop where they are boxes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.train.losses import giou

__all__ = ["target_cells", "token_losses"]


def target_cells(boxes_xyxy: Tensor, grid: int) -> Tensor:
    """Which cells lie in a box inside the crop, at least one: (B, G, G) bool, rows first, for boxes (B, 4) in 0..1.

    As published, cells before the first are counted from the end, as a slice does: a box that reaches over the left or the upper edge by
    a cell or more mostly has none.

    Source: golden/components/transt_loss.
    """
    edges = torch.ceil(boxes_xyxy * grid).long()
    low, high = edges[:, :2], edges[:, 2:]
    high = torch.maximum(high, low + 1)
    low, high = (torch.where(edge < 0, edge + grid, edge) for edge in (low, high))
    cells = torch.arange(grid, device=boxes_xyxy.device)
    across, down = ((cells >= low[:, i : i + 1]) & (cells < high[:, i : i + 1]) for i in (0, 1))
    inside: Tensor = down.unsqueeze(2) & across.unsqueeze(1)
    return inside


def token_losses(logits: Tensor, boxes: Tensor, targets: Tensor, *, background: float = 1 / 16) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy of all tokens, L1 and GIoU of those on the target.

    Args:
        logits: (B, G * G, 2), the first for a token on the target.
        boxes: (B, G * G, 4) as cx, cy, w, h.
        targets: (B, 4) likewise.
        background: weight of a token that is not on the target.

    Returns:
        Three scalars: the weighted mean of the cross-entropy; the sums of absolute differences and of 1 - GIoU over tokens on the
        target, divided by their number.
    """
    wanted_xyxy = xyxy_from_cxcywh(targets)
    on_target = target_cells(wanted_xyxy, round(logits.shape[1] ** 0.5)).flatten(1)
    weights = logits.new_tensor([1.0, background])
    entropy = functional.cross_entropy(logits.transpose(1, 2), (~on_target).long(), weights)
    batch, cell = on_target.nonzero(as_tuple=True)
    said = boxes[batch, cell]
    overlap, _ = giou(xyxy_from_cxcywh(said), wanted_xyxy[batch])
    num = max(1, len(batch))
    return entropy, (said - targets[batch]).abs().sum() / num, (1 - overlap).sum() / num
