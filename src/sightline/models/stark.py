"""STARK: template and search features in one transformer; one query finds the corners. ST keeps a second, changing template.

Paper   Yan et al., ICCV 2021, arXiv:2103.17154
Facts   docs/trackers/stark.md      Spec  sightline/zoo/stark.py      Golden  golden/stark

B batch, T = 64 tokens of a template (8 x 8), S = 400 search tokens (20 x 20), N all tokens, templates first, C channels.
Pixels enter as uint8 (B, H, W, 3) RGB with a mask (B, H, W) of what lies outside the frame, which no token reads; boxes
leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.decode import decode_corners, normalize
from sightline.models.layers.detr import Reader, masked_sines, transformer_keys
from sightline.models.layers.heads import CORNER_KEYS, CornerHead, CornerMaps, PerceptronHead, to_grid
from sightline.models.layers.resnet import FrozenNorm, ResNet
from sightline.zoo.stark import Arch

__all__ = ["KEYS", "UNUSED", "Features", "Look", "Stark", "build"]

KEYS = (
    ("backbone.0.body", "backbone"),
    *transformer_keys("transformer"),
    ("query_embed.weight", "query"),
    *CORNER_KEYS,
    ("box_head.layers", "head.layers"),
    ("cls_head.layers", "score.layers"),
)
UNUSED: tuple[str, ...] = ()

STRIDE = 16


class Features(NamedTuple):
    """Tokens (B, n, C) of pictures, their positions (B, n, C) and which of them lie outside the frame: (B, n) bool."""

    tokens: Tensor
    positions: Tensor
    mask: Tensor


class Look(NamedTuple):
    """Everything that a network sees on its way.

    stages   tokens (B, N, C) after each layer of the encoder
    read     (B, C), what the query has read, after the last norm
    maps     what the head says about every cell; None with the head "perceptron"
    box      (B, 4) cx, cy, w, h in 0..1 of the search crop
    score    (B,) logits; None without `Arch.score`
    """

    stages: list[Tensor]
    read: Tensor
    maps: CornerMaps | None
    box: Tensor
    score: Tensor | None


class Stark(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.backbone = ResNet(arch.depth, num_stages=arch.stages, norm=FrozenNorm)
        self.bottleneck = nn.Conv2d(self.backbone.channels, arch.width, 1)
        self.encoder = nn.ModuleList(Reader(arch.width, arch.heads, arch.hidden) for _ in range(arch.encoder))
        self.decoder = nn.ModuleList(Reader(arch.width, arch.heads, arch.hidden, reads_itself=True) for _ in range(arch.decoder))
        self.norm = nn.LayerNorm(arch.width)
        self.query = nn.Parameter(torch.zeros(1, arch.width))
        kinds = {"corner": CornerHead, "perceptron": PerceptronHead}
        self.head = kinds[arch.head](arch.width, arch.width)
        self.score = PerceptronHead(arch.width, arch.width, outputs=1) if arch.score else None

    def read(self, pixels: Tensor, padding: Tensor) -> Features:
        """Features of normalised pictures (B, 3, 16 G, 16 G), of which (B, 16 G, 16 G) bool lies outside the frame."""
        grid = self.bottleneck(self.backbone(pixels))  # (B, C, G, G)
        mask = padding[:, ::STRIDE, ::STRIDE]
        return Features(grid.flatten(2).transpose(1, 2), masked_sines(mask, grid.shape[1]), mask.flatten(1))

    def look(self, templates: Features, search: Features) -> Look:
        """The network after its features, with all that it sees on its way; templates stand behind one another in axis 1."""
        tokens, positions, mask = (torch.cat(pair, dim=1) for pair in zip(templates, search, strict=True))
        stages = []
        for layer in self.encoder:
            tokens = layer(tokens, positions, tokens, positions, mask)
            stages.append(tokens)
        query = self.query.expand(tokens.shape[0], -1, -1)  # (B, 1, C)
        found = torch.zeros_like(query)
        for layer in self.decoder:
            assert isinstance(layer, Reader)
            found = layer(layer.read_itself(found, query), query, tokens, positions, mask)
        found = self.norm(found)
        maps, box = self._decode(tokens[:, -search.tokens.shape[1] :], found)
        return Look(stages, found[:, 0], maps, box, None if self.score is None else self.score(found)[:, 0, 0])

    def _decode(self, search: Tensor, found: Tensor) -> tuple[CornerMaps | None, Tensor]:
        """Maps and box from search tokens (B, S, C) and what the query has read (B, 1, C)."""
        if isinstance(self.head, PerceptronHead):
            return None, torch.sigmoid(self.head(found))[:, 0]
        maps: CornerMaps = self.head(to_grid(search * (search @ found.transpose(1, 2))))
        return maps, decode_corners(maps)

    def init(self, template: Tensor, template_padding: Tensor) -> dict[str, Tensor]:
        """`tokens`, `positions` (B, 64, C) and `mask` (B, 64) of a template, uint8 (B, 128, 128, 3), and its padding, bool (B, 128, 128)."""
        return self.read(normalize(template), template_padding)._asdict()

    def step(self, search: Tensor, search_padding: Tensor, tokens: Tensor, positions: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4), and `score` (B,) with `Arch.score`, which also says whether this frame may become a template.

        Args:
            search: uint8 (B, 320, 320, 3).
            search_padding: bool (B, 320, 320).
            tokens: (B, [templates,] 64, C), as `positions`.
            positions: of the tokens.
            mask: (B, [templates,] 64).
        """
        batch, width = search.shape[0], tokens.shape[-1]
        templates = Features(tokens.reshape(batch, -1, width), positions.reshape(batch, -1, width), mask.reshape(batch, -1))
        seen = self.look(templates, self.read(normalize(search), search_padding))
        return {"box": seen.box} if seen.score is None else {"box": seen.box, "score": torch.sigmoid(seen.score)}


def build(arch: Arch) -> Stark:
    """An untrained network."""
    return Stark(arch)
