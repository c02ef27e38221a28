"""Boxes in other notations, in torch. Every function maps (..., 4) to (..., 4); names say both notations, as those of `sightline.box`."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["cxcywh_from_xywh", "cxcywh_from_xyxy", "xywh_from_cxcywh", "xyxy_from_cxcywh", "xyxy_from_xywh"]


def xyxy_from_xywh(boxes: Tensor) -> Tensor:
    """Corners x1, y1, x2, y2 of boxes."""
    return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], dim=-1)


def xyxy_from_cxcywh(boxes_cxcywh: Tensor) -> Tensor:
    """Corners of boxes given by centre and size."""
    half = boxes_cxcywh[..., 2:] / 2
    return torch.cat([boxes_cxcywh[..., :2] - half, boxes_cxcywh[..., :2] + half], dim=-1)


def cxcywh_from_xyxy(boxes_xyxy: Tensor) -> Tensor:
    """Centre and size of boxes given by corners; sizes are negative where corners have changed places."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def xywh_from_cxcywh(boxes_cxcywh: Tensor) -> Tensor:
    """Boxes from centre and size."""
    return torch.cat([boxes_cxcywh[..., :2] - boxes_cxcywh[..., 2:] / 2, boxes_cxcywh[..., 2:]], dim=-1)


def cxcywh_from_xywh(boxes: Tensor) -> Tensor:
    """Centre and size of boxes."""
    return torch.cat([boxes[..., :2] + boxes[..., 2:] / 2, boxes[..., 2:]], dim=-1)
