"""SiamFC: template and search region through one trunk without padding, then a cross-correlation at three scales.

Paper   Bertinetto et al., ECCV 2016 workshops, arXiv:1606.09549
Facts   docs/trackers/siamfc.md      Spec  sightline/zoo/siamfc.py      Golden  golden/siamfc

B batch, S scales, C channels, k x k cells of the template, R x R of the response.
Pixels enter as uint8 (B, [S,] H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop of scale 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.zoo.siamfc import Arch

__all__ = ["KEYS", "UNUSED", "SiamFC", "build"]

KERNELS = (11, 5, 3, 3, 3)
FLAT = (0, 4, 8, 11, 14)  # places of the convolutions in the other implementation's list, each with its norm behind it
KEYS = (
    *((f"backbone.conv{i}.{j}", f"layers.{i - 1}.{name}") for i in range(1, 6) for j, name in ((0, "conv"), (1, "norm"))),
    *((f"features.features.{place + j}", f"layers.{i}.{name}") for i, place in enumerate(FLAT) for j, name in ((0, "conv"), (1, "norm"))),
)
UNUSED: tuple[str, ...] = ()


def _layers(arch: Arch) -> nn.ModuleList:
    """Five convolutions; norm and ReLU behind the first four, pooling behind the first two."""
    layers, channels = nn.ModuleList(), 3
    for i, (width, groups, kernel) in enumerate(zip(arch.widths, arch.groups, KERNELS, strict=True)):
        layer = nn.Sequential()
        layer.add_module("conv", nn.Conv2d(channels, width, kernel, 1 if i else 2, groups=groups))
        if i < 4 or arch.last_norm:
            layer.add_module("norm", nn.BatchNorm2d(width, eps=1e-6))
        if i < 4:
            layer.add_module("relu", nn.ReLU())
        if i < 2:
            layer.add_module("pool", nn.MaxPool2d(3, arch.pool if i else 2))
        layers.append(layer)
        channels = width
    return layers


class SiamFC(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.layers = _layers(arch)

    def extract(self, pixels: Tensor) -> Tensor:
        """Features (N, C, h, w) of crops (N, 3, H, W), RGB, values 0..255."""
        for layer in self.layers:
            pixels = layer(pixels)
        return pixels

    def correlate(self, template: Tensor, search: Tensor) -> Tensor:
        """Features (B, C, k, k) and (B, S, C, h, h) to responses (B, S, R, R)."""
        (scales, channels), side = search.shape[1:3], search.shape[-1] - template.shape[-1] + 1
        windows = functional.unfold(search.flatten(0, 1), template.shape[-1])  # (B S, C k k, R R)
        windows = windows.reshape(-1, scales, channels, template.shape[-1] ** 2, side * side)
        # exact sums over channels: what tells the cells apart is small beside what all have in common
        parts = torch.matmul(template.flatten(2).unsqueeze(1).unsqueeze(3), windows)  # (B, S, C, 1, R R)
        return parts.double().sum(dim=2).float().reshape(-1, scales, side, side) * self.arch.gain

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, uint8 (B, 127, 127, 3): `kernel` (B, C, k, k)."""
        return {"kernel": self.extract(planes(template))}

    def step(self, search: Tensor, kernel: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4), and as `score` (B,) the largest response.

        Args:
            search: uint8 (B, S, 255, 255, 3).
            kernel: (B, C, k, k).
            prior: (B, 4), the last box as cx, cy, w, h in 0..1 of the search crop of scale 1.
        """
        features = self.extract(planes(search.flatten(0, 1)))
        responses = self.correlate(kernel, features.reshape(-1, search.shape[1], *features.shape[1:]))
        return self.decide(responses, prior, search.shape[-2])

    def decide(self, responses: Tensor, prior: Tensor, size: int) -> dict[str, Tensor]:
        """What `step` says, from responses (B, S, R, R) of crops of `size` pixels."""
        arch = self.arch
        factors = torch.tensor([1.0 if scale == 1 else arch.penalty for scale in arch.scales], device=prior.device).reshape(1, -1, 1, 1)
        fine = functional.interpolate(responses, scale_factor=arch.finer, mode="bicubic", align_corners=False) * factors
        scale = fine.flatten(2).amax(dim=2).argmax(dim=1)  # (B,)
        side = fine.shape[-1]
        chosen = fine.flatten(2).gather(1, scale.reshape(-1, 1, 1).expand(-1, 1, side * side)).squeeze(1)  # (B, side * side)
        lifted = chosen.double() - chosen.double().amin(dim=1, keepdim=True)
        share = lifted / (lifted.sum(dim=1, keepdim=True) + 1e-16)
        best = (share * (1 - arch.window) + _window(side, share.device) * arch.window).argmax(dim=1)
        peak = torch.stack([best % side, torch.div(best, side, rounding_mode="floor")], dim=1).float()  # (B, 2) column, row
        taken = torch.tensor(arch.scales, device=prior.device)[scale].unsqueeze(1)  # (B, 1)
        moved = (peak - (side - 1) / 2) * (arch.stride / arch.finer) * taken / size
        extent = prior[:, 2:] * (1 - arch.rate + arch.rate * taken)
        return {"box": torch.cat([prior[:, :2] + moved, extent], dim=1), "score": chosen.amax(dim=1)}


def _window(side: int, device: torch.device) -> Tensor:
    """Hann window of sum 1, flat, float64: zero at the border."""
    line = 0.5 - 0.5 * torch.cos(torch.arange(side, device=device).double() * (2 * math.pi / (side - 1)))
    window = line.unsqueeze(1) * line
    return (window / window.sum()).flatten()


def planes(pixels: Tensor) -> Tensor:
    """uint8 RGB (N, H, W, 3) to floats 0..255 (N, 3, H, W), without normalisation."""
    return pixels.permute(0, 3, 1, 2).contiguous().float()


def build(arch: Arch) -> SiamFC:
    """An untrained network."""
    return SiamFC(arch)
