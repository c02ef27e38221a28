"""Which tokens an encoder sees, and what it is to draw where it does not look.

B batch, N tokens of all crops, P = 16 x 16 x 3 values of a patch: row, column, channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["PATCH", "Mask", "noise_size", "normalised_patches", "patches_of", "pixels_of", "reconstruction_loss", "visible_tokens"]

Mask: TypeAlias = Literal["random", "space_random", "apart"]
PATCH = 16  # pixels along each side


def noise_size(mask: Mask, counts: Sequence[int]) -> int:
    """How many uniform numbers a sample's mask is made of, given the tokens of each crop."""
    return counts[0] if mask == "space_random" else sum(counts)


def visible_tokens(noise: Tensor, mask: Mask, ratio: float, counts: Sequence[int]) -> Tensor:
    """True where a token is kept: where the noise is smallest.

    random        among the tokens of all crops together
    space_random  the same places in all crops, which have as many tokens
    apart         in each crop on its own

    Args:
        noise: (B, `noise_size`), uniform.
        mask: one of these.
        ratio: share of the tokens that is hidden, 0..1; int(n (1 - ratio)) of n are kept.
        counts: tokens of each crop.

    Returns:
        (B, N) bool, the same number true in every row.

    Source: He et al., CVPR 2022 (MAE), section 3; docs/trackers/vittrack.md section 6; golden/mtr.
    """
    if mask == "random":
        return _lowest(noise, int(noise.shape[1] * (1 - ratio)))
    if mask == "space_random":
        return _lowest(noise, int(noise.shape[1] * (1 - ratio))).repeat(1, len(counts))
    return torch.cat([_lowest(part, int(part.shape[1] * (1 - ratio))) for part in torch.split(noise, list(counts), dim=1)], dim=1)


def _lowest(noise: Tensor, keep: int) -> Tensor:
    rank = noise.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
    return rank < keep


def patches_of(pixels: Tensor) -> Tensor:
    """(B, 3, 16 G, 16 H) to (B, G H, P), row by row."""
    batch, channels, height, width = pixels.shape
    grid = pixels.reshape(batch, channels, height // PATCH, PATCH, width // PATCH, PATCH)
    return grid.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, PATCH * PATCH * channels)


def pixels_of(patches: Tensor, side: int) -> Tensor:
    """Patches (B, G G, P) of a square crop back to pixels (B, 3, 16 G, 16 G); `side` is G."""
    grid = patches.reshape(patches.shape[0], side, side, PATCH, PATCH, -1)
    return grid.permute(0, 5, 1, 3, 2, 4).reshape(patches.shape[0], -1, side * PATCH, side * PATCH)


def normalised_patches(patches: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Patches (B, N, P) with mean 0 and variance 1, and the means and deviations (B, N, 1) that were taken out."""
    mean = patches.mean(dim=2, keepdim=True)
    deviation = (patches.var(dim=2, keepdim=True) + 1e-6).sqrt()  # unbiased, as published
    return (patches - mean) / deviation, mean, deviation


def reconstruction_loss(drawn: Tensor, target: Tensor, visible: Tensor, *, normalise: bool) -> Tensor:
    """Mean squared error of each hidden patch, averaged over all that are hidden.

    Args:
        drawn: (B, N, P).
        target: likewise.
        visible: (B, N) bool.
        normalise: take out each target patch's own mean and deviation.

    Source: He et al., CVPR 2022, section 3; golden/mtr.
    """
    target = normalised_patches(target)[0] if normalise else target
    hidden = ~visible
    return functional.mse_loss(drawn[hidden], target[hidden])
