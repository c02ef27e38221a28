"""LiteTrack: a shallow ViT reads the template once; only the last blocks let the search tokens read it.

Paper   Wei et al., ICRA 2024, arXiv:2309.09249
Facts   docs/trackers/litetrack.md      Spec  sightline/zoo/litetrack.py      Golden  golden/litetrack

The template goes through all blocks by itself, behind one token that tells where the target is. The finished template
tokens are what every mixing block reads, so their keys and values are all that a frame needs of them.

B batch, T = 64 template tokens, S = 256 search tokens (a 16 x 16 grid), M mixing blocks, C channels, H heads, D = C / H.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.errors import BadSpec
from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import hann2d, normalize, target_corners
from sightline.models.layers.heads import CENTER_KEYS, CenterHead, CenterMaps, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.vit import BLOCK_KEYS, Attention, KeysValues, Mlp, ScaledBlock, packed, unpacked
from sightline.zoo.litetrack import Arch

__all__ = ["KEYS", "UNUSED", "LiteTrack", "build"]

KEYS = (
    ("backbone.patch_embed.proj", "stem.layers.0"),
    ("backbone.pos_embed_z", "template_positions"),
    ("backbone.pos_embed_x", "search_positions"),
    ("backbone.blocks.{}.attn.q_bias", "blocks.{}.attention.query_bias"),
    ("backbone.blocks.{}.attn.v_bias", "blocks.{}.attention.value_bias"),
    *((f"backbone.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "blocks"),
    ("target_token_embed.fc1", "target_token.0"),
    ("target_token_embed.fc2", "target_token.2"),
    *CENTER_KEYS,
)
UNUSED = ("backbone.cls_token", "backbone.pos_embed")  # of the pre-training


class KeylessBiasAttention(Attention):
    """Attention whose queries and values have a bias and whose keys have none (Chen et al., IJCV 2024, CAE)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads, qkv_bias=False)
        self.query_bias = nn.Parameter(torch.zeros(width))
        self.value_bias = nn.Parameter(torch.zeros(width))

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, H, N, D) of tokens (B, N, C)."""
        batch, num, width = x.shape
        bias = torch.cat([self.query_bias, torch.zeros_like(self.query_bias), self.value_bias])
        qkv = (self.qkv(x) + bias).reshape(batch, num, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        return qkv[0], qkv[1], qkv[2]


class LiteTrack(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.num_alone = arch.depth - arch.mixing
        self.stem = Stem(arch.width, "conv16")
        self.template_positions = nn.Parameter(torch.zeros(1, 64, arch.width))
        self.search_positions = nn.Parameter(torch.zeros(1, 256, arch.width))
        self.target_token = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, arch.width))
        self.blocks = nn.ModuleList(
            ScaledBlock(arch.width, KeylessBiasAttention(arch.width, arch.heads), Mlp(arch.width, 4 * arch.width), start=0.1)
            for _ in range(arch.depth)
        )
        self.head = CenterHead(arch.width, arch.head_width)
        self.register_buffer("window", hann2d(16), persistent=False)

    def read_template(self, pixels: Tensor, corners: Tensor | None) -> Tensor:
        """Finished template tokens (B, T, C).

        Args:
            pixels: normalised template (B, 3, 128, 128).
            corners: x1, y1, x2, y2 (B, 4) of the target in 0..1 of the template crop; None leaves the target token out.
        """
        tokens = self.stem(pixels) + self.template_positions
        if corners is not None:
            tokens = torch.cat([self.target_token(corners).unsqueeze(1), tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens[:, -64:]

    def remember(self, template: Tensor) -> list[KeysValues]:
        """Keys and values (B, H, T, D) for every mixing block, of finished template tokens (B, T, C)."""
        return [block.keys_values(template) for block in self.blocks[self.num_alone :]]  # type: ignore[operator]  # slices of a ModuleList

    def read_alone(self, pixels: Tensor) -> Tensor:
        """Search tokens (B, S, C) after the blocks that see no template, from a normalised crop (B, 3, 256, 256)."""
        tokens = self.stem(pixels) + self.search_positions
        for block in self.blocks[: self.num_alone]:
            tokens = block(tokens)
        return tokens

    def mix(self, tokens: Tensor, memory: list[KeysValues]) -> Tensor:
        """Search tokens (B, S, C) after the mixing blocks; there is no last norm."""
        for block, of_template in zip(self.blocks[self.num_alone :], memory, strict=True):
            tokens = block(tokens, of_template)
        return tokens

    def look(self, tokens: Tensor) -> CenterMaps:
        """What the head says about search tokens (B, S, C)."""
        return self.head(to_grid(tokens))

    def init(self, template: Tensor, target: Tensor) -> dict[str, Tensor]:
        """State of one target: `keys` and `values` (B, M, H, T, D).

        Args:
            template: uint8 (B, 128, 128, 3).
            target: (B, 4), the box in the template crop as cx, cy, w, h in 0..1.
        """
        corners = target_corners(target, template.shape[1])
        return packed(self.remember(self.read_template(normalize(template), corners)))

    def step(self, search: Tensor, keys: Tensor, values: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop, uint8 (B, 256, 256, 3), given the state of the targets."""
        tokens = self.mix(self.read_alone(normalize(search)), unpacked(keys, values))
        box, score = find_center(self.head, to_grid(tokens), self.window)
        return {"box": box, "score": score}


def build(arch: Arch) -> LiteTrack:
    """An untrained network.

    Raises:
        BadSpec: no mixing block, or more of them than blocks.
    """
    if not 0 < arch.mixing <= arch.depth:
        raise BadSpec(f"{arch.mixing} of {arch.depth} blocks mix; expected at least one and at most all.")
    return LiteTrack(arch)
