"""Attention that is kept from looking at its own frame, so that it has to find things in the other.

B batch, H heads, N tokens of each of two frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.models.layers.vit import PlainBlock

__all__ = ["dropped_entries", "through_dropped"]


def dropped_entries(attention: Tensor, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Which within-frame entries of an attention are cut, drawn where a query has found a match in the other frame.

    The weight of query i and key j of one frame is max over the other frame's keys of A[i, :], times A[i, j] over the sum of row i
    within the frame without its diagonal. int(share (N - 1)) 2 N entries are drawn without replacement.

    Args:
        attention: (B, H, 2 N, 2 N), after softmax, without gradient.
        share: of each row's within-frame entries that is cut on average, 0..1.
        generator: of the draws, on the attention's device.

    Returns:
        (B, H, 2 N, 2 N) bool; never true between frames or on the diagonal.

    Source: Wu et al., CVPR 2023, arXiv:2304.00571 (DropMAE), section 3.3; docs/trackers/pretraining.md.
    """
    batch, heads, twice, _ = attention.shape
    num = twice // 2
    quarters = attention.reshape(batch, heads, 2, num, 2, num)
    own = torch.stack([quarters[:, :, i, :, i] for i in (0, 1)], dim=2)  # (B, H, 2, N, N)
    other = torch.stack([quarters[:, :, i, :, 1 - i] for i in (0, 1)], dim=2)
    match = other.amax(dim=-1, keepdim=True) + 1e-6
    spread = (own + 1e-6) * ~torch.eye(num, dtype=torch.bool, device=attention.device)
    weights = match * spread / spread.sum(dim=-1, keepdim=True)
    count = int(share * (num - 1)) * twice
    cut = torch.zeros(batch * heads, twice * num, dtype=torch.bool, device=attention.device)
    if count:
        drawn = torch.multinomial(weights.reshape(batch * heads, -1).float(), count, replacement=False, generator=generator)
        cut.scatter_(1, drawn, value=True)
    result = torch.zeros_like(quarters, dtype=torch.bool)
    for i in (0, 1):
        result[:, :, i, :, i] = cut.reshape(batch, heads, 2, num, num)[:, :, i]
    return result.reshape(batch, heads, twice, twice)


def through_dropped(block: PlainBlock, tokens: Tensor, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Tokens (B, 2 N, C) of two frames through a block whose attention loses entries as in `dropped_entries`."""
    queries, keys, values = block.attention.project(block.norm1(tokens))
    logits = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-2, -1)
    cut = dropped_entries(logits.detach().softmax(dim=-1), share, generator)
    read = logits.masked_fill(cut, float("-inf")).softmax(dim=-1) @ values
    tokens = tokens + block.attention.merge(read)
    return tokens + block.mlp(block.norm2(tokens))
