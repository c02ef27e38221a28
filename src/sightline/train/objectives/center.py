"""Losses of a centre head: where the centre is, in every cell, and the box that the best cell says. Ye et al., ECCV 2022, section 3.3."""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.models.layers.heads import CenterMaps
from sightline.train.losses import focal_loss, giou_loss, l1_loss
from sightline.train.objectives.heard import Heard, Parts
from sightline.train.targets import heatmap_target

__all__ = ["best_boxes", "center"]


def center(given: Heard) -> Parts:
    """`focal` of the map everywhere, empty where the target is absent; `giou` and `l1` of the best cell's box where it is present."""
    maps = CenterMaps(*(part.float() for part in given.heard["head"]))
    corners = xyxy_from_cxcywh(given.box)
    target = heatmap_target(torch.cat([corners[:, :2], given.box[:, 2:]], dim=1), maps.score.shape[-1]) * given.present.reshape(-1, 1, 1)
    found = xyxy_from_cxcywh(best_boxes(maps))[given.present]
    if not len(found):
        return {"focal": focal_loss(maps.score, target)}
    truth = corners[given.present]
    return {"focal": focal_loss(maps.score, target), "giou": giou_loss(found, truth), "l1": l1_loss(found, truth)}


def best_boxes(maps: CenterMaps) -> Tensor:
    """Boxes (B, 4), cx, cy, w, h, read at the largest score, without any window; gradients reach size and offset there."""
    grid = maps.score.shape[-1]
    best = maps.score.detach().flatten(1).argmax(dim=1, keepdim=True)
    at = best.unsqueeze(1).expand(-1, 2, -1)
    size, offset = (part.flatten(2).gather(2, at).squeeze(2) for part in (maps.size, maps.offset))
    cell = torch.cat([best % grid, torch.div(best, grid, rounding_mode="floor")], dim=1)
    return torch.cat([(cell + offset) / grid, size], dim=1)
