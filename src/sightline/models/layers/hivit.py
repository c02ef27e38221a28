"""HiViT: perceptrons alone on cells of 4 and 8 pixels, then a plain transformer on those of 16, over template and search together.

Zhang et al., ICLR 2023, arXiv:2205.14949, as AQATrack and EVPTrack use it; golden/aqatrack, golden/evptrack.

B batch, T template tokens, S search tokens, N tokens of both, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.models.layers.swin import Merge
from sightline.models.layers.trim import through
from sightline.models.layers.vit import BLOCK_KEYS, PlainBlock

__all__ = ["HIVIT_KEYS", "HIVIT_UNUSED", "HiViT"]

# names in the authors' files -> names here
HIVIT_KEYS = (
    ("backbone.patch_embed.proj", "backbone.cells"),
    ("backbone.patch_embed.norm", "backbone.cells_norm"),
    ("backbone.pos_embed_z", "backbone.template_positions"),
    ("backbone.pos_embed_x", "backbone.search_positions"),
    ("backbone.blocks.{}.reduction", "backbone.blocks.{}.reduce"),
    *((f"backbone.{theirs}", f"backbone.{ours}") for theirs, ours in BLOCK_KEYS),
    ("backbone.norm_", "backbone.norm"),
)
HIVIT_UNUSED = ("backbone.absolute_pos_embed",)  # of the pre-training

EPS = 1e-6


class HiViT(nn.Module):
    """See the module's docstring.

    `depths`: pairs of perceptrons on cells of 4 and of 8 pixels, and transformer blocks of `width` channels.
    """

    def __init__(self, *, width: int, heads: int, depths: tuple[int, int, int], template_grid: int, search_grid: int) -> None:
        super().__init__()
        first, second, self.depth = depths
        self.cells = nn.Conv2d(3, width // 4, 4, 4)
        self.cells_norm = nn.LayerNorm(width // 4, eps=EPS)
        blocks: list[nn.Module] = []
        for narrow, depth in ((width // 4, first), (width // 2, second)):
            blocks += [PlainBlock(narrow, 1, branches="F", eps=EPS, ratio=3) for _ in range(2 * depth)]
            blocks.append(Merge(narrow, eps=EPS))
        blocks += [PlainBlock(width, heads, eps=EPS) for _ in range(self.depth)]
        self.blocks = nn.ModuleList(blocks)
        self.template_positions = nn.Parameter(torch.zeros(1, template_grid**2, width))
        self.search_positions = nn.Parameter(torch.zeros(1, search_grid**2, width))
        self.norm = nn.LayerNorm(width, eps=EPS)

    def split(self, pixels: Tensor) -> Tensor:
        """Cells of 4 pixels (B, 4 G, 4 G, C / 4) of a normalised picture (B, 3, 16 G, 16 G)."""
        return self.cells_norm(self.cells(pixels).permute(0, 2, 3, 1))

    def embed(self, pixels: Tensor, positions: Tensor) -> Tensor:
        """Tokens (B, G * G, C), row by row, of a normalised picture (B, 3, 16 G, 16 G), at the positions of templates or searches."""
        grid = self.split(pixels)
        for block in self.blocks[: -self.depth]:
            grid = block(grid)
        return grid.flatten(1, 2) + positions

    def encode(self, tokens: Tensor) -> list[Tensor]:
        """Tokens (B, N, C) after each block of the transformer, before the last norm."""
        stages = []
        for block in self.blocks[-self.depth :]:
            tokens = block(tokens)
            stages.append(tokens)
        return stages

    def find(self, tokens: Tensor, kept: slice) -> Tensor:
        """Those of tokens (B, N, C) that are kept, behind the transformer and the last norm."""
        return self.norm(through(self.blocks[-self.depth :], tokens, kept))
