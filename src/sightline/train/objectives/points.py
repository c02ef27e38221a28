"""Losses of networks in which every cell says whether it is on the target, and how far the target's sides are away.

FEAR, LightTrack, E.T.Track and NanoTrack; they differ in which cells count. B batch, G x G cells, N boxes; pixels of the search crop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sightline.models.layers.siamese import grid_points
from sightline.train.objectives.heard import Heard, Parts, balanced_entropy, mean_of, some

__all__ = ["Cells", "ellipse", "inside", "losses", "near", "points"]

STRIDE = 16


class Cells(NamedTuple):
    """Which cells (B, G, G) bool are on the target, which are not (the rest does not count), and which have to know the box."""

    positive: Tensor
    negative: Tensor
    boxed: Tensor


class Grid(NamedTuple):
    """Where cells are: x (1, 1, G) and y (1, G, 1); and the truth cx, cy, w, h, each (B, 1, 1)."""

    x: Tensor
    y: Tensor
    box: tuple[Tensor, Tensor, Tensor, Tensor]


def ellipse(grid: Grid) -> Cells:
    """NanoTrack: in an ellipse of a quarter of the sides as semi-axes; not in one of half of them. At most 16 and 48, at random."""
    cx, cy, w, h = grid.box
    inner = ((grid.x - cx) / (w / 4)) ** 2 + ((grid.y - cy) / (h / 4)) ** 2 < 1
    outer = ((grid.x - cx) / (w / 2)) ** 2 + ((grid.y - cy) / (h / 2)) ** 2 > 1
    positive = some(inner, 16)
    return Cells(positive, some(outer, 48), positive)


def inside(grid: Grid) -> Cells:
    """FEAR: strictly in the box; every other cell is not on the target. Cells at most two steps from the middle one know the box."""
    cx, cy, w, h = grid.box
    positive = ((grid.x - cx).abs() < w / 2) & ((grid.y - cy).abs() < h / 2)
    return Cells(positive, ~positive, _steps(grid) <= 2)


def near(grid: Grid) -> Cells:
    """LightTrack: at most one cell from the middle one; every other cell is not on the target."""
    positive = _steps(grid) <= 1
    return Cells(positive, ~positive, positive)


def _steps(grid: Grid) -> Tensor:
    """How many steps along both axes every cell (B, G, G) is away from the one nearest to the target's centre."""
    cx, cy, _, _ = grid.box
    column, row = (grid.x - cx).abs().argmin(dim=2, keepdim=True), (grid.y - cy).abs().argmin(dim=1, keepdim=True)
    side = torch.arange(grid.x.shape[2], device=cx.device)
    return (side.reshape(1, 1, -1) - column).abs() + (side.reshape(1, -1, 1) - row).abs()


def points(part: str, rule: Callable[[Grid], Cells], *, logarithm: bool) -> Callable[[Heard], Parts]:
    """Losses by a rule: `score`, and `overlap`: (I + 1) / (U + 1) of the boxes in pixels, from 1 or as its negative logarithm.

    Args:
        part: which part says logits (B, 1 or 2, G, G), the second for the target, and distances (B, 4, G, G) to the left, upper, right and lower side.
        rule: which cells count.
        logarithm: of the overlap.
    """

    def parts(given: Heard) -> Parts:
        logits, distances = (value.float() for value in given.heard[part])
        logits = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
        score, overlap = losses(logits, distances, given, rule, logarithm=logarithm)
        return {"score": score, "overlap": overlap}

    return parts


def losses(
    logits: Tensor, distances: Tensor, given: Heard, rule: Callable[[Grid], Cells], *, logarithm: bool = False
) -> tuple[Tensor, Tensor]:
    """What cells cost that say logits (B, G, G), and distances (B, 4, G, G) to the sides in pixels of the crop: `score` and `overlap`."""
    at = grid_points(logits.shape[-1], STRIDE, given.size / 2, logits.device)
    cx, cy, w, h = (value.reshape(-1, 1, 1) for value in (given.box * given.size).unbind(1))
    cells = rule(Grid(at.reshape(1, 1, -1), at.reshape(1, -1, 1), (cx, cy, w, h)))
    there = given.present.reshape(-1, 1, 1)
    # what an absent target would cover are the cells that must learn to say no
    gone = torch.where(there, cells.negative, cells.positive | cells.negative)
    truth = _sides(at, cx, cy, w, h)
    chosen = cells.boxed & there & (truth.amin(dim=1) > 0)
    score = balanced_entropy(logits, cells.positive & there, gone)
    return score, _overlap_loss(distances.permute(0, 2, 3, 1)[chosen], truth.permute(0, 2, 3, 1)[chosen], logarithm)


def _sides(at: Tensor, cx: Tensor, cy: Tensor, w: Tensor, h: Tensor) -> Tensor:
    """How far the sides of boxes are from every cell: (B, 4, G, G) left, top, right, bottom; negative outside."""
    x, y = at.reshape(1, 1, -1), at.reshape(1, -1, 1)
    shape = (cx.shape[0], len(at), len(at))
    return torch.stack([side.expand(shape) for side in (x - (cx - w / 2), y - (cy - h / 2), cx + w / 2 - x, cy + h / 2 - y)], dim=1)


def _overlap_loss(said: Tensor, truth: Tensor, logarithm: bool) -> Tensor:
    """Of boxes around the same points, given by the distances (N, 4) of their sides."""
    area, target = ((some[:, 0] + some[:, 2]) * (some[:, 1] + some[:, 3]) for some in (said, truth))
    smaller = torch.minimum(said, truth)
    common = (smaller[:, 0] + smaller[:, 2]).clamp(min=0) * (smaller[:, 1] + smaller[:, 3]).clamp(min=0)
    ratio = (common + 1) / (area + target - common + 1)
    return mean_of(-torch.log(ratio.clamp(min=1e-7)) if logarithm else 1 - ratio)
