"""Candidate elimination: search tokens that the template hardly looks at leave the network early.

Ye et al., ECCV 2022, section 3.2; golden/components/{candidate_elimination,ce_mask,ce_keep_rate}.

B batch, H heads, T template tokens (an n x n grid), S search tokens, K of them kept, C channels.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor

__all__ = [
    "Aggregate",
    "Survivors",
    "attended",
    "centre_mask",
    "eliminate",
    "keep_rate",
    "merge",
    "query_weights",
    "relevance",
    "restore",
    "target_mask",
]

Aggregate: TypeAlias = Literal["mean", "sum", "max"]

PATCH = 16  # pixels along each side of a token


class Survivors(NamedTuple):
    """What an elimination leaves.

    tokens (B, K, C) and their places (B, K) in the search grid, the most relevant first; removed (B, S - K) places, likewise.
    """

    tokens: Tensor
    places: Tensor
    removed: Tensor


def relevance(attention: Tensor, weights: Tensor) -> Tensor:
    """How much the chosen template tokens look at each search token.

    Args:
        attention: (B, H, T, S), the part of the softmax in which template tokens read search tokens.
        weights: (1 or B, T) of the template tokens, of sum 1 (`query_weights`).

    Returns:
        (B, S), mean over heads.
    """
    return (attention.mean(dim=1) * weights.unsqueeze(2)).sum(dim=1)


def attended(attention: Tensor, weights: Tensor, by: Aggregate) -> Tensor:
    """`relevance`, or the sum or the largest value, over heads and chosen template tokens: (B, S); arguments as there."""
    chosen = weights > 0
    if by == "max":
        return (attention * chosen.unsqueeze(1).unsqueeze(3)).amax(dim=(1, 2))
    mean = relevance(attention, weights)
    return mean if by == "mean" else mean * attention.shape[1] * chosen.sum(dim=1, keepdim=True)


def merge(tokens: Tensor, attention: Tensor, is_gone: Tensor) -> Tensor:
    """One token (B, 1, C): the average of those (B, S, C) that are gone (B, S) bool, at least one, weighted by attention (B, S)."""
    share = attention * is_gone
    return (tokens * (share / share.sum(dim=1, keepdim=True)).unsqueeze(2)).sum(dim=1, keepdim=True)


def eliminate(tokens: Tensor, places: Tensor, scores: Tensor, keep: float) -> Survivors:
    """Keep the ceil(keep * S) search tokens of highest score.

    Args:
        tokens: (B, S, C).
        places: (B, S) int64, where in the search grid they stand.
        scores: (B, S).
        keep: share in 0..1; where it keeps all of them, their order stays too.
    """
    num = tokens.shape[1]
    num_kept = math.ceil(keep * num)
    if num_kept >= num:
        return Survivors(tokens, places, places[:, :0])
    order = scores.topk(num, dim=1).indices
    kept = order[:, :num_kept]
    return Survivors(
        tokens.gather(1, kept.unsqueeze(2).expand(-1, -1, tokens.shape[2])), places.gather(1, kept), places.gather(1, order[:, num_kept:])
    )


def restore(tokens: Tensor, places: Tensor, num: int) -> Tensor:
    """All `num` places (B, num, C) of the search grid; zeros where a token (B, K, C) was eliminated."""
    empty = tokens.new_zeros(tokens.shape[0], num, tokens.shape[2])
    return empty.scatter(1, places.unsqueeze(2).expand(-1, -1, tokens.shape[2]), tokens)


def centre_mask(side: int, *, single: bool) -> Tensor:
    """The middle of a side x side grid: (1, side * side) bool, row by row.

    `single`: one token, for an even side the one up and left of the middle; else the two by two (odd side: one) in the middle.
    """
    low = (side - 1) // 2
    high = low + 1 if single else side // 2 + 1
    cells = torch.arange(side)
    line = (cells >= low) & (cells < high)
    return (line.unsqueeze(1) & line).reshape(1, -1)


def target_mask(boxes: Tensor, size: int) -> Tensor:
    """Template tokens that show the target.

    Args:
        boxes: (B, 4) x, y, w, h in 0..1 of the template crop.
        size: of the template crop in pixels.

    Returns:
        (B, T) bool, row by row. A token counts where one of the two pixel rows and one of the two pixel columns in its
        middle lie in the box; none may.
    """
    low = torch.trunc(boxes[:, :2] * size)
    # as published: the box ends one pixel early
    high = torch.trunc(boxes[:, :2] * size + boxes[:, 2:] * size - 1)
    middle = torch.arange(size // PATCH, device=boxes.device) * PATCH + PATCH // 2  # and the pixel before it
    first = torch.maximum(low.clamp(min=0).unsqueeze(2), middle - 1)  # (B, 2, n)
    inside = (first <= middle) & (first < high.unsqueeze(2))
    across, down = inside.unbind(1)
    return (down.unsqueeze(2) & across.unsqueeze(1)).flatten(1)


def query_weights(mask: Tensor) -> Tensor:
    """Equal weights (B, T), of sum 1, of the tokens in a mask (B, T); of all tokens where it is empty."""
    chosen = (mask | ~mask.any(dim=1, keepdim=True)).float()
    return chosen / chosen.sum(dim=1, keepdim=True)


def keep_rate(epoch: int, *, base: float = 0.7, start: int = 20, warm: int = 80) -> float:
    """The share kept in a training epoch: all before `start`, then falling along a cosine for `warm` epochs to `base`."""
    done = min(max((epoch - start) / warm, 0.0), 1.0)
    return base + (1 - base) * 0.5 * (1 + math.cos(math.pi * done))
