"""Losses of networks with anchors: SiamRPN, DaSiamRPN, SiamRPN++. Li et al., CVPR 2018, section 3.3.

B batch, A anchors of a cell, G x G cells; pixels from the middle of the search crop.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.models.layers.siamese import grid_points
from sightline.train.losses import giou
from sightline.train.objectives.heard import Heard, Parts, balanced_entropy, some

__all__ = ["anchors"]

STRIDE = 8
ON, OFF = 0.6, 0.3  # overlap from which on an anchor is on the target, and up to which it is not
MOST, MOST_ON = 64, 16  # anchors of a crop that count, and of those on the target; of a crop without it, as many of all


def anchors(given: Heard) -> Parts:
    """`score`: cross entropy; `l1`: of the offsets of anchors on the target, summed over the four and divided by the batch."""
    logits, offsets = (value.float() for value in given.heard["look"])
    side = logits.shape[-1]
    sizes = _of(given.network, "sizes")
    num, batch = len(sizes), len(logits)
    at = _points(given.network)(side, logits.device)
    background, target = logits.reshape(batch, 2, num, side, side).unbind(1)
    boxes = _anchor_boxes(sizes, at)  # (A, G, G, 4)
    truth = torch.cat([given.box[:, :2] - 0.5, given.box[:, 2:]], dim=1) * given.size
    overlap = giou(xyxy_from_cxcywh(boxes).unsqueeze(0), xyxy_from_cxcywh(truth).reshape(-1, 1, 1, 1, 4))[1]
    there = given.present.reshape(-1, 1, 1, 1)
    positive = some((overlap > ON) & there, MOST_ON)
    rest = torch.where(given.present, MOST - positive.flatten(1).sum(dim=1), MOST_ON)
    negative = some(torch.where(there, overlap < OFF, torch.ones_like(overlap, dtype=torch.bool)), rest)
    wanted = _offsets(boxes, truth)  # (B, 4, A, G, G)
    wrong = (offsets.reshape(batch, 4, num, side, side) - wanted).abs().sum(dim=1)
    share = positive / positive.sum().clamp(min=1)
    return {"score": balanced_entropy(target - background, positive, negative), "l1": (wrong * share).sum()}


def _of(network: nn.Module, name: str) -> Tensor:
    tensor = getattr(network, name)
    assert isinstance(tensor, Tensor)
    return tensor


def _points(network: nn.Module) -> Callable[[int, torch.device], Tensor]:
    """Where the cells of one axis stand; a network says so where it is not about the middle."""
    own: Callable[[int, torch.device], Tensor] | None = getattr(network, "points", None)
    return own or (lambda side, device: grid_points(side, STRIDE, 0.0, device))


def _anchor_boxes(sizes: Tensor, at: Tensor) -> Tensor:
    """(A, G, G, 4) as cx, cy, w, h."""
    shape = (len(sizes), len(at), len(at))
    x, y = at.reshape(1, 1, -1).expand(shape), at.reshape(1, -1, 1).expand(shape)
    width, height = (sizes[:, i].reshape(-1, 1, 1).expand(shape) for i in (0, 1))
    return torch.stack([x, y, width, height], dim=3)


def _offsets(boxes: Tensor, truth: Tensor) -> Tensor:
    """What moves anchors (A, G, G, 4) to boxes (B, 4): (B, 4, A, G, G)."""
    cx, cy, w, h = (value.reshape(-1, 1, 1, 1) for value in truth.unbind(1))
    x, y, width, height = boxes.unsqueeze(0).unbind(4)
    return torch.stack([(cx - x) / width, (cy - y) / height, torch.log(w / width), torch.log(h / height)], dim=1)
