"""DCFNet: a correlation filter, linear and in closed form, over the features of two convolutions.

Paper   Wang et al., 2017, arXiv:1704.04057
Spec    sightline/zoo/dcfnet.py      Reference  what the published weights reach on real sequences, tests/test_accuracy.py

B batch, V scales, C channels, S pixels along each side of a crop, F = S // 2 + 1 frequencies across.
Pixels enter as uint8 (B, [V,] S, S, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop of scale 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sightline.models.layers.conv import CrossNorm
from sightline.zoo.dcfnet import Arch

__all__ = ["KEYS", "UNUSED", "DcfNet", "Waves", "build"]

KEYS = (("feature.0", "first"), ("feature.2", "second"))
UNUSED: tuple[str, ...] = ()

MEAN_BGR = (104.0, 117.0, 123.0)


class Waves(nn.Module):
    """The discrete Fourier transform of real maps, as products of matrices: onnxruntime's own takes ten times as long for 125 cells."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        cells = torch.arange(size)
        turns = (cells.unsqueeze(1) * cells % size).double() * (2 * math.pi / size)
        self.register_buffer("cosines", turns.cos().float(), persistent=False)
        self.register_buffer("sines", turns.sin().float(), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (..., S, S) to (..., S, F, 2)."""
        half = maps.shape[-1] // 2 + 1
        real, imaginary = maps @ self.cosines[:, :half], -(maps @ self.sines[:, :half])
        return torch.stack(
            [self.cosines @ real + self.sines @ imaginary, self.cosines @ imaginary - self.sines @ real],
            dim=-1,
        )

    def back(self, spectra: Tensor) -> Tensor:
        """Spectra (..., S, F, 2), S an odd number, to maps (..., S, S)."""
        size, half = spectra.shape[-3], spectra.shape[-2]
        real = self.cosines @ spectra[..., 0] - self.sines @ spectra[..., 1]
        imaginary = self.cosines @ spectra[..., 1] + self.sines @ spectra[..., 0]
        twice = 2 - (torch.arange(half, device=spectra.device) == 0).float()  # those that are not stored
        return ((real * twice) @ self.cosines[:half] - (imaginary * twice) @ self.sines[:half]) / size**2


class DcfNet(nn.Module):
    """See the module's docstring."""

    window: Tensor
    label: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.first, self.second = nn.Conv2d(3, arch.width, 3, padding=1), nn.Conv2d(arch.width, arch.width, 3, padding=1)
        self.norm = CrossNorm(5, alpha=1e-4, beta=0.75, offset=1.0)
        line = torch.hann_window(arch.size, periodic=False, dtype=torch.float64)
        self.register_buffer("window", (line.unsqueeze(1) * line).float(), persistent=False)
        cells = torch.arange(arch.size).double()
        away = torch.minimum(cells, arch.size - cells)  # the target's place is the first cell, and both axes are rings
        bump = torch.exp(-0.5 * (away / (arch.size / arch.context * arch.sigma)) ** 2)
        self.waves = Waves(arch.size)
        self.register_buffer("label", self.waves((bump.unsqueeze(1) * bump).float()), persistent=False)

    def spectra(self, crops: Tensor) -> Tensor:
        """uint8 (N, S, S, 3) RGB to the spectra of windowed features, (N, C, S, F, 2): real and imaginary parts."""
        mean = torch.tensor(MEAN_BGR, device=crops.device).reshape(1, 3, 1, 1)
        pixels = crops.flip(3).permute(0, 3, 1, 2).contiguous().float() - mean
        spectra: Tensor = self.waves(self.norm(self.second(torch.relu(self.first(pixels)))) * self.window)
        return spectra

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """What the filter is made of, `target` (B, C, S, F, 2) and `filter` (B, S, F, 2), from uint8 (B, S, S, 3); and that nothing has grown."""
        target = self.spectra(template)
        energy = target.square().sum(dim=(1, 4)).unsqueeze(3)  # (B, S, F, 1)
        grown = torch.ones(template.shape[0], device=template.device)
        return {"target": target, "filter": self.label / (energy + self.arch.ridge), "next.grown": grown}

    def step(self, search: Tensor, prior: Tensor, target: Tensor, filter: Tensor, grown: Tensor) -> dict[str, Tensor]:  # noqa: A002  # the field's word
        """`box` (B, 4), as `score` (B,) the largest response, and `next.grown`.

        Args:
            search: uint8 (B, V, S, S, 3).
            prior: (B, 4), the last box as cx, cy, w, h in 0..1 of the search crop of scale 1.
            target: (B, C, S, F, 2), spectra of the features so far.
            filter: (B, S, F, 2), of the filter over their products.
            grown: (B,), the target's size in that of its first frame.
        """
        arch, size = self.arch, self.arch.size
        seen = self.spectra(search.flatten(0, 1)).reshape(-1, search.shape[1], *target.shape[1:])  # (B, V, C, S, F, 2)
        product = _times(seen, target.unsqueeze(1) * torch.tensor([1.0, -1.0], device=target.device)).sum(dim=2)  # by the conjugate
        responses = self.waves.back(_times(product, filter.unsqueeze(1)))
        factors = torch.tensor([1.0 if scale == 1 else arch.penalty for scale in arch.scales], device=search.device)
        best, place = responses.flatten(2).max(dim=2)  # (B, V)
        score, scale = (best * factors).max(dim=1)
        cell = place.gather(1, scale.unsqueeze(1))  # (B, 1)
        away = torch.cat([cell % size, torch.div(cell, size, rounding_mode="floor")], dim=1)  # column, row
        away = torch.where(away > size // 2, away - size, away)
        taken = torch.tensor(arch.scales, device=search.device)[scale]
        after = (grown * taken).clamp(arch.least, arch.most)
        extent = prior[:, 2:] * (after / grown).unsqueeze(1)
        return {"box": torch.cat([prior[:, :2] + away * (taken / size).unsqueeze(1), extent], dim=1), "score": score, "next.grown": after}


def _times(a: Tensor, b: Tensor) -> Tensor:
    """The product of complex numbers, real and imaginary part in the last axis."""
    real = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    return torch.stack([real, a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]], dim=-1)


def build(arch: Arch) -> DcfNet:
    """An untrained network."""
    return DcfNet(arch)
