"""HiT: LeViT over search and template tokens, a bridge from its coarse stages back to the fine one, corner head.

Paper   Kang et al., ICCV 2023, arXiv:2308.06904; the backbone is LeViT (Graham et al., ICCV 2021, arXiv:2104.01136)
Facts   docs/trackers/hit.md      Spec  sightline/zoo/hit.py      Golden  golden/hit

Search and template tokens stand in one line, search first. Both pass the whole network in every frame. A stage of side
G has G * G search and G / 2 * G / 2 template tokens: 320, 80 and 20 with G = 16, 8 and 4.

B batch, N tokens, C channels, H heads, D channels of a key; a value has 2 D, or 4 D where tokens become fewer.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import decode_corners, normalize
from sightline.models.layers.heads import CORNER_KEYS, CornerHead, CornerMaps, to_grid
from sightline.zoo.hit import Arch

__all__ = ["KEYS", "UNUSED", "Features", "HiT", "build"]

_LAYERS = (("m.qkv", "branch.qkv"), ("m.proj.1", "branch.out"), ("m.0", "branch.up"), ("m.2", "branch.down"))
_SHRINKING = (("kv", "keys_values"), ("q.1", "queries"), ("proj.1", "out"))
KEYS = (
    ("backbone.body.patch_embed.{}.c", "stem.layers.{}.conv"),
    ("backbone.body.patch_embed.{}.bn", "stem.layers.{}.norm"),
    *((f"backbone.body.blocks.{{}}.{theirs}.c", f"blocks.{{}}.{ours}.linear") for theirs, ours in (*_LAYERS, *_SHRINKING)),
    *((f"backbone.body.blocks.{{}}.{theirs}.bn", f"blocks.{{}}.{ours}.norm") for theirs, ours in (*_LAYERS, *_SHRINKING)),
    ("backbone.body.blocks.{}.m.attention_biases", "blocks.{}.branch.biases"),
    ("backbone.body.blocks.{}.attention_biases", "blocks.{}.biases"),
    ("bottleneck.layers.0", "bridge.coarse"),
    ("bottleneck.layers.1", "bridge.fine"),
    ("bottleneck.proj1", "bridge.tokens"),
    ("bottleneck.proj2", "bridge.mean"),
    *CORNER_KEYS,
)
UNUSED = ("backbone.body.blocks.*attention_bias_idxs",)  # a table that follows from the grid: `offset_table`


def places(side: int) -> NDArray[np.int64]:
    """Row and column (N, 2) of every token: the template stands on the diagonal, outside the search grid's corner."""
    search, template = np.mgrid[:side, :side].reshape(2, -1), np.mgrid[: side // 2, : side // 2].reshape(2, -1) + side
    return np.concatenate([search, template], axis=1).T


def offset_table(queries: NDArray[np.int64], keys: NDArray[np.int64]) -> tuple[Tensor, int]:
    """Which bias belongs to which pair of places: one for each distance (rows, columns), whatever the kinds of the tokens.

    Args:
        queries: (N, 2).
        keys: (M, 2).

    Returns:
        (N, M) int64, distances counted in the order in which they first appear, and how many there are.
    """
    rows, columns = np.abs(queries[:, np.newaxis] - keys).transpose(2, 0, 1)
    distances = rows * (columns.max() + 1) + columns
    found, first, which = np.unique(distances, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return torch.from_numpy(rank[which].reshape(distances.shape)), found.size


class LinearNorm(nn.Module):
    """Linear without bias, then batch norm over all tokens."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels_in, channels_out, bias=False)
        self.norm = nn.BatchNorm1d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C')."""
        return self.norm(self.linear(x).transpose(1, 2)).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head attention with a learned bias for each distance; Hardswish before the last layer."""

    table: Tensor

    def __init__(self, width: int, heads: int, key_width: int, side: int) -> None:
        super().__init__()
        self.heads, self.parts = heads, [key_width, key_width, 2 * key_width]
        self.qkv = LinearNorm(width, heads * sum(self.parts))
        self.out = LinearNorm(heads * 2 * key_width, width)
        table, num = offset_table(places(side), places(side))
        self.biases = nn.Parameter(torch.zeros(heads, num))
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        queries, keys, values = torch.split(per_head(self.qkv(x), self.heads), self.parts, dim=3)
        return self.out(read(queries, keys, values, self.biases[:, self.table]))


class Shrink(nn.Module):
    """Attention whose queries are every second row and column of both grids: a quarter of the tokens; nothing is added to it."""

    table: Tensor

    def __init__(self, width: int, width_out: int, key_width: int, side: int) -> None:
        super().__init__()
        self.heads, self.parts, self.side = width // key_width, [key_width, 4 * key_width], side
        self.keys_values = LinearNorm(width, self.heads * sum(self.parts))
        self.queries = LinearNorm(width, self.heads * key_width)
        self.out = LinearNorm(self.heads * 4 * key_width, width_out)
        table, num = offset_table(2 * places(side // 2), places(side))
        self.biases = nn.Parameter(torch.zeros(self.heads, num))
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N / 4, C')."""
        search, template = x[:, : self.side**2], x[:, self.side**2 :]
        fewer = torch.cat([every_second(search, self.side), every_second(template, self.side // 2)], dim=1)
        keys, values = torch.split(per_head(self.keys_values(x), self.heads), self.parts, dim=3)
        return self.out(read(per_head(self.queries(fewer), self.heads), keys, values, self.biases[:, self.table]))


class Mlp(nn.Module):
    """Linear, batch norm, Hardswish, and back; twice as wide in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = LinearNorm(width, 2 * width)
        self.down = LinearNorm(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        return self.down(functional.hardswish(self.up(x)))


class Residual(nn.Module):
    """What goes in is added to what a branch makes of it."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        return x + self.branch(x)


def per_head(x: Tensor, heads: int) -> Tensor:
    """(B, N, H * K) to (B, H, N, K)."""
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def read(queries: Tensor, keys: Tensor, values: Tensor, biases: Tensor) -> Tensor:
    """What queries (B, H, N, D) read of M tokens, heads side by side, after Hardswish: (B, N, H * V); biases (H, N, M)."""
    heads = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=biases)
    return functional.hardswish(heads.transpose(1, 2).flatten(2))


def every_second(x: Tensor, side: int) -> Tensor:
    """Every second row and column of a grid (B, side * side, C)."""
    return x.reshape(x.shape[0], side, side, x.shape[2])[:, ::2, ::2].flatten(1, 2)


class Bridge(nn.Module):
    """Coarse stages are brought to the finer grid and added to it, search tokens only."""

    def __init__(self, widths: tuple[int, int, int], width_out: int) -> None:
        super().__init__()
        self.coarse = _upward(widths[2], widths[1])
        self.fine = _upward(widths[1], widths[0])
        self.tokens = nn.Linear(widths[0], width_out)
        self.mean = nn.Linear(widths[2], width_out)

    def forward(self, stages: list[Tensor], mean: Tensor) -> Tensor:
        """Search tokens of the three stages (B, G * G, C) and the mean token (B, 1, C) to (B, 1 + 256, C), the mean first."""
        first, second, third = (to_grid(stage) for stage in stages)
        grid = torch.relu(self.coarse(third) + second)
        grid = self.fine(grid) + first  # as published: no ReLU here
        return torch.cat([self.mean(mean), self.tokens(grid.flatten(2).transpose(1, 2))], dim=1)


def _upward(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(channels_in, channels_out, 2, 2), nn.BatchNorm2d(channels_out))


class Features(NamedTuple):
    """Tokens (B, N, C) at the end of every stage, and the mean (B, 1, C) of the last one's."""

    stages: list[Tensor]
    mean: Tensor


class HiT(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.stem = Stem(arch.widths[0], "conv3x3")
        blocks: list[nn.Module] = []
        self.ends: list[int] = []  # of stages, in blocks
        side = 16
        for stage, (width, depth, heads) in enumerate(zip(arch.widths, arch.depths, arch.heads, strict=True)):
            for _ in range(depth):
                blocks += [Residual(Attention(width, heads, arch.key_width, side)), Residual(Mlp(width))]
            self.ends.append(len(blocks))
            if stage < len(arch.widths) - 1:
                width_out = arch.widths[stage + 1]
                blocks += [Shrink(width, width_out, arch.key_width, side), Residual(Mlp(width_out))]
                side //= 2
        self.blocks = nn.ModuleList(blocks)
        self.bridge = Bridge(arch.widths, arch.head_width)
        self.head = CornerHead(arch.head_width, arch.head_width)

    def embed(self, template: Tensor, search: Tensor) -> Tensor:
        """Tokens (B, 320, C), search first, from normalised crops (B, 3, 128, 128) and (B, 3, 256, 256)."""
        return torch.cat([self.stem(search), self.stem(template)], dim=1)

    def encode(self, tokens: Tensor) -> Features:
        """Tokens (B, 320, C) through all blocks."""
        stages = []
        for begin, end in pairwise([0, *self.ends]):
            for block in self.blocks[begin:end]:
                tokens = block(tokens)
            stages.append(tokens)
        return Features(stages, tokens.mean(dim=1, keepdim=True))

    def fuse(self, features: Features) -> Tensor:
        """(B, 1 + 256, C) for the head: the mean token, then the search tokens of the finest grid."""
        return self.bridge([stage[:, : stage.shape[1] * 4 // 5] for stage in features.stages], features.mean)

    def look(self, fused: Tensor) -> CornerMaps:
        """What the head says; every search token is weighted by its product with the mean token."""
        mean, tokens = fused[:, :1], fused[:, 1:]
        return self.head(to_grid(tokens * (tokens @ mean.transpose(1, 2))))

    def step(self, template: Tensor, search: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) from uint8 crops (B, 128, 128, 3) and (B, 256, 256, 3)."""
        features = self.encode(self.embed(normalize(template), normalize(search)))
        return {"box": decode_corners(self.look(self.fuse(features)))}


def build(arch: Arch) -> HiT:
    """An untrained network."""
    return HiT(arch)
