"""Fixed tables of positions."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["grid_sines", "sinusoid_table"]


def sinusoid_table(num: int, width: int) -> Tensor:
    """Positions of `num` tokens counted in one line, behind a row of zeros for a class token.

    Row 1 + p holds in channel j the sine (j even) or cosine (j odd) of p / 10000^(2 floor(j / 2) / width).

    Returns:
        (1 + num, width) float32.

    Source: Vaswani et al., NeurIPS 2017, section 3.5; golden/components/vittrack_positions.
    """
    place = torch.arange(num, dtype=torch.float64).unsqueeze(1)
    channel = torch.arange(width)
    angle = place / 10000 ** (2 * torch.div(channel, 2, rounding_mode="floor").double() / width)
    table = torch.where(channel % 2 == 0, torch.sin(angle), torch.cos(angle))
    return torch.cat([torch.zeros(1, width), table.float()])


def grid_sines(side: int, width: int) -> Tensor:
    """Positions of the cells of a grid, row by row: half of the channels for the column, half for the row.

    Each half holds the sines, then the cosines, of p / 10000^(k / (width / 4)), k = 0 .. width / 4 - 1.

    Returns:
        (1, side * side, width) float32.

    Source: He et al., CVPR 2022 (MAE); golden/mixformerv2, `kept_formula`.
    """
    speed = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angle = torch.arange(side, dtype=torch.float64).unsqueeze(1) * speed  # (side, width / 4)
    line = torch.cat([angle.sin(), angle.cos()], dim=1)  # (side, width / 2)
    column, row = line.unsqueeze(0).expand(side, -1, -1), line.unsqueeze(1).expand(-1, side, -1)
    return torch.cat([column, row], dim=2).reshape(1, side * side, width).float()
