"""Losses of a network that looks at the marked frame first: its cells, the box that it reports then, and whether that can be trusted."""

from __future__ import annotations

import torch

from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.models.layers.siamese import grid_points
from sightline.train.losses import giou
from sightline.train.objectives.boxes import found
from sightline.train.objectives.heard import Heard, Parts, mean_of
from sightline.train.objectives.points import STRIDE, inside, losses

__all__ = ["looks"]


def looks(given: Heard) -> Parts:
    """`cells` and `overlap` of all cells, before what the first look changes; `giou` of the chosen box after it; `score` of presence.

    The box counts where the chosen cell lies in the target: elsewhere it is right to say what is there.
    """
    place, box, _, maps = given.heard["choose"]
    logits, corners = maps.logits.float(), maps.boxes_xyxy.float() * given.size
    grid = logits.shape[-1]
    at = grid_points(grid, STRIDE, given.size / 2, logits.device)
    x, y = at.reshape(1, 1, -1).expand(1, grid, grid), at.reshape(1, -1, 1).expand(1, grid, grid)
    left, top, right, bottom = corners.reshape(-1, 4, grid, grid).unbind(1)
    cells, overlap = losses(logits, torch.stack([x - left, y - top, right - x, bottom - y], dim=1), given, inside)
    truth = xyxy_from_cxcywh(given.box)
    chosen = torch.stack([at[place[:, 0] % grid], at[torch.div(place[:, 0], grid, rounding_mode="floor")]], dim=1) / given.size
    is_in = ((chosen > truth[:, :2]) & (chosen < truth[:, 2:])).all(dim=1) & given.present
    apart = 1 - giou(xyxy_from_cxcywh(box.float())[is_in], truth[is_in])[0]
    return {"cells": cells, "overlap": overlap, "giou": mean_of(apart), **found(given)}
