"""Convolutions with batch norm, a norm over channels, and the stems that turn pixels into tokens of stride 16."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ConvNorm", "CrossNorm", "EvenConv", "PointNorm", "Stem", "StemKind", "embed_pair"]

StemKind: TypeAlias = Literal["conv16", "conv2x2", "conv3x3"]


class ConvNorm(nn.Sequential):
    """Convolution without bias, then batch norm; entries `conv` and `norm`."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, padding: int = 0, groups: int = 1) -> None:
        super().__init__()
        self.add_module("conv", nn.Conv2d(channels_in, channels_out, kernel, stride, padding, groups=groups, bias=False))
        self.add_module("norm", nn.BatchNorm2d(channels_out))


class PointNorm(nn.Sequential):
    """1x1 convolution over a line of tokens (B, C, N), then batch norm; entries `conv` and `norm`."""

    def __init__(self, channels_in: int, channels_out: int, *, bias: bool = False) -> None:
        super().__init__()
        self.add_module("conv", nn.Conv1d(channels_in, channels_out, 1, bias=bias))
        self.add_module("norm", nn.BatchNorm1d(channels_out))


class EvenConv(nn.Sequential):
    """3x3 convolution without bias, then a norm by which every map (C, h, w) has the same length: the features that DiMP filters.

    Bhat et al., ICCV 2019, arXiv:1904.07220. `side`: of the filter by which responses are about as large as one value.
    """

    def __init__(self, channels_in: int, channels_out: int, side: int) -> None:
        super().__init__(nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False))
        self.scale = (channels_out * side**2) ** -0.5

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h, w)."""
        x = self[0](maps)
        count = x.shape[1] * x.shape[2] * x.shape[3]
        return x * (self.scale * (count / (x.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-5)).sqrt())


class Stem(nn.Module):
    """Pixels (B, 3 or `channels`, 16 G, 16 G) to tokens (B, G * G, C), row by row.

    conv16   one 16x16 convolution with bias, as in ViT
    conv2x2  four 2x2 convolutions of stride 2 with batch norm, Hardswish between them
    conv3x3  the same with 3x3 kernels and padding 1 (they overlap)
    """

    def __init__(self, width: int, kind: StemKind, *, channels: int = 3) -> None:
        super().__init__()
        if kind == "conv16":
            self.layers = nn.Sequential(nn.Conv2d(channels, width, 16, 16))
            return
        kernel, padding = (2, 0) if kind == "conv2x2" else (3, 1)
        widths = [channels, width // 8, width // 4, width // 2, width]
        layers: list[nn.Module] = []
        for channels_in, channels_out in pairwise(widths):
            layers += [ConvNorm(channels_in, channels_out, kernel, stride=2, padding=padding), nn.Hardswish()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, channels, 16 G, 16 G) float to (B, G * G, C)."""
        return self.layers(pixels).flatten(2).transpose(1, 2)


def embed_pair(stem: Stem, second_stem: Stem | None, first: Tensor, second: Tensor | None) -> Tensor:
    """Tokens (B, G * G, C) of a picture and, where there is one, of a second picture of the same thing.

    Args:
        stem: of the first, or of both pictures' channels where there is a second picture and no stem for it.
        second_stem: of the second picture; its tokens are added to those of the first.
        first: (B, 3, 16 G, 16 G).
        second: likewise.
    """
    if second is None:
        return stem(first)
    if second_stem is None:
        return stem(torch.cat([first, second], dim=1))
    return stem(first) + second_stem(second)


class CrossNorm(nn.Module):
    """Each number over a power of the mean square of its neighbours in channels (what torch calls local response norm).

    Written as a sum of shifted maps: torch's own pools over five axes, which exports badly.

    Args:
        num: neighbours, itself included; an odd number.
        alpha: factor on their mean square.
        beta: power.
        offset: added before it is taken.

    Source: Krizhevsky et al., NeurIPS 2012, section 3.3; alpha as in Caffe and torch.
    """

    def __init__(self, num: int, *, alpha: float, beta: float, offset: float) -> None:
        super().__init__()
        self.num, self.alpha, self.beta, self.offset = num, alpha, beta, offset

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        edge, channels = self.num // 2, x.shape[1]
        squares = functional.pad(x.square(), (0, 0, 0, 0, edge, edge))
        near = squares[:, :channels]
        for i in range(1, self.num):
            near = near + squares[:, i : i + channels]
        return x * (near * (self.alpha / self.num) + self.offset) ** -self.beta
