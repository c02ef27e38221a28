"""Losses of one box for each search crop, and of the score that says whether it can be trusted.

Corner heads, perceptrons and side tokens: `step` itself is differentiable up to the box. Yan et al., ICCV 2021 (STARK).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.train.losses import giou
from sightline.train.objectives.heard import Heard, Parts, corners_of, mean_of

__all__ = ["box", "ciou_loss", "found", "score", "siou_loss"]

TINY = 1e-7


def box(given: Heard) -> Parts:
    """`giou`, `ciou` and `l1` of the box, of those that are there."""
    truth = corners_of(given.box)[given.present]
    said = given.said["box"].float()[given.present]
    corners = xyxy_from_cxcywh(said)
    return {
        "giou": mean_of(1 - _safe_giou(corners, truth)),
        "ciou": ciou_loss(corners, truth),
        "l1": mean_of((corners - truth).abs()),
    }


def score(given: Heard) -> Parts:
    """`score`: whether the target is in the crop. Networks report a probability."""
    likely = given.said["score"].float().clamp(1e-6, 1 - 1e-6)
    return {"score": functional.binary_cross_entropy(likely, given.present.float())}


def found(given: Heard) -> Parts:
    """`score`: whether the box is right, an overlap of more than half with a target that is there."""
    likely = given.said["score"].float().clamp(1e-6, 1 - 1e-6)
    overlap = giou(xyxy_from_cxcywh(given.said["box"].detach().float()), xyxy_from_cxcywh(given.box))[1]
    return {"score": functional.binary_cross_entropy(likely, ((overlap > 0.5) & given.present).float())}


def _safe_giou(boxes_xyxy: Tensor, targets_xyxy: Tensor) -> Tensor:
    """GIoU where corners may have changed places, as those of a network that has learnt nothing do: these are put in order first."""
    low, high = torch.minimum(boxes_xyxy[:, :2], boxes_xyxy[:, 2:]), torch.maximum(boxes_xyxy[:, :2], boxes_xyxy[:, 2:])
    return giou(torch.cat([low, high + TINY], dim=1), targets_xyxy)[0]


def ciou_loss(boxes_xyxy: Tensor, targets_xyxy: Tensor) -> Tensor:
    """Mean of 1 - CIoU over boxes (N, 4): overlap, distance of the centres, difference of the aspects. Zheng et al., AAAI 2020."""
    overlap, diagonal, away, (w, h), (target_w, target_h) = _parts(boxes_xyxy, targets_xyxy)
    aspect = (4 / math.pi**2) * (torch.atan(target_w / (target_h + TINY)) - torch.atan(w / (h + TINY))) ** 2
    with torch.no_grad():
        weight = aspect / (1 - overlap + aspect + TINY)
    return mean_of(1 - overlap + away.square().sum(dim=1) / (diagonal + TINY) + weight * aspect)


def siou_loss(boxes_xyxy: Tensor, targets_xyxy: Tensor) -> Tensor:
    """Mean of 1 - SIoU over boxes (N, 4): overlap, distance that prefers an axis, difference of the sides. Gevorgyan, arXiv:2205.12740."""
    overlap, _, away, sides, target_sides = _parts(boxes_xyxy, targets_xyxy)
    length = away.square().sum(dim=1).clamp(min=TINY).sqrt()
    sine = (away.abs().amin(dim=1) / length).clamp(max=1 - TINY)
    angle = 1 - 2 * torch.sin(torch.asin(sine) - math.pi / 4) ** 2
    hull = _hull(boxes_xyxy, targets_xyxy).clamp(min=TINY)
    distance = (1 - torch.exp(-(2 - angle).unsqueeze(1) * (away / hull) ** 2)).sum(dim=1)
    pairs = zip(sides, target_sides, strict=True)
    shape = torch.stack([(1 - torch.exp(-(a - b).abs() / (torch.maximum(a, b) + TINY))) ** 4 for a, b in pairs]).sum(dim=0)
    return mean_of(1 - overlap + (distance + shape) / 2)


def _hull(boxes_xyxy: Tensor, targets_xyxy: Tensor) -> Tensor:
    """Width and height (N, 2) of what holds both."""
    return torch.maximum(boxes_xyxy[:, 2:], targets_xyxy[:, 2:]) - torch.minimum(boxes_xyxy[:, :2], targets_xyxy[:, :2])


def _parts(boxes_xyxy: Tensor, targets_xyxy: Tensor) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Overlap, squared diagonal of the hull, way between the centres (N, 2), and the sides of both."""
    (w, h), (target_w, target_h) = ((b[:, 2:] - b[:, :2]).clamp(min=0).unbind(1) for b in (boxes_xyxy, targets_xyxy))
    common = (
        (torch.minimum(boxes_xyxy[:, 2:], targets_xyxy[:, 2:]) - torch.maximum(boxes_xyxy[:, :2], targets_xyxy[:, :2]))
        .clamp(min=0)
        .prod(dim=1)
    )
    overlap = common / (w * h + target_w * target_h - common + TINY)
    away = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:] - targets_xyxy[:, :2] - targets_xyxy[:, 2:]) / 2
    return overlap, _hull(boxes_xyxy, targets_xyxy).square().sum(dim=1), away, (w, h), (target_w, target_h)
