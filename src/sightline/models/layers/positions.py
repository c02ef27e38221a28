"""Fixed tables of positions."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["sinusoid_table"]


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
