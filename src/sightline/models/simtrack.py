"""SimTrack: template and search tokens in CLIP's transformer; the template's middle is looked at twice, half a token apart.

Paper   Chen et al., ECCV 2022, arXiv:2203.05328; the transformer is CLIP's (Radford et al., ICML 2021)
Facts   docs/trackers/simtrack.md      Spec  sightline/zoo/simtrack.py      Golden  golden/simtrack

Template tokens get their positions from the target's box, search tokens from CLIP's table. Nothing of the template depends
on the search before the first block, so `init` embeds it once.

B batch, T template tokens (n x n), F tokens of its fovea (f x f), S search tokens (G x G), C channels.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import BadSpec
from sightline.models.layers.decode import decode_corners, normalize
from sightline.models.layers.detr import attention_keys
from sightline.models.layers.heads import CORNER_KEYS, CornerHead, CornerMaps, to_grid
from sightline.models.layers.trim import through
from sightline.models.layers.vit import PlainBlock, quick_gelu
from sightline.zoo.simtrack import Arch

__all__ = ["KEYS", "UNUSED", "Look", "Places", "SimTrack", "build"]

CLIP = "backbone.visual"
KEYS = (
    (f"{CLIP}.class_embedding", "class_token"),
    (f"{CLIP}.positional_embedding", "positions"),
    (f"{CLIP}.conv1", "stem"),
    (f"{CLIP}.ln_pre", "norm_in"),
    (f"{CLIP}.ln_post", "norm"),
    *attention_keys(f"{CLIP}.transformer.resblocks.{{}}.attn", "blocks.{}.attention"),
    (f"{CLIP}.transformer.resblocks.{{}}.ln_1", "blocks.{}.norm1"),
    (f"{CLIP}.transformer.resblocks.{{}}.ln_2", "blocks.{}.norm2"),
    (f"{CLIP}.transformer.resblocks.{{}}.mlp.c_fc", "blocks.{}.mlp.up"),
    (f"{CLIP}.transformer.resblocks.{{}}.mlp.c_proj", "blocks.{}.mlp.down"),
    ("backbone.pos_fc", "places.layers"),
    *CORNER_KEYS,
)
UNUSED = (f"{CLIP}.proj",)  # of the pre-training

NEAR = 2e-5  # pixels: what float32 leaves open about a whole number


class Look(NamedTuple):
    """Everything that a network sees on its way.

    tokens    (B, T + 1 + S + F, C): template, class, search, fovea, before the first norm
    stages    the same after each block
    features  (B, T + 1 + S, 256) for the head, without the fovea
    maps      what the head says about every cell
    box       (B, 4) cx, cy, w, h in 0..1 of the search crop
    """

    tokens: Tensor
    stages: list[Tensor]
    features: Tensor
    maps: CornerMaps
    box: Tensor


class Places(nn.Module):
    """Positions of template tokens: a perceptron on how much of the token the target covers, and on where the token is."""

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.side = side
        self.layers = nn.Sequential(nn.Linear(3, width // 2), nn.ReLU(), nn.Linear(width // 2, width), nn.Sigmoid())

    def forward(self, boxes: Tensor) -> Tensor:
        """(B, 4) x, y, w, h in 0..1 of the template to (B, side * side, C) in 0..1, row by row."""
        edges = torch.arange(self.side + 1, device=boxes.device, dtype=boxes.dtype) / self.side
        low, high = boxes[:, :2].clamp(0, 1).unsqueeze(2), (boxes[:, :2] + boxes[:, 2:]).clamp(0, 1).unsqueeze(2)
        shared = (torch.minimum(high, edges[1:]) - torch.maximum(low, edges[:-1])).clamp(min=0) * self.side  # (B, 2, n): along each axis
        across, down = shared.unbind(1)
        covered = down.unsqueeze(2) * across.unsqueeze(1)  # (B, n, n)
        middle = (edges[1:] + edges[:-1]) / 2
        column, row = middle.expand_as(covered), middle.unsqueeze(1).expand_as(covered)
        return self.layers(torch.stack([(covered + 1) / 2, column, row], dim=3).flatten(1, 2))


class SimTrack(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.stem = nn.Conv2d(3, arch.width, arch.patch, arch.patch, bias=False)
        self.class_token = nn.Parameter(torch.zeros(arch.width))
        self.positions = nn.Parameter(torch.zeros(1 + arch.table**2, arch.width))
        self.places = Places(arch.template // arch.patch, arch.width)
        self.norm_in, self.norm = nn.LayerNorm(arch.width), nn.LayerNorm(arch.width)
        self.blocks = nn.ModuleList(PlainBlock(arch.width, arch.heads, activation=quick_gelu) for _ in range(arch.depth))
        self.bottleneck = nn.Linear(arch.width, arch.head_width)
        self.head = CornerHead(arch.head_width, arch.head_width)

    def tokens_of(self, pixels: Tensor) -> Tensor:
        """Normalised (B, 3, h, w) to tokens without positions, row by row."""
        return self.stem(pixels).flatten(2).transpose(1, 2)

    def read_template(self, template: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, C) of a normalised template (B, 3, h, h) and (B, F, C) of its fovea; boxes (B, 4) x, y, w, h in 0..1 of it."""
        arch, side = self.arch, self.places.side
        places = self.places(boxes) * 2 - 1
        num = arch.fovea // arch.patch
        first = (arch.template - arch.fovea) // 2
        if (arch.template - arch.fovea) % (2 * arch.fovea) == 0:
            first += arch.patch // 2  # else it would fall on the tokens that are there
        fovea = template[:, :, first : first + arch.fovea, first : first + arch.fovea]
        grid, last = places.unflatten(1, (side, side)), (side - num) // 2 + 1
        low, high = slice(last - 1, last - 1 + num), slice(last, last + num)
        between = (grid[:, high, high] + grid[:, low, low]) / 2  # as published: whatever the place of the cut
        return self.tokens_of(template) + places, self.tokens_of(fovea) + between.flatten(1, 2)

    def embed_search(self, search: Tensor) -> Tensor:
        """Class token and search tokens (B, 1 + S, C) of a normalised crop (B, 3, h, h)."""
        arch, side = self.arch, self.arch.search // self.arch.patch
        table = self.positions[1:].reshape(1, arch.table, arch.table, -1).permute(0, 3, 1, 2)
        if side != arch.table:
            table = functional.interpolate(table, size=(side, side), mode="bilinear", align_corners=False)
        tokens = self.tokens_of(search) + table.flatten(2).transpose(1, 2)
        return torch.cat([(self.class_token + self.positions[0]).expand(search.shape[0], 1, -1), tokens], dim=1)

    def look(self, template: Tensor, fovea: Tensor, search: Tensor) -> Look:
        """The network after its embeddings (B, T, C), (B, F, C), (B, 1 + S, C), with all that it sees on its way."""
        tokens = entered = torch.cat([template, search, fovea], dim=1)
        tokens = self.norm_in(tokens)
        stages = []
        for block in self.blocks:
            tokens = block(tokens)
            stages.append(tokens)
        features = self.bottleneck(self.norm(tokens)[:, : -fovea.shape[1]])
        maps = self.head(to_grid(features[:, 1 - search.shape[1] :]))
        return Look(entered, stages, features, maps, decode_corners(maps))

    def init(self, template: Tensor, target: Tensor) -> dict[str, Tensor]:
        """State of a target: `tokens` (B, T, C), `fovea` (B, F, C).

        Args:
            template: uint8 (B, h, h, 3).
            target: (B, 4), the box in it as cx, cy, w, h in 0..1.
        """
        size = self.arch.template
        corner = (target[:, :2] - target[:, 2:] / 2) * size
        nearest = corner.round()
        # as published: the corner is cut to a whole pixel, the size is not; where rounding would decide, the exact number does
        corner = torch.where((corner - nearest).abs() < NEAR, nearest, corner.trunc()) / size
        tokens, fovea = self.read_template(normalize(template), torch.cat([corner, target[:, 2:]], dim=1))
        return {"tokens": tokens, "fovea": fovea}

    def step(self, search: Tensor, tokens: Tensor, fovea: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) in a search crop, uint8 (B, h, h, 3), given what `init` kept."""
        joined = torch.cat([tokens, self.embed_search(normalize(search)), fovea], dim=1)
        found = through(self.blocks, self.norm_in(joined), slice(tokens.shape[1] + 1, joined.shape[1] - fovea.shape[1]))
        return {"box": decode_corners(self.head(to_grid(self.bottleneck(self.norm(found)))))}


def build(arch: Arch) -> SimTrack:
    """An untrained network.

    Raises:
        BadSpec: sizes that are not whole tokens, or a fovea that does not fit inside the template.
    """
    if any(size % arch.patch for size in (arch.template, arch.search, arch.fovea)) or not 0 < arch.fovea < arch.template:
        raise BadSpec(
            f"template {arch.template}, search {arch.search} and fovea {arch.fovea}: expected multiples of {arch.patch} pixels, the fovea smaller than the template."
        )
    return SimTrack(arch)
