"""What a network should answer: the heat map of where the target's centre is."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["gaussian_radius", "heatmap_target"]

MIN_OVERLAP = 0.7


def gaussian_radius(width: Tensor, height: Tensor, min_overlap: float = MIN_OVERLAP) -> Tensor:
    """How many cells a corner may be off and leave a box of this size (in cells) with `min_overlap`; floats, not rounded.

    Source: Law and Deng, ECCV 2018 (CornerNet), as its released code computes it.
    """
    total, area = width + height, width * height
    equations = (
        (1.0, total, area * (1 - min_overlap) / (1 + min_overlap)),
        (4.0, 2 * total, area * (1 - min_overlap)),
        (4.0 * min_overlap, -2 * min_overlap * total, area * (min_overlap - 1)),
    )
    # as published: every root is divided by 2, whatever its leading coefficient
    roots = [(b + torch.sqrt(b**2 - 4 * a * c)) / 2 for a, b, c in equations]
    return torch.stack(roots).amin(dim=0)


def heatmap_target(boxes: Tensor, grid: int) -> Tensor:
    """A Gaussian around the cell that holds each box's centre, exactly 1 in that cell.

    Args:
        boxes: (B, 4) x, y, w, h in 0..1 of the search crop. A box without area makes a single 1 at its centre.
        grid: cells along each side.

    Returns:
        (B, grid, grid) float32 in 0..1. No cell is 1 where the centre is rounded to a cell outside.

    Source: golden/components/heatmap_target.
    """
    column, row = torch.round((boxes[:, :2] + boxes[:, 2:] / 2) * grid).unbind(dim=1)
    width, height = (boxes[:, 2:].double() * grid).unbind(dim=1)
    radius = torch.trunc(gaussian_radius(width, height).clamp(min=0))
    sigma = (2 * radius + 1) / 6
    cells = torch.arange(grid, device=boxes.device, dtype=torch.float64)
    across, down = cells - column.unsqueeze(1), cells - row.unsqueeze(1)  # (B, grid)
    distance = down.unsqueeze(2) ** 2 + across.unsqueeze(1) ** 2
    value = torch.exp(-distance / (2 * sigma**2).reshape(-1, 1, 1))
    reach = radius.reshape(-1, 1, 1)
    inside = (down.unsqueeze(2).abs() <= reach) & (across.unsqueeze(1).abs() <= reach)
    return torch.where(inside, value, 0.0).float()
