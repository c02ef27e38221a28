"""The backbone that LightTrack's search found: inverted residuals with squeeze and excitation. Yan et al., CVPR 2021, arXiv:2104.14545.

Tensors keep the names that the authors' files share: conv_stem, bn1, blocks.{stage}.{i}.{conv_pw,conv_dw,conv_pwl,se,bn1..}.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["MOBILE", "LightNet", "Stages"]

Stages: TypeAlias = tuple[tuple[tuple[int, int], ...], ...]  # kernel and expansion of every block, stage by stage

MOBILE: Stages = (  # of LightTrack-Mobile
    ((7, 4), (7, 6)),
    ((3, 4), (5, 4), (7, 6), (3, 6)),
    ((7, 4), (3, 4), (7, 4), (7, 4)),
    ((7, 6), (5, 4), (3, 6)),
)


def _multiple_of_8(channels: float) -> int:
    """The nearest multiple of 8, but not under nine tenths of what was asked for."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _swish(x: Tensor) -> Tensor:
    """`x * sigmoid(x)`, rounded twice as published: `functional.silu` differs in the last bit, and the scores of E.T.Track show it."""
    return x * torch.sigmoid(x)


class Squeeze(nn.Module):
    """Each channel times a gate that sees the mean of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = _multiple_of_8(0.25 * channels)
        self.conv_reduce = nn.Conv2d(channels, hidden, 1)
        self.conv_expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        gate = self.conv_expand(torch.relu(self.conv_reduce(x.mean(dim=(2, 3), keepdim=True))))
        return x * functional.hardsigmoid(gate)


def _depthwise(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)


class Separable(nn.Module):
    """A convolution of each channel, gates, and a 1x1 convolution; added to what goes in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_dw, self.bn1 = _depthwise(channels, 3, 1), nn.BatchNorm2d(channels)
        self.se = Squeeze(channels)
        self.conv_pw, self.bn2 = nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return x + self.bn2(self.conv_pw(self.se(_swish(self.bn1(self.conv_dw(x))))))


class Inverted(nn.Module):
    """1x1 convolution to more channels, a convolution of each, gates, and back; added where size and channels stay."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        width = _multiple_of_8(channels_in * expansion)
        self.conv_pw, self.bn1 = nn.Conv2d(channels_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv_dw, self.bn2 = _depthwise(width, kernel, stride), nn.BatchNorm2d(width)
        self.se = Squeeze(width)
        self.conv_pwl, self.bn3 = nn.Conv2d(width, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
        self.is_residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h', w')."""
        wide = _swish(self.bn1(self.conv_pw(x)))
        wide = self.se(_swish(self.bn2(self.conv_dw(wide))))
        y: Tensor = self.bn3(self.conv_pwl(wide))
        return x + y if self.is_residual else y


class LightNet(nn.Module):
    """Pixels to maps of the last stage: stride 2 after the stem, and the strides of the stages, which their first blocks have."""

    def __init__(
        self, stages: Stages = MOBILE, widths: tuple[int, ...] = (24, 40, 80, 96), strides: tuple[int, ...] = (2, 2, 2, 1)
    ) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        made, self.channels = [nn.Sequential(Separable(16))], 16
        for shapes, width, stride in zip(stages, widths, strides, strict=True):
            blocks = nn.Sequential()
            for i, (kernel, expansion) in enumerate(shapes):
                blocks.append(Inverted(self.channels, width, kernel, expansion, 1 if i else stride))
                self.channels = width
            made.append(blocks)
        self.blocks = nn.Sequential(*made)
        for module in self.modules():  # He et al., ICCV 2015: torch's own values would make all pictures alike within a few blocks
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))

    def stem(self, pixels: Tensor) -> Tensor:
        """Normalised (B, 3, H, W) to (B, 16, H / 2, W / 2)."""
        return _swish(self.bn1(self.conv_stem(pixels)))

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised (B, 3, H, W) to (B, `channels`, h, w)."""
        return self.blocks(self.stem(pixels))
