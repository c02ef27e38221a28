"""A plain vision transformer in which templates read one another, and what is searched reads everything.

What MixViT and MixFormerV2 have in common (Cui et al., CVPR 2022, section 3.1: asymmetric mixed attention). As no template
reads the search, its keys and values are computed when the templates change, and not in every frame.

B batch, K templates of T = n * n tokens, S tokens that are searched, C channels, H heads, D = C / H.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.conv import Stem
from sightline.models.layers.positions import grid_sines
from sightline.models.layers.vit import BLOCK_KEYS, Block, KeysValues

__all__ = ["MIXED_KEYS", "MIXED_UNUSED", "MixedTransformer", "Read"]

# names in the authors' files -> names here
MIXED_KEYS = (
    ("backbone.patch_embed.proj", "trunk.stem.layers.0"),
    *((f"backbone.{theirs}", f"trunk.{ours}") for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "trunk.blocks"),
)
MIXED_UNUSED = ("backbone.pos_embed_t", "backbone.pos_embed_s")  # tables that follow from the grids: `grid_sines`


class Read(NamedTuple):
    """Tokens (B, N, C) after each block, and the keys and values (B, H, N, D) by which each block showed them to others."""

    stages: list[Tensor]
    memory: list[KeysValues]


class MixedTransformer(nn.Module):
    """See the module's docstring. There is no last norm."""

    template_positions: Tensor
    search_positions: Tensor

    def __init__(self, *, width: int, heads: int, depth: int, ratio: float, template_grid: int, search_grid: int) -> None:
        super().__init__()
        self.stem = Stem(width, "conv16")
        self.blocks = nn.ModuleList(Block(width, heads, ratio=ratio) for _ in range(depth))
        self.register_buffer("template_positions", grid_sines(template_grid, width), persistent=False)
        self.register_buffer("search_positions", grid_sines(search_grid, width), persistent=False)

    def embed_templates(self, pixels: Tensor) -> Tensor:
        """Normalised (B, K, 3, 16 n, 16 n) to tokens (B, K * T, C), one template behind the other."""
        batch, num = pixels.shape[:2]
        tokens = self.stem(pixels.flatten(0, 1)) + self.template_positions
        return tokens.reshape(batch, num * tokens.shape[1], tokens.shape[2])

    def embed_search(self, pixels: Tensor) -> Tensor:
        """Normalised (B, 3, 16 G, 16 G) to tokens (B, G * G, C)."""
        return self.stem(pixels) + self.search_positions

    def read_templates(self, tokens: Tensor, filled: Tensor | None = None) -> Read:
        """Templates (B, K * T, C) through all blocks; with `filled` (B, K) bool, those that are there."""
        mask = None if filled is None else self._of_tokens(filled)
        read = Read([], [])
        for block in self.blocks:
            tokens, own = block(tokens, mask=mask)
            read.stages.append(tokens)
            read.memory.append(own)
        return read

    def read_search(self, tokens: Tensor, memory: list[KeysValues], filled: Tensor | None = None) -> Read:
        """What is searched (B, S, C) through all blocks, given what the templates showed; `filled` as in `read_templates`."""
        mask = None
        if filled is not None:
            mask = torch.cat([self._of_tokens(filled), filled.new_ones(tokens.shape[:2])], dim=1)
        read = Read([], [])
        for block, of_templates in zip(self.blocks, memory, strict=True):
            tokens, own = block(tokens, of_templates, mask)
            read.stages.append(tokens)
            read.memory.append(own)
        return read

    def _of_tokens(self, filled: Tensor) -> Tensor:
        """(B, K) to (B, K * T): for every token of a template what is said of the template."""
        return filled.repeat_interleave(self.template_positions.shape[1], dim=1)
