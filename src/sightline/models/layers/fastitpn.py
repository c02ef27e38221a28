"""Fast-iTPN: two stages of perceptrons on each place, then plain attention. Tian et al., TPAMI 2024, arXiv:2211.12735.

Search and template crops go through the first stages apart, and come out as tokens that are told where they lie and what they show.
What SUTrack and MCITrack have in common.

B batch, S search tokens (a G x G grid), T template tokens (Z x Z), each of 16 x 16 pixels, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.convnext import MapNorm
from sightline.models.layers.decode import target_corners
from sightline.models.layers.heads import CENTER_KEYS
from sightline.models.layers.vit import Attention, ScaledBlock, read_scaled

__all__ = ["ENCODER_KEYS", "FastITPN", "corners_of", "shares"]

CELL = 16  # pixels
_BLOCK, _OURS = "encoder.body.blocks.{}", "encoder.blocks.{}"
# names in the authors' files of both trackers -> names here
ENCODER_KEYS = (
    ("encoder.body.patch_embed.proj", "encoder.stem"),
    ("encoder.body.pos_embed", "encoder.positions"),
    ("encoder.body.search_token", "encoder.search_kind"),
    ("encoder.body.template_foreground_token", "encoder.target_kind"),
    ("encoder.body.template_background_token", "encoder.background_kind"),
    (f"{_BLOCK}.attn.q_proj", f"{_OURS}.attention.qkv.queries"),
    (f"{_BLOCK}.attn.k_proj", f"{_OURS}.attention.qkv.keys"),
    (f"{_BLOCK}.attn.v_proj", f"{_OURS}.attention.qkv.values"),
    (f"{_BLOCK}.attn.q_bias", f"{_OURS}.attention.qkv.query_bias"),
    (f"{_BLOCK}.attn.v_bias", f"{_OURS}.attention.qkv.value_bias"),
    (f"{_BLOCK}.attn.proj", f"{_OURS}.attention.out"),
    (f"{_BLOCK}.mlp.w1", f"{_OURS}.mlp.gate"),
    (f"{_BLOCK}.mlp.w2", f"{_OURS}.mlp.value"),
    (f"{_BLOCK}.mlp.w3", f"{_OURS}.mlp.out"),
    (f"{_BLOCK}.mlp.fc1", f"{_OURS}.mlp.up"),
    (f"{_BLOCK}.mlp.fc2", f"{_OURS}.mlp.down"),
    (f"{_BLOCK}.mlp.ffn_ln", f"{_OURS}.mlp.norm"),
    (f"{_BLOCK}", f"{_OURS}"),
    ("encoder.body.fc_norm", "norm"),
    *((theirs.replace("box_head", "decoder"), ours) for theirs, ours in CENTER_KEYS),
)


class _PlaceMlp(nn.Module):
    """A perceptron on the channels of every place of a map, its hidden channels normed."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up, self.norm, self.down = nn.Conv2d(width, hidden, 1), MapNorm(hidden), nn.Conv2d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return self.down(self.norm(functional.gelu(self.up(x))))


class _PlaceBlock(nn.Module):
    """x + mlp(norm x) on every place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm2 = MapNorm(width)
        self.mlp = _PlaceMlp(width, 3 * width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same."""
        return x + self.mlp(self.norm2(x))


class _Merge(nn.Module):
    """Four places to one of twice the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = MapNorm(width)
        self.reduction = nn.Conv2d(width, 2 * width, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, 2 C, h / 2, w / 2)."""
        return self.reduction(self.norm(x))


class _Projections(nn.Module):
    """Queries, keys and values (B, N, 3 C); keys have no bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries, self.keys, self.values = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.query_bias, self.value_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, 3 C)."""
        queries = functional.linear(x, self.queries.weight, self.query_bias)
        return torch.cat([queries, self.keys(x), functional.linear(x, self.values.weight, self.value_bias)], dim=-1)


class _Attention(Attention):
    """Attention that scales first; see `read_scaled`."""

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, shown: Tensor | None) -> Tensor:
        """As `Attention.attend`."""
        return read_scaled(queries, keys, values, shown)


