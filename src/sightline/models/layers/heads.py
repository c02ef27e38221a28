"""Box heads: a map of centres, a pair of corner maps, or one token through a perceptron.

G x G is the grid of search tokens, C their channels, stride 16 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = [
    "CENTER_BOX_KEYS",
    "CENTER_KEYS",
    "CORNER_KEYS",
    "CenterBoxHead",
    "CenterHead",
    "CenterMaps",
    "CornerHead",
    "CornerLiteHead",
    "CornerMaps",
    "PerceptronHead",
    "bounded",
    "conv_block",
    "expecting_few",
    "to_grid",
    "tower",
]

# names in the authors' files of the whole family -> names here
CENTER_KEYS = (
    ("box_head.conv{}_ctr", "head.score.conv{}"),
    ("box_head.conv{}_size", "head.size.conv{}"),
    ("box_head.conv{}_offset", "head.offset.conv{}"),
)
CENTER_BOX_KEYS = (
    ("box_head.conv{}_ctr", "head.score.conv{}"),
    ("box_head.conv{}_offset", "head.box.conv{}"),
)
CORNER_KEYS = (
    ("box_head.conv{}_tl", "head.top_left.conv{}"),
    ("box_head.conv{}_br", "head.bottom_right.conv{}"),
    *((f"box_head.conv_tower.{i}", f"head.both.conv{i + 1}") for i in range(5)),
)


def to_grid(tokens: Tensor) -> Tensor:
    """Tokens (B, G * G, C), row by row, to a map (B, C, G, G)."""
    batch, num, width = tokens.shape
    side = math.isqrt(num)
    return tokens.transpose(1, 2).reshape(batch, width, side, side).contiguous()


def conv_block(channels_in: int, channels_out: int, norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> nn.Sequential:
    """3x3 convolution with bias, norm, ReLU."""
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, padding=1), norm(channels_out), nn.ReLU())


def tower(
    channels: int,
    hidden: int,
    outputs: int,
    *,
    depth: int = 4,
    last_kernel: int = 1,
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
) -> nn.Sequential:
    """3x3 convolutions with norm and ReLU, each half as wide as the one before, then one to `outputs` maps."""
    widths = [channels, *(hidden // 2**i for i in range(depth))]
    layers = nn.Sequential()
    for i, (channels_in, channels_out) in enumerate(pairwise(widths), start=1):
        layers.add_module(f"conv{i}", conv_block(channels_in, channels_out, norm))
    layers.add_module(f"conv{depth + 1}", nn.Conv2d(widths[-1], outputs, last_kernel, padding=last_kernel // 2))
    return layers


class CenterMaps(NamedTuple):
    """What a centre head says about every cell.

    score (B, 1, G, G) in 1e-4..1-1e-4; size (B, 2, G, G): w, h as fractions of the crop; offset (B, 2, G, G): x, y in cells.
    """

    score: Tensor
    size: Tensor
    offset: Tensor


PRIOR = 0.01


def expecting_few(score: nn.Sequential) -> nn.Sequential:
    """A tower whose untrained answer to everything is about `PRIOR`: one cell of hundreds is the centre.

    Beginning at one half, the loss of all the others drowns that one for hundreds of steps. Lin et al., ICCV 2017 (RetinaNet), section 4.1.
    """
    last = score[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    nn.init.constant_(last.bias, -math.log((1 - PRIOR) / PRIOR))
    return score


def bounded(logits: Tensor) -> Tensor:
    """Sigmoid, kept away from 0 and 1."""
    return torch.clamp(torch.sigmoid(logits), 1e-4, 1 - 1e-4)


class CenterHead(nn.Module):
    """Three towers: is the centre here, how large, how far from the cell's corner. Ye et al., ECCV 2022, section 3.3."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.score = expecting_few(tower(channels, hidden, 1))
        self.size = tower(channels, hidden, 2)
        self.offset = tower(channels, hidden, 2)

    def forward(self, grid: Tensor) -> CenterMaps:
        """Search map (B, C, G, G) to `CenterMaps`."""
        return CenterMaps(bounded(self.score(grid)), bounded(self.size(grid)), self.offset(grid))


class CenterBoxHead(nn.Module):
    """A `CenterHead` with one tower for offset and size."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.score = expecting_few(tower(channels, hidden, 1))
        self.box = tower(channels, hidden, 4)

    def forward(self, grid: Tensor) -> CenterMaps:
        """Search map (B, C, G, G) to `CenterMaps`."""
        box = self.box(grid)
        return CenterMaps(bounded(self.score(grid)), bounded(box[:, 2:]), box[:, :2])


class CornerMaps(NamedTuple):
    """How likely each cell holds a corner of the box: two maps of logits (B, 1, G, G)."""

    top_left: Tensor
    bottom_right: Tensor


class CornerHead(nn.Module):
    """One tower for each corner. Yan et al., ICCV 2021 (STARK), section 3.1."""

    def __init__(self, channels: int, hidden: int, *, norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        self.top_left = tower(channels, hidden, 1, norm=norm)
        self.bottom_right = tower(channels, hidden, 1, norm=norm)

    def forward(self, grid: Tensor) -> CornerMaps:
        """Search map (B, C, G, G) to `CornerMaps`."""
        return CornerMaps(self.top_left(grid), self.bottom_right(grid))


class CornerLiteHead(nn.Module):
    """One tower for both corners; its last convolution is 3x3."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.both = tower(channels, hidden, 2, last_kernel=3)

    def forward(self, grid: Tensor) -> CornerMaps:
        """Search map (B, C, G, G) to `CornerMaps`."""
        maps = self.both(grid)
        return CornerMaps(maps[:, :1], maps[:, 1:])


class PerceptronHead(nn.Module):
    """Linear layers with an activation between them, from a token to four numbers, or another number of them."""

    def __init__(
        self, channels: int, hidden: int, *, depth: int = 3, outputs: int = 4, activation: Callable[[Tensor], Tensor] = torch.relu
    ) -> None:
        super().__init__()
        self.activation = activation
        widths = [channels, *[hidden] * (depth - 1), outputs]
        self.layers = nn.ModuleList(nn.Linear(width_in, width_out) for width_in, width_out in pairwise(widths))

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., C) to (..., `outputs`), any real numbers."""
        for layer in self.layers[:-1]:
            tokens = self.activation(layer(tokens))
        return self.layers[-1](tokens)
