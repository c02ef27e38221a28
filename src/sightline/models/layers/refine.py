"""A mask of the target from one cell of a correlation, refined with ever finer maps of the search region.

Wang et al., CVPR 2019, arXiv:1812.05050 (SiamMask), section 3.2; golden/siammask. Tensors keep their authors' names.

B batch, C channels, G x G cells of the response, 8 pixels apart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Refine", "cut"]

SIDE = 127  # of a mask in pixels: that of the template


def cut(maps: Tensor, rows: Tensor, columns: Tensor, side: int) -> Tensor:
    """A square (B, C, side, side) of maps (B, C, H, W) from a first row (B, 1) and column (B, 1) on, which may differ in a batch."""
    cells = torch.arange(side, device=maps.device)
    down, across = (rows + cells)[:, None, :, None], (columns + cells)[:, None, None, :]
    band = maps.gather(2, down.expand(-1, maps.shape[1], -1, maps.shape[3]))
    return band.gather(3, across.expand(-1, maps.shape[1], side, -1))


def _two(channels: int, middle: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, middle, 3, padding=1), nn.ReLU(), nn.Conv2d(middle, outputs, 3, padding=1), nn.ReLU())


class Refine(nn.Module):
    """See the module's docstring. `width`: channels of the correlation; the maps are those of a ResNet's first convolution and stages 1, 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.deconv = nn.ConvTranspose2d(width, 32, 15)
        self.v0, self.v1, self.v2 = _two(64, 16, 4), _two(256, 64, 16), _two(512, 128, 32)
        self.h0, self.h1, self.h2 = _two(4, 4, 4), _two(16, 16, 16), _two(32, 32, 32)
        self.post0, self.post1, self.post2 = (nn.Conv2d(ins, outs, 3, padding=1) for ins, outs in ((32, 16), (16, 4), (4, 1)))

    def forward(self, found: Tensor, maps: list[Tensor], rows: Tensor, columns: Tensor) -> Tensor:
        """Logits (B, 127, 127) of a square that begins 4 cells before the cell, in both directions.

        Args:
            found: (B, C), the correlation in the cell.
            maps: (B, 64, 4 n, 4 n), (B, 256, 2 n, 2 n), (B, 512, n, n) of the search region, or one less along a side.
            rows: (B, 1) of the cell.
            columns: likewise.
        """
        mask = self.deconv(found[:, :, None, None])
        steps = (
            (4, 15, 31, self.v2, self.h2, self.post0),
            (8, 31, 61, self.v1, self.h1, self.post1),
            (16, 61, SIDE, self.v0, self.h0, self.post2),
        )
        for level, (padding, side, larger, vertical, horizontal, post) in zip(reversed(maps), steps, strict=True):
            scale = padding // 4  # cells of this map in one of the response
            seen = cut(functional.pad(level, (padding,) * 4), rows * scale, columns * scale, side)
            mask = post(functional.interpolate(horizontal(mask) + vertical(seen), size=(larger, larger)))
        return mask[:, 0]
