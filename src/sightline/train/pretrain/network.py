"""Masked autoencoders over one crop or a pair: the encoder of a tracker learns to draw what it is not shown.

Papers  He et al., CVPR 2022, arXiv:2111.06377 (MAE); Wu et al., CVPR 2023, arXiv:2304.00571 (TwinMAE, DropMAE);
        Zhao et al., CVPR 2023 (MAT); MTR has none
Facts   docs/trackers/pretraining.md, docs/trackers/vittrack.md section 6      Golden  golden/mtr

B batch, N tokens of all crops in their order, K of them visible, C channels of the encoder, D of the decoder, P values of a patch.
Pixels enter normalised, (B, 3, 16 G, 16 G).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from sightline.models.layers.conv import Stem, StemKind
from sightline.models.layers.positions import grid_sines, sinusoid_table
from sightline.models.layers.vit import BLOCK_KEYS, PlainBlock
from sightline.train.pretrain.dropout import through_dropped
from sightline.train.pretrain.masks import PATCH
from sightline.train.pretrain.stems import sealed

__all__ = ["KEYS", "Arch", "Autoencoder", "Drawing", "Role"]

Role: TypeAlias = Literal["search", "template"]

KEYS = (
    ("patch_embed.proj.{}.c", "stem.layers.{}.conv"),
    ("patch_embed.proj.{}.bn", "stem.layers.{}.norm"),
    ("patch_embed.proj", "stem.layers.0"),
    ("z_patch_embed.proj", "template_stem.layers.0"),
    ("cls_token", "class_token"),
    ("pos_embed", "positions"),
    *BLOCK_KEYS,
    ("decoder_embed", "to_decoder"),
    ("decoder_pos_embed", "decoder_positions"),
    *((f"decoder_{theirs}", f"decoder_{ours}") for theirs, ours in BLOCK_KEYS),
    ("decoder_pred", "to_pixels"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """A network.

    Attributes:
        depth: blocks of the encoder; `width` and `heads` are theirs.
        width: channels.
        heads: of the attention.
        stem: of all crops.
        eps: of all layer norms.
        roles: what each crop is to a tracker, in the order of their tokens.
        sides: cells along each side of each crop's grid.
        class_token: one more token, first, never hidden.
        positions: sines of one line over all crops, or of each crop's own grid.
        frame_vectors: a learned vector for each crop, in encoder and decoder.
        template_stem: the template has a stem of its own.
        seal: hide pixels before the stem (`stems.sealed`); as published only tokens are hidden.
        decode: all crops together, or each on its own with the class token.
        dropout: share of the decoder's within-frame attention that is cut in training; needs two crops of one size, no class token.
        decoder_depth: likewise of the decoder.
        decoder_width: channels.
        decoder_heads: of the attention.
    """

    depth: int
    width: int
    heads: int
    stem: StemKind = "conv16"
    eps: float = 1e-6
    roles: tuple[Role, ...] = ("search", "template")
    sides: tuple[int, ...] = (16, 16)
    class_token: bool = True
    positions: Literal["line", "grid"] = "grid"
    frame_vectors: bool = False
    template_stem: bool = False
    seal: bool = False
    decode: Literal["together", "apart"] = "together"
    dropout: float = 0.0
    decoder_depth: int = 8
    decoder_width: int = 512
    decoder_heads: int = 16

    @property
    def counts(self) -> tuple[int, ...]:
        """Tokens of each crop."""
        return tuple(side * side for side in self.sides)


class Drawing(NamedTuple):
    """What came of a batch.

    latent   (B, class + K, C) after the encoder's last norm; visible tokens in their order
    patches  (B, N, P), the decoder's guess at every patch
    """

    latent: Tensor
    patches: Tensor


class Autoencoder(nn.Module):
    """See the module's docstring."""

    positions: Tensor
    decoder_positions: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.stem = Stem(arch.width, arch.stem)
        self.template_stem = Stem(arch.width, arch.stem) if arch.template_stem else None
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, arch.width)) if arch.class_token else None
        self.blocks = nn.ModuleList(PlainBlock(arch.width, arch.heads, eps=arch.eps) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=arch.eps)
        wide = arch.decoder_width
        self.to_decoder = nn.Linear(arch.width, wide)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, wide))
        self.decoder_blocks = nn.ModuleList(PlainBlock(wide, arch.decoder_heads, eps=arch.eps) for _ in range(arch.decoder_depth))
        self.decoder_norm = nn.LayerNorm(wide, eps=arch.eps)
        self.to_pixels = nn.Linear(wide, PATCH * PATCH * 3)
        self.register_buffer("positions", _positions(arch, arch.width))
        self.register_buffer("decoder_positions", _positions(arch, wide))
        crops = len(arch.sides)
        self.frame_vectors = nn.Parameter(0.02 * torch.randn(crops, arch.width)) if arch.frame_vectors else None
        self.decoder_frame_vectors = nn.Parameter(0.02 * torch.randn(crops, wide)) if arch.frame_vectors else None

    def forward(self, crops: Sequence[Tensor], visible: Tensor) -> Drawing:
        """Draw all crops from their visible patches.

        Args:
            crops: normalised, in the order of `Arch.roles`.
            visible: (B, N) bool, the same number true in every row.
        """
        latent = self.encode(crops, visible)
        return Drawing(latent, self.decode(latent, visible))

    def encode(self, crops: Sequence[Tensor], visible: Tensor) -> Tensor:
        """Visible tokens through the encoder: `Drawing.latent`."""
        front = self.arch.class_token
        tokens = torch.cat(self._embed(crops, visible), dim=1) + self.positions[:, front:]
        if self.frame_vectors is not None:
            tokens = tokens + self._by_crop(self.frame_vectors)
        tokens = tokens[visible].reshape(tokens.shape[0], -1, tokens.shape[2])
        if self.class_token is not None:
            first = self.class_token + self.positions[:, :1]
            tokens = torch.cat([first.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def decode(self, latent: Tensor, visible: Tensor) -> Tensor:
        """`Drawing.patches` from what the encoder made of the visible tokens."""
        front = self.arch.class_token
        x = self.to_decoder(latent)
        hidden = self.mask_token.to(x.dtype).expand(*visible.shape, -1)
        tokens = hidden.masked_scatter(visible.unsqueeze(2), x[:, front:]) + self.decoder_positions[:, front:]
        if self.decoder_frame_vectors is not None:
            tokens = tokens + self._by_crop(self.decoder_frame_vectors)
        first = x[:, :front] + self.decoder_positions[:, :front]
        groups = [tokens] if self.arch.decode == "together" else torch.split(tokens, list(self.arch.counts), dim=1)
        return torch.cat([self._draw(torch.cat([first, group], dim=1))[:, front:] for group in groups], dim=1)

    def _embed(self, crops: Sequence[Tensor], visible: Tensor) -> list[Tensor]:
        """Tokens (B, G G, C) of each crop."""
        made = []
        for role, crop, shown in zip(self.arch.roles, crops, torch.split(visible, list(self.arch.counts), dim=1), strict=True):
            stem = self.template_stem if role == "template" and self.template_stem is not None else self.stem
            made.append(sealed(stem, crop, shown) if self.arch.seal else stem(crop))
        return made

    def _by_crop(self, vectors: Tensor) -> Tensor:
        """(crops, C) to (1, N, C)."""
        return torch.cat([vector.expand(1, count, -1) for vector, count in zip(vectors, self.arch.counts, strict=True)], dim=1)

    def _draw(self, tokens: Tensor) -> Tensor:
        """Tokens of the decoder to patches."""
        for block in self.decoder_blocks:
            if self.training and self.arch.dropout:
                assert isinstance(block, PlainBlock)
                tokens = through_dropped(block, tokens, self.arch.dropout)
            else:
                tokens = block(tokens)
        return self.to_pixels(self.decoder_norm(tokens))


def _positions(arch: Arch, width: int) -> Tensor:
    """Fixed table (1, class + N, width), zeros for a class token."""
    if arch.positions == "line":
        table = sinusoid_table(sum(arch.counts), width).unsqueeze(0)
    else:
        table = torch.cat([torch.zeros(1, 1, width), *(grid_sines(side, width) for side in arch.sides)], dim=1)
    return table if arch.class_token else table[:, 1:]
