"""Kestrel: the built-in tracker. One stream in which the template does not look at the search region.

Facts  sightline/builtin/*.md      Spec  sightline/zoo/kestrel.py

Template tokens read one another, search tokens read the template and one another. What the search needs of the template
(keys and values of every block) is therefore computed once per target, by `init`. The mask is that of LiteTrack
(Wei et al., 2023) and MixFormerV2 (Cui et al., NeurIPS 2023); stem, blocks and head are those of VitTrack-nano, so a
network of the same width can start from its weights.

B batch, T = 64 template tokens, S = 256 search tokens (grids of 8 x 8 and 16 x 16, as `Arch` says), C channels, H heads,
D = C / H.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import hann2d, normalize
from sightline.models.layers.heads import CenterHead, CenterMaps, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.vit import Block, KeysValues, packed, unpacked
from sightline.zoo.kestrel import Arch

__all__ = ["KEYS", "UNUSED", "Kestrel", "build"]

KEYS: tuple[tuple[str, str], ...] = ()  # ours: no other names
UNUSED: tuple[str, ...] = ()


class Kestrel(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.stem = Stem(arch.width, "conv3x3")
        self.template_positions = nn.Parameter(torch.zeros(1, arch.template_grid**2, arch.width))
        self.search_positions = nn.Parameter(torch.zeros(1, arch.search_grid**2, arch.width))
        self.blocks = nn.ModuleList(Block(arch.width, arch.heads, eps=1e-5) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=1e-5)
        self.head = CenterHead(arch.width, arch.head_width)
        self.register_buffer("window", hann2d(arch.search_grid), persistent=False)

    def read_template(self, pixels: Tensor) -> list[KeysValues]:
        """Keys and values (B, H, T, D) of every block, from a normalised template (B, 3, 128, 128)."""
        tokens = self.stem(pixels) + self.template_positions  # (B, T, C)
        memory = []
        for block in self.blocks:
            tokens, own = block(tokens)
            memory.append(own)
        return memory

    def read_search(self, pixels: Tensor, memory: list[KeysValues]) -> Tensor:
        """Search tokens (B, S, C) after the last norm, for a normalised crop (B, 3, 256, 256)."""
        tokens = self.stem(pixels) + self.search_positions  # (B, S, C)
        for block, of_template in zip(self.blocks, memory, strict=True):
            tokens, _ = block(tokens, of_template)
        return self.norm(tokens)

    def look(self, pixels: Tensor, memory: list[KeysValues]) -> tuple[Tensor, CenterMaps]:
        """What `read_search` returns, and what the head says about every cell of it: for training."""
        tokens = self.read_search(pixels, memory)
        return tokens, self.head(to_grid(tokens))

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, uint8 (B, 128, 128, 3): `keys` and `values` (B, depth, H, T, D)."""
        return packed(self.read_template(normalize(template)))

    def step(self, search: Tensor, keys: Tensor, values: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop, uint8 (B, 256, 256, 3), given the state of the targets."""
        tokens = self.read_search(normalize(search), unpacked(keys, values))
        box, score = find_center(self.head, to_grid(tokens), self.window)
        return {"box": box, "score": score}


def build(arch: Arch) -> Kestrel:
    """An untrained network."""
    return Kestrel(arch)
