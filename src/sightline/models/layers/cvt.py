"""CvT in which templates read one another, and what is searched reads everything: the trunk of MixCvT.

Queries, keys and values are made by convolutions over maps, keys and values at half the resolution, so that maps grow
coarser from stage to stage and no positions are needed. Wu et al., ICCV 2021, arXiv:2103.15808; its mixed attention:
Cui et al., CVPR 2022, arXiv:2203.11082, section 3.1.

B batch, K maps that are read together (templates; 1 of the search), C channels, H heads, D = C / H.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.heads import to_grid
from sightline.models.layers.resnet import FrozenNorm
from sightline.models.layers.vit import KeysValues, Mlp, quick_gelu

__all__ = ["CVT_KEYS", "MixedCvT", "ReadMaps"]

_THEIRS, _OURS = "backbone.stage{}.blocks.{}", "trunk.stages.{}.blocks.{}"
# names in the authors' files -> names here
CVT_KEYS = (
    *(
        pair
        for letter, name in (("q", "queries"), ("k", "keys"), ("v", "values"))
        for pair in (
            (f"{_THEIRS}.attn.conv_proj_{letter}.conv", f"{_OURS}.{name}.conv"),
            (f"{_THEIRS}.attn.conv_proj_{letter}.bn", f"{_OURS}.{name}.norm"),
            (f"{_THEIRS}.attn.proj_{letter}", f"{_OURS}.{name}.linear"),
        )
    ),
    (f"{_THEIRS}.attn.proj", f"{_OURS}.out"),
    (f"{_THEIRS}.mlp.fc1", f"{_OURS}.mlp.up"),
    (f"{_THEIRS}.mlp.fc2", f"{_OURS}.mlp.down"),
    (_THEIRS, _OURS),
    ("backbone.stage{}.patch_embed.proj", "trunk.stages.{}.conv"),
    ("backbone.stage{}.patch_embed.norm", "trunk.stages.{}.norm"),
)


class Projection(nn.Module):
    """Maps to tokens: one 3x3 kernel for each channel, frozen batch norm, linear."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False)
        self.norm = FrozenNorm(width)
        self.linear = nn.Linear(width, width)

    def forward(self, maps: Tensor) -> Tensor:
        """(M, C, n, n) to (M, m * m, C), m the half of n, rounded up, with a stride of 2."""
        return self.linear(self.norm(self.conv(maps)).flatten(2).transpose(1, 2))


class Block(nn.Module):
    """x + attention(norm x), then x + mlp(norm x), over tokens of K maps."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.queries, self.keys, self.values = Projection(width, 1), Projection(width, 2), Projection(width, 2)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width, activation=quick_gelu)

    def forward(self, x: Tensor, num: int, memory: KeysValues | None = None, filled: Tensor | None = None) -> tuple[Tensor, KeysValues]:
        """Let tokens read one another and, before them, a memory.

        Args:
            x: (B, K * n * n, C).
            num: K.
            memory: keys and values (B, H, M, D) of tokens that do not read `x` themselves.
            filled: (B, F) bool, which of F equal parts of all that is read are there, the memory first, where it is given;
                tokens of `x` behind the memory always are.

        Returns:
            (B, K * n * n, C), and the keys and values of `x` alone.
        """
        batch, length, width = x.shape
        maps = to_grid(self.norm1(x).reshape(batch * num, length // num, width))
        queries, keys, values = (self._per_head(part(maps), num) for part in (self.queries, self.keys, self.values))
        own = (keys, values)
        mask = None if filled is None else filled.repeat_interleave((memory or own)[0].shape[2] // filled.shape[1], dim=1)
        if memory is not None:
            mask = None if mask is None else torch.cat([mask, mask.new_ones(batch, keys.shape[2])], dim=1)
            keys, values = torch.cat([memory[0], keys], dim=2), torch.cat([memory[1], values], dim=2)
        shown = None if mask is None else mask[:, None, None]
        # as published: the scale is that of all heads together
        read = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=shown, scale=width**-0.5)
        x = x + self.out(read.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm2(x)), own

    def _per_head(self, tokens: Tensor, num: int) -> Tensor:
        """Tokens of single maps (B * K, N, C) to (B, H, K * N, D)."""
        length, width = tokens.shape[1:]
        return tokens.reshape(-1, num * length, self.heads, width // self.heads).transpose(1, 2)


class Stage(nn.Module):
    """A convolution to a coarser map, norm, and blocks."""

    def __init__(self, channels: int, width: int, depth: int, heads: int, *, is_first: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 7, 4, 2) if is_first else nn.Conv2d(channels, width, 3, 2, 1)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))

    def embed(self, maps: Tensor) -> Tensor:
        """(M, C, n, n) to tokens (M, m * m, C')."""
        return self.norm(self.conv(maps).flatten(2).transpose(1, 2))


class ReadMaps(NamedTuple):
    """What a trunk makes of maps.

    embedded  maps (B * K, C, n, n) of every stage before its blocks
    stages    the same after its blocks
    memory    keys and values (B, H, N, D) of every block of every stage
    """

    embedded: list[Tensor]
    stages: list[Tensor]
    memory: list[list[KeysValues]]


class MixedCvT(nn.Module):
    """See the module's docstring."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...], heads: tuple[int, ...]) -> None:
        super().__init__()
        sizes = zip(pairwise((3, *widths)), depths, heads, strict=True)
        self.stages = nn.ModuleList(
            Stage(channels, width, depth, num_heads, is_first=i == 0) for i, ((channels, width), depth, num_heads) in enumerate(sizes)
        )

    def forward(self, maps: Tensor, num: int = 1, memory: list[list[KeysValues]] | None = None, filled: Tensor | None = None) -> ReadMaps:
        """Normalised pictures through all stages.

        Args:
            maps: (B * K, 3, h, h); the K of one target stand behind one another.
            num: K.
            memory: of templates, for what is searched.
            filled: which templates are there (B, K); None: all.
        """
        seen = ReadMaps([], [], [])
        for i, stage in enumerate(self.stages):
            assert isinstance(stage, Stage)
            tokens = stage.embed(maps)
            seen.embedded.append(to_grid(tokens))
            shape = tokens.shape
            tokens = tokens.reshape(-1, num * shape[1], shape[2])
            kept = []
            for j, block in enumerate(stage.blocks):
                tokens, own = block(tokens, num, None if memory is None else memory[i][j], filled)
                kept.append(own)
            maps = to_grid(tokens.reshape(shape))
            seen.stages.append(maps)
            seen.memory.append(kept)
        return seen
