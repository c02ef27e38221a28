"""ConvNeXt, cut after a stage. Liu et al., CVPR 2022, arXiv:2201.03545. Tensors keep the names of its authors' files."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ConvNeXt", "MapNorm"]


class Block(nn.Module):
    """A 7x7 convolution of each channel, then a perceptron on every place; scaled and added to what goes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.pwconv2 = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)


class MapNorm(nn.LayerNorm):
    """Layer norm over the channels of maps (B, C, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    """Pixels to maps of the last stage: stride 4 after the first, twice as much after each further one."""

    def __init__(self, depths: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), MapNorm(widths[0]))]
        layers += [nn.Sequential(MapNorm(low), nn.Conv2d(low, high, 2, 2)) for low, high in pairwise(widths)]
        self.downsample_layers = nn.ModuleList(layers)
        stages = (nn.Sequential(*(Block(width) for _ in range(depth))) for depth, width in zip(depths, widths, strict=True))
        self.stages = nn.ModuleList(stages)
        self.channels = widths[-1]

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised (B, 3, H, W) to (B, `channels`, h, w)."""
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            pixels = stage(downsample(pixels))
        return pixels
