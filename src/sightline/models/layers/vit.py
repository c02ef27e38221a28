"""The plain vision transformer: pre-norm blocks of attention and a two-layer perceptron.

B batch, N tokens, C channels, H heads, D = C / H channels of a head. Dosovitskiy et al., ICLR 2021, arXiv:2010.11929.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "BLOCK_KEYS",
    "Attention",
    "Block",
    "CrossAttention",
    "KeysValues",
    "Mlp",
    "PlainBlock",
    "ScaledBlock",
    "attention_weights",
    "packed",
    "quick_gelu",
    "read_scaled",
    "taken",
    "unpacked",
]

# names in the authors' files of the whole family -> names here
BLOCK_KEYS = (
    ("blocks.{}.attn.qkv", "blocks.{}.attention.qkv"),
    ("blocks.{}.attn.proj", "blocks.{}.attention.out"),
    ("blocks.{}.mlp.fc1", "blocks.{}.mlp.up"),
    ("blocks.{}.mlp.fc2", "blocks.{}.mlp.down"),
)

KeysValues: TypeAlias = tuple[Tensor, Tensor]  # (B, H, N, D) twice


def packed(memory: list[KeysValues]) -> dict[str, Tensor]:
    """Keys and values of every block as state: `keys`, `values` (B, blocks, H, N, D)."""
    return {"keys": torch.stack([keys for keys, _ in memory], dim=1), "values": torch.stack([values for _, values in memory], dim=1)}


def unpacked(keys: Tensor, values: Tensor) -> list[KeysValues]:
    """What `packed` made state of."""
    return list(zip(keys.unbind(1), values.unbind(1), strict=True))


def attention_weights(queries: Tensor, keys: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax over keys of scaled products, to which a bias may be added: (B, H, N, D) and (B, H, M, D) to (B, H, N, M)."""
    logits = queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5
    return torch.softmax(logits if bias is None else logits + bias, dim=-1)


def read_scaled(queries: Tensor, keys: Tensor, values: Tensor, shown: Tensor | None = None) -> Tensor:
    """What queries (..., N, D) read of keys and values (..., M, D): (..., N, D). Scaled before the product, and step by step.

    Where `shown` (broadcast to (..., N, M), bool) is given, only what it says is read. Torch's own function rounds elsewhere: too far
    from the published numbers for a network that hands on what it read (MCITrack).
    """
    logits = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-2, -1)
    return torch.softmax(logits if shown is None else logits.masked_fill(~shown, float("-inf")), dim=-1) @ values


class Attention(nn.Module):
    """Multi-head attention, its parts apart so that callers can keep keys and values or look at the weights."""

    def __init__(self, width: int, heads: int, *, qkv_bias: bool = True, qkv: nn.Module | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = qkv or nn.Linear(width, 3 * width, bias=qkv_bias)  # (B, N, C) to (B, N, 3 C)
        self.out = nn.Linear(width, width)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, H, N, D) of tokens (B, N, C)."""
        batch, num, width = x.shape
        qkv = self.qkv(x).reshape(batch, num, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        return qkv[0], qkv[1], qkv[2]

    def merge(self, heads: Tensor) -> Tensor:
        """Tokens (B, N, C) from what each head read (B, H, N, D)."""
        batch, num_heads, num, channels = heads.shape
        return self.out(heads.transpose(1, 2).reshape(batch, num, num_heads * channels))

    def forward(
        self, x: Tensor, memory: KeysValues | None = None, mask: Tensor | None = None, kept: slice | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Let tokens read one another and, before them, a memory.

        Args:
            x: (B, N, C).
            memory: keys and values (B, H, M, D) of tokens that do not read `x` themselves.
            mask: (B, M + N) bool, true where a token, the memory's first, may be read; None: all may.
            kept: those of `x` that somebody asks for; None: all.

        Returns:
            (B, N, C) or those that are kept, and the keys and values of `x` alone.
        """
        queries, keys, values = self.project(x)  # of all: one product is faster than two, though some queries may be for nobody
        queries = queries if kept is None else queries[:, :, kept]
        own = (keys, values)
        if memory is not None:
            keys, values = torch.cat([memory[0], keys], dim=2), torch.cat([memory[1], values], dim=2)
        shown = None if mask is None else mask[:, None, None]
        return self.merge(self.attend(queries, keys, values, shown)), own

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, shown: Tensor | None) -> Tensor:
        """What every head reads (B, H, N, D) of keys and values (B, H, M, D), where `shown` says so."""
        return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=shown)

    def biased(self, x: Tensor, bias: Tensor) -> Tensor:
        """Tokens (B, N, C) that have read one another with a bias (1 or B, H, N, N) on the logits."""
        queries, keys, values = self.project(x)
        return self.merge(attention_weights(queries, keys, bias) @ values)  # torch's own function does not export with such a mask


