"""HCAT: a few queries stand for the template; the search tokens read them, and they read the search tokens.

Paper   Chen et al., ECCV 2022 workshops, arXiv:2203.13537
Facts   docs/trackers/hcat.md      Spec  sightline/zoo/hcat.py      Golden  golden/hcat

What the queries take from the template does not depend on the search region, so it is all that is kept of the template.

B batch, T = 64 template tokens (8 x 8), S = 256 search tokens (16 x 16), Q queries, C channels.
Pixels enter as float32 (B, H, W, 3) RGB in 0..255; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.convnext import ConvNeXt
from sightline.models.layers.decode import normalize
from sightline.models.layers.detr import (
    PER_TOKEN_KEYS,
    PerTokenHead,
    ReadAttention,
    Reader,
    Verdicts,
    attention_keys,
    choose_token,
    sine_positions,
)
from sightline.models.layers.lightnet import LightNet
from sightline.models.layers.resnet import ResNet
from sightline.models.layers.siamese import hanning2d
from sightline.zoo.hcat import Arch, Backbone

__all__ = ["HCAT", "KEYS", "UNUSED", "Look", "build"]

_LAYER, _FIRST = "featurefusion_network.encoder.layers.{}", "featurefusion_network.encoder.query_layer"
KEYS = (
    ("backbone.0.body", "backbone"),
    ("input_proj", "project"),
    ("query_embed.weight", "queries"),
    *attention_keys(f"{_FIRST}.multihead_attn", "first"),
    (f"{_FIRST}.norm", "first_norm"),
    *attention_keys(f"{_LAYER}.multihead_attn1", "layers.{}.queries.other"),
    *attention_keys(f"{_LAYER}.multihead_attn2", "layers.{}.search.other"),
    *((f"{_LAYER}.norm1{i}", f"layers.{{}}.queries.norm{i}") for i in (2, 3)),
    *((f"{_LAYER}.norm2{i}", f"layers.{{}}.search.norm{i}") for i in (2, 3)),
    (f"{_LAYER}.linear11", "layers.{}.queries.feed.up"),
    (f"{_LAYER}.linear12", "layers.{}.queries.feed.down"),
    (f"{_LAYER}.linear21", "layers.{}.search.feed.up"),
    (f"{_LAYER}.linear22", "layers.{}.search.feed.down"),
    *PER_TOKEN_KEYS,
)
UNUSED: tuple[str, ...] = ()

BACKBONES: dict[Backbone, Callable[[], ResNet | ConvNeXt | LightNet]] = {
    "resnet18": lambda: ResNet(18),
    "resnet50": lambda: ResNet(50),
    "convnext-tiny": lambda: ConvNeXt((3, 3, 9), (96, 192, 384)),
    "lightnet": LightNet,
}


class Layer(nn.Module):
    """The search tokens read the queries, then the queries read what the search tokens have become."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.search = Reader(arch.width, arch.heads, arch.hidden)
        self.queries = Reader(arch.width, arch.heads, arch.hidden)


class Look(NamedTuple):
    """Everything that a network sees on its way.

    queries, searches  (B, Q, C) and (B, S, C) after each layer
    verdicts           what every search token says
    """

    queries: list[Tensor]
    searches: list[Tensor]
    verdicts: Verdicts


class HCAT(nn.Module):
    """See the module's docstring."""

    template_positions: Tensor
    search_positions: Tensor
    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.window_share = arch.window
        self.backbone = BACKBONES[arch.backbone]()
        self.project = nn.Conv2d(self.backbone.channels, arch.width, 1)
        self.queries = nn.Parameter(torch.zeros(arch.queries, arch.width))
        self.first = ReadAttention(arch.width, arch.heads)
        self.first_norm = nn.LayerNorm(arch.width)
        self.layers = nn.ModuleList(Layer(arch) for _ in range(arch.layers))
        self.last = Reader(arch.width, arch.heads, arch.hidden)
        self.norm = nn.LayerNorm(arch.width)
        self.head = PerTokenHead(arch.width)
        self.register_buffer("template_positions", sine_positions(8, arch.width), persistent=False)
        self.register_buffer("search_positions", sine_positions(16, arch.width), persistent=False)
        self.register_buffer("window", hanning2d(16, torch.device("cpu")).flatten(), persistent=False)

    def embed(self, pixels: Tensor) -> Tensor:
        """Tokens (B, N, C), row by row, from a normalised crop (B, 3, H, W)."""
        return self.project(self.backbone(pixels)).flatten(2).transpose(1, 2)

    def ask(self, template: Tensor) -> Tensor:
        """What the queries (B, Q, C) take from the template tokens (B, T, C)."""
        queries = self.queries.expand(template.shape[0], -1, -1)
        taken = self.first(queries, template + self.template_positions, template)
        return self.first_norm(taken + taken)  # as published: what was taken is added to itself

    def look(self, queries: Tensor, search: Tensor) -> Look:
        """The network after the embedding, with all that it sees on its way.

        Args:
            queries: what `ask` made of the template (B, Q, C).
            search: tokens (B, S, C).
        """
        asked, there = self.queries.unsqueeze(0), self.search_positions
        all_queries, searches = [], []
        for layer in self.layers:
            assert isinstance(layer, Layer)
            search = layer.search(search, there, queries, asked)
            queries = layer.queries(queries, asked, search, there)
            all_queries.append(queries)
            searches.append(search)
        return Look(all_queries, searches, self.head(self.norm(self.last(search, there, queries, asked))))

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, float32 (B, 128, 128, 3): `queries` (B, Q, C)."""
        return {"queries": self.ask(self.embed(normalize(template)))}

    def step(self, search: Tensor, queries: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop, float32 (B, 256, 256, 3), given the state of the targets."""
        verdicts = self.look(queries, self.embed(normalize(search))).verdicts
        box, score = choose_token(verdicts, self.window, self.window_share)
        return {"box": box, "score": score}


def build(arch: Arch) -> HCAT:
    """An untrained network."""
    return HCAT(arch)