class _GatedMlp(nn.Module):
    """out(norm(silu(gate x) * value x)). Shazeer 2020, arXiv:2002.05202 (SwiGLU)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate, self.value, self.out = nn.Linear(width, hidden), nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(hidden, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., C)."""
        return self.out(self.norm(functional.silu(self.gate(x)) * self.value(x)))


def corners_of(target: Tensor, size: int) -> Tensor:
    """Where the target is in the template crop, as `shares` is told.

    Args:
        target: (B, 4), the box as cx, cy, w, h in 0..1 of the template crop.
        size: of the template crop in pixels.

    Returns:
        (B, 4) as x1, y1, x2, y2 in 0..1; as published, 1 is the last pixel here, and the end of it in `shares`.
    """
    return target_corners(target, size) * (size / (size - 1))


def shares(corners: Tensor, side: int) -> Tensor:
    """How much of every token's pixels a box covers.

    Args:
        corners: (B, 4) as x1, y1, x2, y2 in 0..1 of the crop; a pixel belongs to the box from its first edge on.
        side: tokens along each side of the crop.

    Returns:
        (B, side * side, 1) in 0..1, row by row.
    """
    pixels = torch.arange(CELL * side, device=corners.device)
    low, high = (corners * (CELL * side)).unsqueeze(2).chunk(2, dim=1)  # (B, 2, 1) each
    inside = ((pixels >= low) & (pixels < high)).float().reshape(-1, 2, side, CELL).mean(dim=3)  # (B, 2, side)
    return (inside[:, 1, :, None] * inside[:, 0, None, :]).reshape(-1, side * side, 1)


class FastITPN(nn.Module):
    """See the module's docstring.

    Args:
        channels: of what goes in.
        width: C; the first stage has a quarter of it, the second half.
        stages: blocks of the first two stages.
        depth: blocks of attention.
        heads: of each.
        search_grid: G.
        template_grid: Z.
    """

    def __init__(
        self, *, channels: int, width: int, stages: tuple[int, int], depth: int, heads: int, search_grid: int, template_grid: int
    ) -> None:
        super().__init__()
        self.num_search, self.template_grid = search_grid**2, template_grid
        self.stem = nn.Conv2d(channels, width // 4, 4, 4)
        blocks: list[nn.Module] = []
        for num, narrow in zip(stages, (width // 4, width // 2), strict=True):
            blocks += [*(_PlaceBlock(narrow) for _ in range(num)), _Merge(narrow)]
        self.first = len(blocks)  # block of attention
        for _ in range(depth):
            attention = _Attention(width, heads, qkv=_Projections(width))
            blocks.append(ScaledBlock(width, attention, _GatedMlp(width, 3 * width), start=0.1))
        self.blocks = nn.ModuleList(blocks)
        self.positions = nn.Parameter(torch.zeros(1, self.num_search + template_grid**2, width))
        self.search_kind, self.target_kind, self.background_kind = (nn.Parameter(0.02 * torch.randn(width)) for _ in range(3))

    def _places(self, pixels: Tensor) -> Tensor:
        """Tokens (B, N, C) of a normalised crop (B, channels, h, w), which know nothing of each other yet."""
        x = self.stem(pixels)
        for block in self.blocks[: self.first]:
            x = block(x)
        return x.flatten(2).transpose(1, 2)

    def search_tokens(self, pixels: Tensor) -> Tensor:
        """Tokens (B, S, C) of a normalised search region (B, channels, 16 G, 16 G)."""
        return self._places(pixels) + self.positions[:, : self.num_search] + self.search_kind

    def template_tokens(self, pixels: Tensor, corners: Tensor) -> Tensor:
        """Tokens (B, T, C) of a template.

        Args:
            pixels: normalised (B, channels, 16 Z, 16 Z).
            corners: (B, 4), the target as x1, y1, x2, y2 in 0..1 of the crop.
        """
        target = shares(corners, self.template_grid)
        kind = target * self.target_kind + (1 - target) * self.background_kind
        return self._places(pixels) + self.positions[:, self.num_search :] + kind

    @property
    def readers(self) -> list[nn.Module]:
        """The blocks of attention, in order."""
        return list(self.blocks[self.first :])
