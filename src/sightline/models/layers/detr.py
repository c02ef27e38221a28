"""Transformers that read one line of tokens with another, after DETR (Carion et al., ECCV 2020, arXiv:2005.12872).

Norm comes after each addition; positions are added to queries and keys, never to values. The end of TransT and HCAT: every
search token says by itself whether it is on the target, and where the target's box is.

B batch, N or M tokens, C channels, H heads, D = C / H.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from sightline.models.layers.heads import PerceptronHead

__all__ = [
    "PER_TOKEN_KEYS",
    "PerTokenHead",
    "ReadAttention",
    "Reader",
    "Verdicts",
    "attention_keys",
    "choose_token",
    "masked_sines",
    "sine_positions",
    "transformer_keys",
]


def attention_keys(theirs: str, ours: str) -> tuple[tuple[str, str], ...]:
    """The names of a torch.nn.MultiheadAttention -> those of a `ReadAttention`."""
    return (
        (f"{theirs}.in_proj_weight", f"{ours}.qkv.weight"),
        (f"{theirs}.in_proj_bias", f"{ours}.qkv.bias"),
        (f"{theirs}.out_proj", f"{ours}.out"),
    )


def transformer_keys(theirs: str) -> tuple[tuple[str, str], ...]:
    """The names of DETR's transformer -> those of Readers in `encoder`, Readers that read themselves in `decoder`, and `norm`."""
    encoder, decoder = f"{theirs}.encoder.layers.{{}}", f"{theirs}.decoder.layers.{{}}"
    return (
        *attention_keys(f"{encoder}.self_attn", "encoder.{}.other"),
        (f"{encoder}.norm1", "encoder.{}.norm2"),
        (f"{encoder}.norm2", "encoder.{}.norm3"),
        (f"{encoder}.linear1", "encoder.{}.feed.up"),
        (f"{encoder}.linear2", "encoder.{}.feed.down"),
        *attention_keys(f"{decoder}.self_attn", "decoder.{}.own"),
        *attention_keys(f"{decoder}.multihead_attn", "decoder.{}.other"),
        (f"{decoder}.linear1", "decoder.{}.feed.up"),
        (f"{decoder}.linear2", "decoder.{}.feed.down"),
        (f"{theirs}.decoder.layers", "decoder"),
        (f"{theirs}.decoder.norm", "norm"),
    )


_LAST = "featurefusion_network.decoder.layers.0"
# how TransT and HCAT end: names in the authors' files -> names here
PER_TOKEN_KEYS = (
    *attention_keys(f"{_LAST}.multihead_attn", "last.other"),
    (f"{_LAST}.norm1", "last.norm2"),
    (f"{_LAST}.norm2", "last.norm3"),
    (f"{_LAST}.linear1", "last.feed.up"),
    (f"{_LAST}.linear2", "last.feed.down"),
    ("featurefusion_network.decoder.norm", "norm"),
    ("class_embed", "head.kind"),
    ("bbox_embed", "head.box"),
)


def sine_positions(side: int, width: int) -> Tensor:
    """`masked_sines` of a square grid in which every cell counts: (1, side * side, width) float32."""
    return masked_sines(torch.zeros(1, side, side, dtype=torch.bool), width)