class CrossAttention(nn.Module):
    """Multi-head attention of one line of tokens to another."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.keys_values = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, other: Tensor, bias: Tensor) -> Tensor:
        """(B, N, C) and (B, M, C) to (B, N, C); `bias` (H, N, M) is added to the logits."""
        keys, values = map(self._split, self.keys_values(other).split(x.shape[2], dim=2))
        read = attention_weights(self._split(self.query(x)), keys, bias) @ values
        return self.out(read.transpose(1, 2).flatten(2))

    def _split(self, tokens: Tensor) -> Tensor:
        """(B, N, C) to (B, H, N, D)."""
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)  # type: ignore[no-untyped-call]  # of torch


def taken(x: Tensor, kept: slice | None) -> Tensor:
    """Those of tokens (B, N, C) that are kept; None: all."""
    return x if kept is None else x[:, kept]


def quick_gelu(x: Tensor) -> Tensor:
    """`x * sigmoid(1.702 * x)`: close to GELU, and what CLIP was trained with (Radford et al., ICML 2021)."""
    return x * torch.sigmoid(1.702 * x)


class Mlp(nn.Module):
    """Linear, exact GELU or another activation, linear."""

    def __init__(self, width: int, hidden: int, *, activation: Callable[[Tensor], Tensor] = functional.gelu) -> None:
        super().__init__()
        self.activation = activation
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., C)."""
        return self.down(self.activation(self.up(x)))


class Block(nn.Module):
    """x + attention(norm x), then x + mlp(norm x)."""

    def __init__(self, width: int, heads: int, *, ratio: float = 4.0, eps: float = 1e-6, qkv_bias: bool = True) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attention = Attention(width, heads, qkv_bias=qkv_bias)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, int(width * ratio))

    def forward(
        self, x: Tensor, memory: KeysValues | None = None, mask: Tensor | None = None, kept: slice | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Tokens (B, N, C) to tokens, and their keys and values; `memory`, `mask` and `kept` as in `Attention.forward`."""
        read, own = self.attention(self.norm1(x), memory, mask, kept)
        x = taken(x, kept) + read
        return x + self.mlp(self.norm2(x)), own


class ScaledBlock(nn.Module):
    """x + gamma_1 attention(norm x), then x + gamma_2 mlp(norm x), with a gamma for each channel. Touvron et al., ICCV 2021, section 2.

    Args:
        width: channels.
        attention: of tokens of that width.
        mlp: likewise.
        start: of every gamma.
    """

    def __init__(self, width: int, attention: Attention, mlp: nn.Module, *, start: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attention, self.mlp = attention, mlp
        self.gamma_1, self.gamma_2 = nn.Parameter(torch.full((width,), start)), nn.Parameter(torch.full((width,), start))

    def keys_values(self, x: Tensor) -> KeysValues:
        """What other tokens read of tokens (B, N, C): (B, H, N, D) twice."""
        _, keys, values = self.attention.project(self.norm1(x))
        return keys, values

    def forward(self, x: Tensor, memory: KeysValues | None = None, kept: slice | None = None) -> Tensor:
        """Tokens (B, N, C) to tokens, which read `memory` (B, H, M, D) as well; to those that are `kept`, where it is given."""
        read, _ = self.attention(self.norm1(x), memory, kept=kept)
        x = taken(x, kept) + self.gamma_1 * read
        update: Tensor = self.mlp(self.norm2(x))
        return x + self.gamma_2 * update


class PlainBlock(nn.Module):
    """`Block` for tokens that keep nothing, or one of its branches alone: "AF", "A" (attention) or "F" (perceptron)."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        branches: str = "AF",
        ratio: int = 4,
        eps: float = 1e-5,
        activation: Callable[[Tensor], Tensor] = functional.gelu,
    ) -> None:
        super().__init__()
        self.branches = branches
        if "A" in branches:
            self.norm1 = nn.LayerNorm(width, eps=eps)
            self.attention = Attention(width, heads)
        if "F" in branches:
            self.norm2 = nn.LayerNorm(width, eps=eps)
            self.mlp = Mlp(width, ratio * width, activation=activation)

    def forward(self, x: Tensor, bias: Tensor | None = None, kept: slice | None = None) -> Tensor:
        """(B, N, C) to (B, N, C), or to those that are `kept`; `bias` as in `Attention.biased`, for all alone."""
        if "A" in self.branches:
            tokens = self.norm1(x)
            read = self.attention(tokens, kept=kept)[0] if bias is None else taken(self.attention.biased(tokens, bias), kept)
            x = taken(x, kept) + read
        else:
            x = taken(x, kept)
        if "F" in self.branches:
            x = x + self.mlp(self.norm2(x))
        return x
