"""TransT: attention instead of correlation. Template and search tokens read themselves and each other, layer by layer.

Paper   Chen et al., CVPR 2021, arXiv:2103.15436
Facts   docs/trackers/transt.md      Spec  sightline/zoo/transt.py      Golden  golden/transt

From the second layer on the template depends on what it has read of the search region. What is kept of it between frames
are its tokens after they have read one another in the first layer.

B batch, T = 256 template tokens (16 x 16), S = 1024 search tokens (32 x 32), C channels.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.decode import normalize
from sightline.models.layers.detr import (
    PER_TOKEN_KEYS,
    PerTokenHead,
    Reader,
    Verdicts,
    attention_keys,
    choose_token,
    sine_positions,
)
from sightline.models.layers.resnet import ResNet
from sightline.models.layers.siamese import hanning2d
from sightline.zoo.transt import Arch

__all__ = ["KEYS", "UNUSED", "Look", "TransT", "build"]

_LAYER = "featurefusion_network.encoder.layers.{}"
KEYS = (
    ("backbone.0.body", "backbone"),
    ("input_proj", "project"),
    *attention_keys(f"{_LAYER}.self_attn1", "layers.{}.template.own"),
    *attention_keys(f"{_LAYER}.self_attn2", "layers.{}.search.own"),
    *attention_keys(f"{_LAYER}.multihead_attn1", "layers.{}.template.other"),
    *attention_keys(f"{_LAYER}.multihead_attn2", "layers.{}.search.other"),
    *((f"{_LAYER}.norm1{i}", f"layers.{{}}.template.norm{i}") for i in (1, 2, 3)),
    *((f"{_LAYER}.norm2{i}", f"layers.{{}}.search.norm{i}") for i in (1, 2, 3)),
    (f"{_LAYER}.linear11", "layers.{}.template.feed.up"),
    (f"{_LAYER}.linear12", "layers.{}.template.feed.down"),
    (f"{_LAYER}.linear21", "layers.{}.search.feed.up"),
    (f"{_LAYER}.linear22", "layers.{}.search.feed.down"),
    *PER_TOKEN_KEYS,
)
UNUSED: tuple[str, ...] = ()


class Layer(nn.Module):
    """Both sides read themselves, then each other: both of what stood there before either had read."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.template = Reader(arch.width, arch.heads, arch.hidden, reads_itself=True)
        self.search = Reader(arch.width, arch.heads, arch.hidden, reads_itself=True)


class Look(NamedTuple):
    """Everything that a network sees on its way.

    templates, searches  (B, T, C) and (B, S, C) after each layer
    verdicts             what every search token says
    """

    templates: list[Tensor]
    searches: list[Tensor]
    verdicts: Verdicts


class TransT(nn.Module):
    """See the module's docstring."""

    template_positions: Tensor
    search_positions: Tensor
    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.window_share = arch.window
        self.backbone = ResNet(50, last_stride=1, last_dilation=2)
        self.project = nn.Conv2d(self.backbone.channels, arch.width, 1)
        self.layers = nn.ModuleList(Layer(arch) for _ in range(arch.layers))
        self.last = Reader(arch.width, arch.heads, arch.hidden)
        self.norm = nn.LayerNorm(arch.width)
        self.head = PerTokenHead(arch.width)
        self.register_buffer("template_positions", sine_positions(16, arch.width), persistent=False)
        self.register_buffer("search_positions", sine_positions(32, arch.width), persistent=False)
        self.register_buffer("window", hanning2d(32, torch.device("cpu")).flatten(), persistent=False)

    def embed(self, pixels: Tensor) -> Tensor:
        """Tokens (B, N, C), row by row, from a normalised crop (B, 3, H, W)."""
        return self.project(self.backbone(pixels)).flatten(2).transpose(1, 2)

    def keep(self, template: Tensor) -> Tensor:
        """Template tokens (B, T, C) that have read one another for the first layer."""
        return self.layers[0].template.read_itself(template, self.template_positions)  # type: ignore[union-attr,operator]  # of a ModuleList

    def look(self, kept: Tensor, search: Tensor) -> Look:
        """The network after the embedding, with all that it sees on its way.

        Args:
            kept: what `keep` made of the template (B, T, C).
            search: tokens (B, S, C).
        """
        template, here, there = kept, self.template_positions, self.search_positions
        templates, searches = [], []
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            if i > 0:
                template = layer.template.read_itself(template, here)
            search = layer.search.read_itself(search, there)
            template, search = layer.template(template, here, search, there), layer.search(search, there, template, here)
            templates.append(template)
            searches.append(search)
        return Look(templates, searches, self.head(self.norm(self.last(search, there, template, here))))

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, uint8 (B, 128, 128, 3): `tokens` (B, T, C)."""
        return {"tokens": self.keep(self.embed(normalize(template)))}

    def step(self, search: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop, uint8 (B, 256, 256, 3), given the state of the targets."""
        verdicts = self.look(tokens, self.embed(normalize(search))).verdicts
        box, score = choose_token(verdicts, self.window, self.window_share)
        return {"box": box, "score": score}


def build(arch: Arch) -> TransT:
    """An untrained network."""
    return TransT(arch)