def masked_sines(mask: Tensor, width: int) -> Tensor:
    """Positions of the cells of a grid: half of the channels for the row, half for the column.

    Row r = 1..n of those that count stands at angle 2 pi r / n; channel pairs hold sine and cosine of it over 10000^(4 j / width).

    Args:
        mask: (B, G, G) bool, true where a cell does not count; it stands where the one before it stands.
        width: channels.

    Returns:
        (B, G * G, width) float32, row by row.
    """
    counted = (~mask).float()
    channel = torch.arange(width // 2, device=mask.device).float()
    period = 10000 ** (2 * torch.div(channel, 2, rounding_mode="floor") / (width // 2))
    halves = []
    for axis in (1, 2):
        place = counted.cumsum(dim=axis)
        angle = place / (place.amax(dim=axis, keepdim=True) + 1e-6) * (2 * math.pi)
        phases = angle.unsqueeze(3) / period
        halves.append(torch.stack([phases[..., 0::2].sin(), phases[..., 1::2].cos()], dim=4).flatten(3))
    return torch.cat(halves, dim=3).flatten(1, 2)


class ReadAttention(nn.Module):
    """Multi-head attention with queries, keys and values from different places."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def split(self, x: Tensor, part: Literal["queries", "keys", "values"]) -> Tensor:
        """Tokens (B, N, C) as queries, keys or values of every head: (B, H, N, D)."""
        first, width = ("queries", "keys", "values").index(part) * x.shape[2], x.shape[2]
        rows = slice(first, first + width)  # a `chunk` of constants makes the exporter print
        y = functional.linear(x, self.qkv.weight[rows], self.qkv.bias[rows])
        return y.unflatten(2, (self.heads, -1)).transpose(1, 2)  # type: ignore[no-untyped-call]  # of torch

    def read(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None, *, ordered: bool = False) -> Tensor:
        """Tokens (B, N, C) from queries (B, H, N, D), and keys and values (B, H, M, D).

        A mask (B, M) is true where none may be read. Where tokens are `ordered`, none reads a later one.
        """
        seen = None if mask is None else ~mask.unsqueeze(1).unsqueeze(1)
        # with a mask, the gradients of CUDA's fused kernel can be NaN where those of the plain products are finite (torch 2.11)
        plain = mask is not None and queries.is_cuda
        with sdpa_kernel(SDPBackend.MATH) if plain else nullcontext():
            heads = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=seen, is_causal=ordered)
        return self.out(heads.transpose(1, 2).flatten(2))

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, N, C), and (B, M, C) twice, to (B, N, C); mask as in `read`."""
        return self.read(self.split(queries, "queries"), self.split(keys, "keys"), self.split(values, "values"), mask)


class Feed(nn.Module):
    """Linear, ReLU, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, C)."""
        return self.down(torch.relu(self.up(x)))


class Reader(nn.Module):
    """Tokens that read one another (`reads_itself`) and then other tokens, each followed by addition and norm; then a perceptron."""

    def __init__(self, width: int, heads: int, hidden: int, *, reads_itself: bool = False) -> None:
        super().__init__()
        if reads_itself:
            self.own = ReadAttention(width, heads)
            self.norm1 = nn.LayerNorm(width)
        self.other = ReadAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.feed = Feed(width, hidden)
        self.norm3 = nn.LayerNorm(width)

    def read_itself(self, x: Tensor, positions: Tensor) -> Tensor:
        """Tokens (B, N, C) at positions (1, N, C) to tokens."""
        placed = x + positions
        return self.norm1(x + self.own(placed, placed, x))

    def forward(self, x: Tensor, positions: Tensor, other: Tensor, other_positions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens (B, N, C) that read others (B, M, C), at positions (1, N, C) and (1, M, C), but not those that a mask (B, M) hides."""
        x = self.norm2(x + self.other(x + positions, other + other_positions, other, mask))
        return self.norm3(x + self.feed(x))


class Verdicts(NamedTuple):
    """What every search token says: logits (B, N, 2) of being on the target and not; box (B, N, 4) cx, cy, w, h in 0..1 of the crop."""

    logits: Tensor
    boxes: Tensor


class PerTokenHead(nn.Module):
    """Two perceptrons of three layers, on every token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kind = PerceptronHead(width, width, outputs=2)
        self.box = PerceptronHead(width, width)

    def forward(self, tokens: Tensor) -> Verdicts:
        """(B, N, C) to `Verdicts`."""
        return Verdicts(self.kind(tokens), torch.sigmoid(self.box(tokens)))


def choose_token(verdicts: Verdicts, window: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """The box of the token that is most likely on the target, where the window has a share in what is likely.

    Args:
        verdicts: of N tokens.
        window: (N,) in 0..1.
        share: of the window, in 0..1.

    Returns:
        boxes (B, 4) as cx, cy, w, h in 0..1 of the search crop, and the probabilities (B,) without the window.
    """
    probability = verdicts.logits.softmax(dim=2)[..., 0]
    best = (probability * (1 - share) + window * share).argmax(dim=1, keepdim=True)  # (B, 1)
    box = verdicts.boxes.gather(1, best.unsqueeze(2).expand(-1, -1, 4)).squeeze(1)
    return box, probability.gather(1, best).squeeze(1)
