"""Template and search tokens side by side through the same blocks, a centre head on the search tokens.

What VitTrack-nano and EfficientTrack have in common. Template tokens read the search tokens too, so of the template only what it is
before the first block can be kept.

B batch, T = 64 template tokens, S = 256 search tokens (of grids 8 and 16 tokens wide, unless another is asked for), N of both, C channels.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sightline.models.layers.conv import Stem, StemKind
from sightline.models.layers.decode import hann2d, normalize
from sightline.models.layers.heads import CenterHead, CenterMaps, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.trim import through

__all__ = ["OneStream"]


class OneStream(nn.Module):
    """See the module's docstring. `blocks` map tokens (B, N, C) to tokens, or to those that are `kept`."""

    window: Tensor

    def __init__(
        self, *, stem: StemKind, width: int, blocks: Iterable[nn.Module], head_width: int, template_grid: int = 8, search_grid: int = 16
    ) -> None:
        super().__init__()
        self.stem = Stem(width, stem)
        self.template_positions = nn.Parameter(torch.zeros(1, template_grid**2, width))
        self.search_positions = nn.Parameter(torch.zeros(1, search_grid**2, width))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.head = CenterHead(width, head_width)
        self.register_buffer("window", hann2d(search_grid), persistent=False)

    def embed(self, template: Tensor, search: Tensor) -> Tensor:
        """Tokens (B, N, C), template first, from normalised crops (B, 3, 128, 128) and (B, 3, 256, 256)."""
        return torch.cat([self.embed_template(template), self.embed_search(search)], dim=1)

    def embed_template(self, pixels: Tensor) -> Tensor:
        """Tokens (B, T, C) of a normalised template (B, 3, 128, 128)."""
        return self.stem(pixels) + self.template_positions

    def embed_search(self, pixels: Tensor) -> Tensor:
        """Tokens (B, S, C) of a normalised search crop (B, 3, 256, 256)."""
        return self.stem(pixels) + self.search_positions

    def encode(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, C) through all blocks and the last norm."""
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def look(self, tokens: Tensor) -> CenterMaps:
        """What the head says, given the encoded tokens (B, N, C)."""
        return self.head(to_grid(tokens[:, self.template_positions.shape[1] :]))

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of a target: `tokens` (B, T, C) of its template, uint8 (B, 128, 128, 3)."""
        return {"tokens": self.embed_template(normalize(template))}

    def step(self, search: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop, uint8 (B, 256, 256, 3), given the state of the targets."""
        joined = torch.cat([tokens, self.embed_search(normalize(search))], dim=1)
        found = self.norm(through(self.blocks, joined, slice(self.template_positions.shape[1], None)))
        box, score = find_center(self.head, to_grid(found), self.window)
        return {"box": box, "score": score}
