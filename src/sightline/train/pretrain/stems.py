"""Stems under a mask: what is hidden must not reach the tokens that are seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.conv import ConvNorm, Stem

__all__ = ["sealed"]


def sealed(stem: Stem, pixels: Tensor, visible: Tensor) -> Tensor:
    """Tokens (B, G G, C) as `stem` makes them, but no visible one has seen a hidden pixel; hidden ones are zeros.

    Kernels that overlap (3x3) carry pixels of a hidden patch into its neighbours, and batch norms count them. Here hidden cells are
    zero before every convolution, as the border is, and batch norms see the visible cells alone.

    Args:
        stem: any kind.
        pixels: (B, 3, 16 G, 16 G).
        visible: (B, G G) bool.

    Source: Gao et al., NeurIPS 2022, arXiv:2205.03892 (MCMAE), section 3.2, masked convolutions.
    """
    side = pixels.shape[-1] // 16
    cells = visible.reshape(-1, 1, side, side)
    x = pixels * _widened(cells, pixels.shape[-1])
    for layer in stem.layers:
        if isinstance(layer, ConvNorm):
            x = layer.conv(x)  # type: ignore[operator]  # modules by name are tensors or modules to mypy
            x = _norm_visible(layer.norm, x, _widened(cells, x.shape[-1]))  # type: ignore[arg-type]  # likewise
        else:
            x = layer(x)  # Hardswish, which leaves zeros alone, or the one convolution of "conv16", whose patches are apart
    return (x * cells).flatten(2).transpose(1, 2)


def _widened(cells: Tensor, side: int) -> Tensor:
    """Cells (B, 1, G, G) as squares of a larger grid (B, 1, side, side)."""
    times = side // cells.shape[-1]
    return cells.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)


def _norm_visible(norm: nn.BatchNorm2d, x: Tensor, visible: Tensor) -> Tensor:
    """Batch norm of (B, C, h, w) by the statistics of visible cells (B, 1, h, w); zeros elsewhere."""
    last = x.permute(0, 2, 3, 1)
    places = visible.squeeze(1)
    values = functional.batch_norm(
        last[places],
        norm.running_mean,
        norm.running_var,
        norm.weight,
        norm.bias,
        training=norm.training,
        momentum=norm.momentum or 0.0,
        eps=norm.eps,
    )
    normed = torch.zeros_like(last, dtype=values.dtype)
    normed[places] = values
    return normed.permute(0, 3, 1, 2)
