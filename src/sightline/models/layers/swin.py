"""Swin: attention inside windows of a grid of tokens, which move by half a window in every second block.

Liu et al., ICCV 2021, arXiv:2103.14030, as SwinTrack uses it (golden/components/swintrack_positions, golden/swintrack).

B batch, G x G grid of tokens, C channels, H heads, w side of a window in tokens, W windows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.vit import Attention, Mlp

__all__ = ["BLOCKED", "Swin", "SwinBlock", "join_windows", "moved_mask", "split_windows", "window_index"]

BLOCKED = -100.0  # what is added to the logit of a pair that may not read one another


def window_index(side: int) -> Tensor:
    """Which row of the table of biases belongs to (query, key) in a window of side x side tokens: (side^2, side^2) int64.

    (dy + side - 1) (2 side - 1) + dx + side - 1, where (dy, dx) leads from the key to the query.
    """
    place = torch.arange(side)
    row, column = place.repeat_interleave(side), place.repeat(side)
    down, across = row.unsqueeze(1) - row, column.unsqueeze(1) - column
    return (down + side - 1) * (2 * side - 1) + across + side - 1


def moved_mask(height: int, width: int, side: int) -> Tensor:
    """Pairs of tokens that meet in a window only because the grid was rolled: (W, side^2, side^2) bool.

    Args:
        height: of the grid, which was filled up to whole windows and rolled by side // 2 to the left and up.
        width: likewise.
        side: of a window.
    """

    def parts(length: int) -> Tensor:  # what comes from the other end, what is split from the last whole window, the rest
        place = torch.arange(length)
        return (place >= length - side).long() + (place >= length - side // 2)

    part = parts(height).unsqueeze(1) * 3 + parts(width)
    windows = split_windows(part.reshape(1, height, width, 1), side).reshape(-1, side * side)
    return windows.unsqueeze(1) != windows.unsqueeze(2)


def split_windows(grid: Tensor, side: int) -> Tensor:
    """(B, h, w, C) to (B W, side^2, C); h and w are whole multiples of the side."""
    _, height, width, channels = grid.shape
    parts = grid.reshape(-1, height // side, side, width // side, side, channels).transpose(2, 3)
    return parts.reshape(-1, side * side, channels)


def join_windows(windows: Tensor, side: int, height: int, width: int) -> Tensor:
    """The inverse of `split_windows`."""
    parts = windows.reshape(-1, height // side, width // side, side, side, windows.shape[-1]).transpose(2, 3)
    return parts.reshape(-1, height, width, windows.shape[-1])


class WindowAttention(Attention):
    """Attention among the tokens of a window, with a learned bias for every distance."""

    index: Tensor

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__(width, heads)
        self.biases = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        self.register_buffer("index", window_index(side), persistent=False)

    def read(self, windows: Tensor, blocked: Tensor | None) -> Tensor:
        """Windows (B W, N, C) to windows; `blocked` (W, N, N) bool, the same for every picture."""
        bias = self.biases[self.index].permute(2, 0, 1)  # (H, N, N)
        if blocked is not None:
            bias = bias + BLOCKED * blocked.unsqueeze(1)  # (W, H, N, N)
            bias = bias.repeat(windows.shape[0] // blocked.shape[0], 1, 1, 1)
        return self.biased(windows, bias)


class SwinBlock(nn.Module):
    """x + attention(norm x) in windows, then x + mlp(norm x). The windows move wherever `moves`, however small the grid."""

    def __init__(self, width: int, heads: int, side: int, *, moves: bool) -> None:
        super().__init__()
        self.side, self.shift = side, side // 2 if moves else 0
        self.norm1 = nn.LayerNorm(width)
        self.attention = WindowAttention(width, heads, side)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, grid: Tensor) -> Tensor:
        """(B, G, G, C) to (B, G, G, C)."""
        grid = grid + self.read(self.norm1(grid))
        return grid + self.mlp(self.norm2(grid))

    def read(self, grid: Tensor) -> Tensor:
        """What every token reads in its window; zeros that fill the grid up to whole windows are read like tokens."""
        height, width = grid.shape[1:3]
        filled = functional.pad(grid, (0, 0, 0, -width % self.side, 0, -height % self.side))
        size = (filled.shape[1], filled.shape[2])
        blocked = None
        if self.shift:
            filled = filled.roll((-self.shift, -self.shift), dims=(1, 2))
            blocked = moved_mask(*size, self.side).to(grid.device)
        windows = self.attention.read(split_windows(filled, self.side), blocked)
        filled = join_windows(windows, self.side, *size)
        if self.shift:
            filled = filled.roll((self.shift, self.shift), dims=(1, 2))
        return filled[:, :height, :width]


class Embed(nn.Module):
    """Pixels (B, 3, 4 G, 4 G) to a grid (B, G, G, C) of normalised tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(3, width, 4, 4)
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        return self.norm(self.project(pixels).permute(0, 2, 3, 1))


class Merge(nn.Module):
    """Every two by two tokens of a grid (B, 2 G, 2 G, C) to one of (B, G, G, 2 C)."""

    def __init__(self, width: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width, eps=eps)
        self.reduce = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, grid: Tensor) -> Tensor:
        """See the class."""
        parts = [grid[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduce(self.norm(torch.cat(parts, dim=3)))


class Stage(nn.Module):
    """A smaller or first grid of tokens, and the blocks on it."""

    def __init__(self, start: nn.Module, width: int, heads: int, depth: int, side: int) -> None:
        super().__init__()
        self.start = start
        self.blocks = nn.ModuleList(SwinBlock(width, heads, side, moves=i % 2 == 1) for i in range(depth))

    def forward(self, grid: Tensor) -> Tensor:
        """Pixels or the grid of the stage before to a grid (B, G, G, C)."""
        grid = self.start(grid)
        for block in self.blocks:
            grid = block(grid)
        return grid


class Swin(nn.Module):
    """Stages of strides 4, 8, 16, ...; the channels double from one to the next."""

    def __init__(self, width: int, depths: tuple[int, ...], heads: tuple[int, ...], side: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for i, (depth, num_heads) in enumerate(zip(depths, heads, strict=True)):
            start = Merge(width * 2 ** (i - 1)) if i else Embed(width)
            self.stages.append(Stage(start, width * 2**i, num_heads, depth, side))
        self.norm = nn.LayerNorm(width * 2 ** (len(depths) - 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised (B, 3, H, H) to tokens (B, G * G, C) of the last stage, row by row."""
        for stage in self.stages:
            pixels = stage(pixels)
        return self.norm(pixels).flatten(1, 2)
