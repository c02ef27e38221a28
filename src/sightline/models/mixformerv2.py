"""MixFormerV2: templates and search in one transformer without convolutions; four tokens say where the sides of the box are.

Paper   Cui et al., NeurIPS 2023, arXiv:2305.15896
Facts   docs/trackers/mixformerv2.md      Spec  sightline/zoo/mixformerv2.py      Golden  golden/mixformerv2

The authors run templates and search together in every frame. Templates never read the search, so `init` reads them when
one has changed, and `step` the rest: the results are the same.

B batch, K templates of T tokens, S search tokens and 4 for the sides, C channels. Pixels enter as uint8 (B, H, W, 3) RGB;
boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.decode import normalize
from sightline.models.layers.heads import PerceptronHead
from sightline.models.layers.mixed import MIXED_KEYS, MIXED_UNUSED, MixedTransformer
from sightline.models.layers.vit import packed, unpacked
from sightline.zoo.mixformerv2 import Arch

__all__ = ["KEYS", "UNUSED", "Look", "MixFormerV2", "SideHead", "build"]

KEYS = (
    *MIXED_KEYS,
    ("backbone.reg_tokens", "sides"),
    ("backbone.pos_embed_reg", "side_positions"),
    ("box_head.layers.0.0", "head.hidden"),
    ("box_head.layers.0.1", "head.hidden_norm"),
    ("box_head.layers.1.0", "head.bins"),
    ("box_head.layers.1.1", "head.bins_norm"),
    ("score_head.layers.0.0", "score.layers.0"),
    ("score_head.layers.1", "score.layers.1"),
)
UNUSED = MIXED_UNUSED


class Look(NamedTuple):
    """Everything that a network sees on its way through a search crop.

    tokens  (B, S + 4, C) before the first block: search, then left, right, top and bottom
    stages  the same after each block
    shares  (B, 4, bins), how likely each side is in which place; left, right, top, bottom
    box     (B, 4) cx, cy, w, h in 0..1 of the search crop
    score   (B,) logits
    """

    tokens: Tensor
    stages: list[Tensor]
    shares: Tensor
    box: Tensor
    score: Tensor


class SideHead(nn.Module):
    """From the token of a side to how likely the side is in each place along its axis."""

    def __init__(self, width: int, bins: int) -> None:
        super().__init__()
        self.hidden, self.hidden_norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.bins, self.bins_norm = nn.Linear(width, bins), nn.LayerNorm(bins)

    def forward(self, sides: Tensor) -> Tensor:
        """(B, 4, C) to (B, 4, bins), each row adding up to 1."""
        hidden = torch.relu(self.hidden_norm(self.hidden(sides)))
        return torch.softmax(self.bins_norm(self.bins(hidden)), dim=2)


class MixFormerV2(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.trunk = MixedTransformer(
            width=arch.width,
            heads=arch.heads,
            depth=arch.depth,
            ratio=arch.ratio,
            template_grid=arch.template_grid,
            search_grid=arch.search_grid,
        )
        self.sides = nn.Parameter(torch.zeros(1, 4, arch.width))
        self.side_positions = nn.Parameter(torch.zeros(1, 4, arch.width))
        self.head = SideHead(arch.width, arch.bins)
        self.score = PerceptronHead(arch.width, arch.width, depth=2, outputs=1)

    def look(self, search: Tensor, keys: Tensor, values: Tensor) -> Look:
        """The network on a normalised search crop (B, 3, 16 G, 16 G), given the state of the targets."""
        sides = (self.sides + self.side_positions).expand(search.shape[0], -1, -1)
        tokens = torch.cat([self.trunk.embed_search(search), sides], dim=1)
        stages = self.trunk.read_search(tokens, unpacked(keys, values)).stages
        found = stages[-1][:, -4:]
        shares = self.head(found)
        places = torch.arange(shares.shape[2], device=shares.device, dtype=shares.dtype) / shares.shape[2]
        left, right, top, bottom = (shares * places).sum(dim=2).unbind(1)
        box = torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], dim=1)
        return Look(tokens, stages, shares, box, self.score(found).mean(dim=(1, 2)))

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of a target, `keys` and `values` (B, blocks, H, K * T, D), from its templates, uint8 (B, K, 16 n, 16 n, 3)."""
        pixels = normalize(template.flatten(0, 1))
        pixels = pixels.reshape(*template.shape[:2], *pixels.shape[1:])
        return packed(self.trunk.read_templates(self.trunk.embed_templates(pixels)).memory)

    def step(self, search: Tensor, keys: Tensor, values: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,), which also says whether this frame may become a template, in uint8 (B, 16 G, 16 G, 3)."""
        seen = self.look(normalize(search), keys, values)
        return {"box": seen.box, "score": torch.sigmoid(seen.score)}


def build(arch: Arch) -> MixFormerV2:
    """An untrained network."""
    return MixFormerV2(arch)
