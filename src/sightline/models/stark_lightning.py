"""STARK-Lightning: search tokens read the template and one another once, then two maps say where the corners are.

Facts   docs/trackers/stark.md (no paper of its own; backbone: Ding et al., CVPR 2021, arXiv:2101.03697)
Spec    sightline/zoo/stark_lightning.py      Golden  golden/stark/lightning*

What the search needs of the template are its keys and values in the only layer: `init` computes them once.

B batch, T = 64 template tokens (8 x 8), S = 400 search tokens (20 x 20), C channels, H heads, D = C / H.
Pixels enter as uint8 (B, H, W, 3) RGB with a mask (B, H, W) of what lies outside the frame, which no token reads; boxes
leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.conv import ConvNorm
from sightline.models.layers.decode import decode_corners, normalize
from sightline.models.layers.detr import Feed, ReadAttention, attention_keys
from sightline.models.layers.heads import CornerMaps, to_grid
from sightline.models.layers.resnet import FrozenNorm
from sightline.zoo.stark_lightning import Arch

__all__ = ["KEYS", "UNUSED", "Lightning", "Template", "build"]

BRANCHES = (
    ("rbr_dense.bn", "dense.norm"),
    ("rbr_dense", "dense"),
    ("rbr_1x1.bn", "point.norm"),
    ("rbr_1x1", "point"),
    ("rbr_identity", "identity"),
)
KEYS = (
    *((f"backbone.body.stage0.{theirs}", f"backbone.0.{ours}") for theirs, ours in BRANCHES),
    *((f"backbone.body.stage{i}.{{}}.{theirs}", f"backbone.{i}.{{}}.{ours}") for i in (1, 2, 3) for theirs, ours in BRANCHES),
    *((f"box_head.conv_tower.{i}.{theirs}", f"head.{i}.{ours}") for i in (0, 1) for theirs, ours in BRANCHES),
    ("box_head.conv_tower.2", "head.2"),
    *attention_keys("transformer.encoder.self_attn", "attention"),
    ("transformer.encoder.linear1", "feed.up"),
    ("transformer.encoder.linear2", "feed.down"),
    ("transformer.encoder.norm1", "norm1"),
    ("transformer.encoder.norm2", "norm2"),
    ("pos_emb_x.row_embed.weight", "search_positions.rows"),
    ("pos_emb_x.col_embed.weight", "search_positions.columns"),
    ("pos_emb_z0.row_embed.weight", "template_positions.rows"),
    ("pos_emb_z0.col_embed.weight", "template_positions.columns"),
)
UNUSED: tuple[str, ...] = ()

STRIDE = 16


class Template(NamedTuple):
    """What the search reads of a template: `keys`, `values` (B, H, T, D), and `mask` (B, T) bool, true where nothing is to be read."""

    keys: Tensor
    values: Tensor
    mask: Tensor


class Branches(nn.Module):
    """A 3x3 and a 1x1 convolution and, where the shape stays, the input itself, each with a norm, added up; then ReLU."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1, frozen: bool = False) -> None:
        super().__init__()
        self.dense = ConvNorm(channels_in, channels_out, 3, stride=stride, padding=1)
        self.point = ConvNorm(channels_in, channels_out, 1, stride=stride)
        self.identity: nn.Module | None = nn.BatchNorm2d(channels_in) if channels_in == channels_out and stride == 1 else None
        if frozen:
            self.dense.norm, self.point.norm = FrozenNorm(channels_out), FrozenNorm(channels_out)
            self.identity = FrozenNorm(channels_in) if self.identity is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        total = self.dense(x) + self.point(x)
        if self.identity is not None:
            total = total + self.identity(x)
        return torch.relu(total)


class Positions(nn.Module):
    """A learned vector for each column and each row of a grid, one behind the other."""

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.rows, self.columns = nn.Parameter(torch.zeros(side, width // 2)), nn.Parameter(torch.zeros(side, width // 2))

    def forward(self) -> Tensor:
        """(1, side * side, width), row by row."""
        side = self.rows.shape[0]
        columns, rows = self.columns.unsqueeze(0).expand(side, -1, -1), self.rows.unsqueeze(1).expand(-1, side, -1)
        return torch.cat([columns, rows], dim=2).flatten(0, 1).unsqueeze(0)


class Lightning(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.backbone = nn.Sequential(Branches(3, arch.stem, stride=2, frozen=True))
        channels = arch.stem
        for width, num in zip(arch.widths, arch.blocks, strict=True):
            stage = nn.Sequential()
            for i in range(num):
                stage.append(Branches(channels, width, stride=1 if i else 2, frozen=True))
                channels = width
            self.backbone.append(stage)
        self.bottleneck = nn.Conv2d(channels, arch.width, 1)
        self.template_positions = Positions(arch.template_grid, arch.width)
        self.search_positions = Positions(arch.search_grid, arch.width)
        self.attention = ReadAttention(arch.width, arch.heads)
        self.feed = Feed(arch.width, arch.hidden)
        self.norm1, self.norm2 = nn.LayerNorm(arch.width), nn.LayerNorm(arch.width)
        self.head = nn.Sequential(
            Branches(arch.width, arch.width), Branches(arch.width, arch.width), nn.Conv2d(arch.width, 2, 3, padding=1)
        )

    def read(self, pixels: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, G * G, C) and mask (B, G * G) of normalised pictures (B, 3, 16 G, 16 G), of which (B, 16 G, 16 G) lies outside."""
        return self.bottleneck(self.backbone(pixels)).flatten(2).transpose(1, 2), padding[:, ::STRIDE, ::STRIDE].flatten(1)

    def keep(self, tokens: Tensor, mask: Tensor) -> Template:
        """What the search reads of template tokens (B, T, C) with a mask (B, T)."""
        return Template(self.attention.split(tokens + self.template_positions(), "keys"), self.attention.split(tokens, "values"), mask)

    def look(self, tokens: Tensor, mask: Tensor, template: Template) -> Tensor:
        """Search tokens (B, S, C), with a mask (B, S), after they have read the template and one another."""
        placed = tokens + self.search_positions()
        keys = torch.cat([template.keys, self.attention.split(placed, "keys")], dim=2)
        values = torch.cat([template.values, self.attention.split(tokens, "values")], dim=2)
        read = self.attention.read(self.attention.split(placed, "queries"), keys, values, torch.cat([template.mask, mask], dim=1))
        x = self.norm1(placed + read)  # as published: the positions stay in the sum
        return self.norm2(x + self.feed(x))

    def decode(self, tokens: Tensor) -> tuple[CornerMaps, Tensor]:
        """What the head says about search tokens (B, S, C), and the box (B, 4)."""
        maps = self.head(to_grid(tokens))
        corners = CornerMaps(maps[:, :1], maps[:, 1:])
        return corners, decode_corners(corners, shift=(0.5, 0.5))

    def init(self, template: Tensor, template_padding: Tensor) -> dict[str, Tensor]:
        """State of a target (`Template`) from a template, uint8 (B, 128, 128, 3), and its padding, bool (B, 128, 128)."""
        return self.keep(*self.read(normalize(template), template_padding))._asdict()

    def step(self, search: Tensor, search_padding: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) in a search crop, uint8 (B, 320, 320, 3), with its padding, bool (B, 320, 320), given what `init` kept."""
        tokens = self.look(*self.read(normalize(search), search_padding), Template(keys, values, mask))
        return {"box": self.decode(tokens)[1]}


def build(arch: Arch) -> Lightning:
    """An untrained network."""
    return Lightning(arch)
