"""AQATrack: a HiViT over template and search; a query reads what it found in earlier frames, then all tokens, and weighs the search.

Paper   Xie et al., CVPR 2024, arXiv:2403.10574
Facts   docs/trackers/aqatrack.md      Spec  sightline/zoo/aqatrack.py      Golden  golden/aqatrack

B batch, T template tokens, S search tokens (a G x G grid), N = T + S, L frames of history, C channels.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.decode import hann2d, normalize
from sightline.models.layers.detr import Reader, attention_keys
from sightline.models.layers.heads import CENTER_KEYS, CenterHead, CenterMaps, to_grid
from sightline.models.layers.hivit import HIVIT_KEYS, HIVIT_UNUSED, HiViT
from sightline.models.layers.lazy import find_center
from sightline.zoo.aqatrack import Arch

__all__ = ["KEYS", "UNUSED", "AQATrack", "Look", "build"]

DECODER = "transformer_dec.decoder.layers.{}"
KEYS = (
    *HIVIT_KEYS,
    *attention_keys(f"{DECODER}.self_attn", "decoder.{}.own"),
    *attention_keys(f"{DECODER}.multihead_attn", "decoder.{}.other"),
    (f"{DECODER}.linear1", "decoder.{}.feed.up"),
    (f"{DECODER}.linear2", "decoder.{}.feed.down"),
    ("transformer_dec.decoder.layers", "decoder"),
    ("transformer_dec.decoder.norm", "norm"),
    *CENTER_KEYS,
)
UNUSED = (
    *HIVIT_UNUSED,
    "query_embed.weight",  # the published layers leave the query's position out
    "position_encoding.*",  # one vector, the same for every key: it moves all products of a query alike, so no softmax sees it
)


class Look(NamedTuple):
    """Everything that a network sees on its way.

    tokens    (B, N, C), template first, into the transformer
    stages    after each of its blocks
    features  (B, N, C) after the last norm
    found     (B, 1, C), what the query has read
    maps      what the head says about every cell
    """

    tokens: Tensor
    stages: list[Tensor]
    features: Tensor
    found: Tensor
    maps: CenterMaps


class AQATrack(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.backbone = HiViT(
            width=arch.width, heads=arch.heads, depths=arch.depths, template_grid=arch.template_grid, search_grid=arch.search_grid
        )
        self.decoder = nn.ModuleList(Reader(arch.width, arch.heads, arch.hidden, reads_itself=True) for _ in range(arch.decoder))
        self.norm = nn.LayerNorm(arch.width)
        self.head = CenterHead(arch.width, arch.head_width)
        self.register_buffer("window", hann2d(arch.search_grid), persistent=False)

    def query(self, tokens: Tensor, history: Tensor, known: Tensor) -> Tensor:
        """What the query finds (B, 1, C) in tokens (B, N, C); `history` and `known` as in `look`."""
        back = torch.arange(self.arch.history, 0, -1, device=tokens.device)  # frames
        is_empty = back > known.clamp(min=1).unsqueeze(1)  # in the first frame the query reads one zero
        nowhere, found = torch.zeros_like(tokens[:1, :1]), torch.zeros_like(tokens[:, :1])
        for layer in self.decoder:
            assert isinstance(layer, Reader)
            found = layer.norm1(found + layer.own(found, history, history, is_empty))
            found = layer(found, nowhere, tokens, nowhere)
        return self.norm(found)

    def look(self, template: Tensor, search: Tensor, history: Tensor, known: Tensor) -> Look:
        """The network with all that it sees on its way.

        Args:
            template: tokens (B, T, C).
            search: tokens (B, S, C).
            history: (B, L, C), what the query found in the last frames, the newest last.
            known: (B,) float, how many of these there have been.
        """
        tokens = torch.cat([template, search], dim=1)
        stages = self.backbone.encode(tokens)
        features = self.backbone.norm(stages[-1])
        found = self.query(features, history, known)
        return Look(tokens, stages, features, found, self.head(self._grid(features, found)))

    def _grid(self, features: Tensor, found: Tensor) -> Tensor:
        """The head's input (B, C, G, G): search tokens among features (B, N, C), each times its product with what the query found."""
        search = features[:, self.arch.template_grid**2 :]
        return to_grid(search * (search @ found.transpose(1, 2)))

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """`tokens` (B, T, C) of a template, uint8 (B, 16 n, 16 n, 3), and an empty `history` (B, L, C) of which 0 are `known` (B,)."""
        tokens = self.backbone.embed(normalize(template), self.backbone.template_positions)
        history = torch.zeros_like(tokens[:, : self.arch.history])
        return {"tokens": tokens, "next.history": history, "next.known": torch.zeros_like(history[:, 0, 0])}

    def step(self, search: Tensor, tokens: Tensor, history: Tensor, known: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop, uint8 (B, 16 G, 16 G, 3), given the state, which goes on one frame."""
        joined = torch.cat([tokens, self.backbone.embed(normalize(search), self.backbone.search_positions)], dim=1)
        features = self.backbone.norm(self.backbone.encode(joined)[-1])  # the query reads the template's tokens as well: all of them
        found = self.query(features, history, known)
        box, score = find_center(self.head, self._grid(features, found), self.window)
        later = torch.cat([history[:, 1:], found], dim=1)
        return {"box": box, "score": score, "next.history": later, "next.known": (known + 1).clamp(max=self.arch.history)}


def build(arch: Arch) -> AQATrack:
    """An untrained network."""
    return AQATrack(arch)
