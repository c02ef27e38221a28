"""In which order template and search tokens stand in one line, and how to take the line apart again.

Attention does not know the order, so it changes no result; published networks differ in it. Every function works on
tensors (B, N, ...) along axis 1.

direct            template, search
template-central  first half of the search tokens, template, second half
partition         template with its lower half moved to the right of its upper half, search
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor

__all__ = ["Order", "join", "partition", "split", "unpartition"]

Order: TypeAlias = Literal["direct", "template-central", "partition"]


def join(template: Tensor, search: Tensor, order: Order) -> Tensor:
    """One line of tokens from template (B, T, ...) and search tokens (B, S, ...)."""
    if order == "template-central":
        half = search.shape[1] // 2
        return torch.cat([search[:, :half], template, search[:, half:]], dim=1)
    return torch.cat([partition(template) if order == "partition" else template, search], dim=1)


def split(tokens: Tensor, num_template: int, order: Order) -> tuple[Tensor, Tensor]:
    """Template (B, T, ...) and search tokens (B, S, ...), each in its own order: undoes `join` for any number of search tokens."""
    if order == "template-central":
        half = (tokens.shape[1] - num_template) // 2
        search = torch.cat([tokens[:, :half], tokens[:, half + num_template :]], dim=1)
        return tokens[:, half : half + num_template], search
    if order == "partition":
        side = math.isqrt(num_template)
        end = 2 * math.ceil(side / 2) * side
        return unpartition(tokens[:, :end], side), tokens[:, end:]
    return tokens[:, :num_template], tokens[:, num_template:]


def partition(tokens: Tensor) -> Tensor:
    """A square (B, n * n, ...) cut into an upper and a lower half laid side by side, row by row.

    Where n is odd, a row of zeros is put on top first: (B, (n + 1) * n, ...).
    """
    side = math.isqrt(tokens.shape[1])
    if side % 2:
        tokens = torch.cat([torch.zeros_like(tokens[:, :side]), tokens], dim=1)
    return _swap(tokens, 2, tokens.shape[1] // (2 * side))


def unpartition(tokens: Tensor, side: int) -> Tensor:
    """The square (B, side * side, ...) that `partition` was given."""
    rows = _swap(tokens, tokens.shape[1] // (2 * side), 2)
    return rows[:, side:] if side % 2 else rows


def _swap(tokens: Tensor, outer: int, inner: int) -> Tensor:
    """Rows of a grid (B, outer * inner * side, ...) in the order inner, outer."""
    batch, num, *rest = tokens.shape
    return tokens.reshape(batch, outer, inner, num // (outer * inner), *rest).transpose(1, 2).reshape(batch, num, *rest)
