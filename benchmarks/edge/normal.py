"""The normalisation of pixels inside a plain graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.models.layers.decode import MEAN, STD

__all__ = ["Normal"]


class Normal(nn.Module):
    """As `sightline.models.layers.decode.normalize`, for floats whose channels come first: one product and one sum."""

    def __init__(self) -> None:
        super().__init__()
        std = torch.tensor(STD).reshape(1, 3, 1, 1)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -torch.tensor(MEAN).reshape(1, 3, 1, 1) / std)

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels * self.scale + self.shift
