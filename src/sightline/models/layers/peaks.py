"""Responses of learned filters: how they should look, finer than their cells, and which of their peaks is the target.

ATOM (Danelljan et al., CVPR 2019, arXiv:1811.07628) and its successors. The middle of a map of n x n cells is the cell n // 2.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.engines.state import HARD, LOST, NORMAL, UNCERTAIN

__all__ = ["Finer", "Found", "correlate", "find_target", "gaussian_labels"]

# shares of the highest peak, or of the target's size, or of half a crop, as published
LOST_BELOW = 0.25
DISTRACTOR = 0.8
RIVAL = 0.5
NEIGHBOURHOOD = 2.2
FAR = 0.8


def gaussian_labels(centre: Tensor, sigma: float, side: int) -> Tensor:
    """The responses that a filter should have: (B, side, side), 1 at the target.

    Args:
        centre: (B, 2) row and column of the target in cells, from the middle between the outermost cells.
        sigma: in cells.
        side: cells along each side.
    """
    cells = torch.arange(side, device=centre.device) - (side - 1) / 2
    lines = torch.exp(-((cells - centre.unsqueeze(2)) ** 2) / (2 * sigma**2))  # (B, 2, side)
    return lines[:, 0].unsqueeze(2) * lines[:, 1].unsqueeze(1)


def correlate(maps: Tensor, kernels: Tensor, side: int) -> Tensor:
    """Responses (B, side, side) of each map (B, C, G, G) to its own filter (B, C, k, k), which pads by k // 2.

    Products first and shifts then: a convolution of one group for each target would fix the size of the batch in a graph.
    """
    batch, channels, num = kernels.shape[:3]
    grid, edge = maps.shape[2], num // 2
    products = kernels.reshape(batch, channels, -1).transpose(1, 2) @ maps.flatten(2)  # (B, k k, G G)
    padded = functional.pad(products.reshape(batch, -1, grid, grid), (edge, edge, edge, edge))
    parts = [padded[:, i * num + j, i : i + side, j : j + side] for i in range(num) for j in range(num)]
    return torch.stack(parts).sum(dim=0)


class Finer(nn.Module):
    """Maps (B, n, n) read between their cells, by their Fourier series: (B, size, size), where cell i stands at i size / n."""

    matrix: Tensor

    def __init__(self, side: int, size: int) -> None:
        super().__init__()
        waves = torch.arange(1, side // 2 + 1).double()
        turns = torch.arange(size).double().unsqueeze(1) / size - torch.arange(side).double() / side
        # as published: the highest wave of an even number of cells counts twice
        series = 1 + 2 * torch.cos(2 * math.pi * turns.unsqueeze(2) * waves).sum(dim=2)
        self.register_buffer("matrix", (series / side).float(), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, n, n) to (B, size, size)."""
        return self.matrix @ maps @ self.matrix.T


class Found(NamedTuple):
    """Where the target seems to be.

    flag   (B,) int64, what became of it (`engines.state`)
    shift  (B, 2) row and column in cells, from the middle cell
    best   (B,) the highest response
    """

    flag: Tensor
    shift: Tensor
    best: Tensor


def find_target(responses: Tensor, size: Tensor, before: Tensor | None = None) -> Found:
    """Which of the two highest peaks is the target.

    Args:
        responses: (B, n, n).
        size: (B, 2) height and width of the target in cells.
        before: (B, 2) row and column of the target in the frame before, in cells from the middle cell; None: there.

    Source: golden/components/atom_localization.
    """
    side = responses.shape[1]
    best, place = _peak(responses)
    # what lies around the highest peak is no second one
    reach = NEIGHBOURHOOD * size / 2
    first, last = torch.round(place - reach).clamp(min=0), torch.round(place + reach + 1).clamp(max=side)
    cells = torch.arange(side, device=responses.device)
    near = (cells >= first.unsqueeze(2)) & (cells < last.unsqueeze(2))  # (B, 2, n)
    second, other = _peak(responses.masked_fill(near[:, 0].unsqueeze(2) & near[:, 1].unsqueeze(1), 0.0))
    shift, other = place - side // 2, other - side // 2
    before = torch.zeros_like(shift) if before is None else before
    far = FAR * side / 2
    best_away, other_away = torch.linalg.vector_norm(shift - before, dim=1), torch.linalg.vector_norm(other - before, dim=1)
    is_rival = second > DISTRACTOR * best
    jumped = is_rival & (other_away < far) & (best_away > far)  # the target does not jump: it is the other peak
    settled = jumped | ((other_away > far) & (best_away < far))
    is_hard = (is_rival & settled) | (~is_rival & (second > RIVAL * best) & (second > LOST_BELOW))
    flag = torch.where(is_hard, HARD, torch.where(is_rival, UNCERTAIN, NORMAL))
    is_lost = best < LOST_BELOW
    flag = torch.where(is_lost, LOST, flag)
    return Found(flag, torch.where((jumped & ~is_lost).unsqueeze(1), other, shift), best)


def _peak(responses: Tensor) -> tuple[Tensor, Tensor]:
    """The largest of each map (B, n, n): its value (B,), and its row and column (B, 2) as floats."""
    side = responses.shape[2]
    flat = responses.flatten(1)
    place = flat.argmax(dim=1, keepdim=True)
    rows = torch.div(place, side, rounding_mode="floor")
    return flat.amax(dim=1), torch.cat([rows, place % side], dim=1).to(responses.dtype)
