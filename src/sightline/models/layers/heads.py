"""Box heads: a map of centres, a pair of corner maps, or one token through a perceptron.

G x G is the grid of search tokens, C their channels, stride 16 pixels.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["CENTER_KEYS", "CenterHead", "CenterMaps", "to_grid", "tower"]

# names in the authors' files of the whole family -> names here
CENTER_KEYS = (
    ("box_head.conv{}_ctr", "head.score.conv{}"),
    ("box_head.conv{}_size", "head.size.conv{}"),
    ("box_head.conv{}_offset", "head.offset.conv{}"),
)


def to_grid(tokens: Tensor) -> Tensor:
    """Tokens (B, G * G, C), row by row, to a map (B, C, G, G)."""
    batch, num, width = tokens.shape
    side = math.isqrt(num)
    return tokens.transpose(1, 2).reshape(batch, width, side, side)


def tower(channels: int, hidden: int, outputs: int) -> nn.Sequential:
    """Four 3x3 convolutions with batch norm and ReLU, each half as wide as the one before, then 1x1 to `outputs` maps."""
    widths = [channels, hidden, hidden // 2, hidden // 4, hidden // 8]
    layers = nn.Sequential()
    for i, (channels_in, channels_out) in enumerate(pairwise(widths), start=1):
        layers.add_module(f"conv{i}", nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out), nn.ReLU()))
    layers.add_module("conv5", nn.Conv2d(widths[-1], outputs, 1))
    return layers


class CenterMaps(NamedTuple):
    """What a centre head says about every cell.

    score (B, 1, G, G) in 1e-4..1-1e-4; size (B, 2, G, G): w, h as fractions of the crop; offset (B, 2, G, G): x, y in cells.
    """

    score: Tensor
    size: Tensor
    offset: Tensor


class CenterHead(nn.Module):
    """Three towers: is the centre here, how large, how far from the cell's corner. Ye et al., ECCV 2022, section 3.3."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.score = tower(channels, hidden, 1)
        self.size = tower(channels, hidden, 2)
        self.offset = tower(channels, hidden, 2)

    def forward(self, grid: Tensor) -> CenterMaps:
        """Search map (B, C, G, G) to `CenterMaps`."""
        score = torch.clamp(torch.sigmoid(self.score(grid)), 1e-4, 1 - 1e-4)
        size = torch.clamp(torch.sigmoid(self.size(grid)), 1e-4, 1 - 1e-4)
        return CenterMaps(score, size, self.offset(grid))
