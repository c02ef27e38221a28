"""Residual networks as torchvision lays them out, cut after a stage. He et al., CVPR 2016, arXiv:1512.03385.

Tensors keep torchvision's names, which the authors' files share: conv1, bn1, layer{1..}.{i}.{conv,bn}{1..}, downsample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

__all__ = ["Depth", "FrozenNorm", "ResNet"]

Depth: TypeAlias = Literal[18, 34, 50, 101]
Norm: TypeAlias = Callable[[int], nn.Module]
BLOCKS: dict[Depth, tuple[int, int, int, int]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class FrozenNorm(nn.Module):
    """Batch norm that no training changes: its four vectors are buffers, and nothing counts the batches."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale.reshape(1, -1, 1, 1) + shift.reshape(1, -1, 1, 1)


def conv3x3(channels_in: int, channels_out: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """3x3 convolution without bias, padded by its dilation."""
    return nn.Conv2d(channels_in, channels_out, 3, stride, dilation, dilation, bias=False)


class Basic(nn.Module):
    """Two 3x3 convolutions, added to what goes in."""

    expansion = 1

    def __init__(self, channels_in: int, width: int, stride: int, dilation: int, norm: Norm) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(channels_in, width, stride, dilation), norm(width)
        self.conv2, self.bn2 = conv3x3(width, width), norm(width)
        self.relu = nn.ReLU()
        self.downsample = shortcut(channels_in, width, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h', w')."""
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, added to what goes in; the middle one has stride and dilation."""

    expansion = 4

    def __init__(self, channels_in: int, width: int, stride: int, dilation: int, norm: Norm) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels_in, width, 1, bias=False), norm(width)
        self.conv2, self.bn2 = conv3x3(width, width, stride, dilation), norm(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), norm(4 * width)
        self.relu = nn.ReLU()
        self.downsample = shortcut(channels_in, 4 * width, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h', w')."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(y)))))
        return self.relu(y + self.downsample(x))


def shortcut(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    """What is added where a block changes the size or the number of its maps; else they are added as they are."""
    if stride == 1 and channels_in == channels_out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), norm(channels_out))


class ResNet(nn.Module):
    """Pixels to maps of the last stage that is there: stride 4 after the first, twice as much after each further one.

    Args:
        depth: layers of the whole network.
        num_stages: how many of its four stages there are.
        last_stride: of the last stage; None: 2, as published.
        last_dilation: of the first 3x3 convolution in the last stage; the others have none.
        norm: makes the norm behind a convolution, for a number of channels.
    """

    def __init__(
        self, depth: Depth, *, num_stages: int = 3, last_stride: int | None = None, last_dilation: int = 1, norm: Norm = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        block = Basic if depth < 50 else Bottleneck
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), norm(64)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        channels, self.stages = 64, [f"layer{i}" for i in range(1, num_stages + 1)]
        for i, (name, num_blocks) in enumerate(zip(self.stages, BLOCKS[depth], strict=False)):
            width, is_last = 64 * 2**i, i == num_stages - 1
            stride = last_stride if is_last and last_stride is not None else min(i, 1) + 1
            blocks = [block(channels, width, stride, last_dilation if is_last else 1, norm)]
            channels = width * block.expansion
            blocks += [block(channels, width, 1, 1, norm) for _ in range(num_blocks - 1)]
            self.add_module(name, nn.Sequential(*blocks))
        self.channels = channels

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """Normalised (B, 3, H, W) to the maps of every stage, finest first."""
        seen = [self.pool(self.relu(self.bn1(self.conv1(pixels))))]
        for name in self.stages:
            seen.append(self.get_submodule(name)(seen[-1]))
        return seen[1:]

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised (B, 3, H, W) to (B, `channels`, h, w)."""
        return self.maps(pixels)[-1]
