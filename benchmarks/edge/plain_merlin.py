"""Merlin's two plain graphs: `Template` to what is compared with and a first look, `Search` with those to what every cell says."""

from __future__ import annotations

import torch
from normal import Normal  # type: ignore[import-not-found]  # the script beside this one
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.fbnet import CELLS, STRIDE
from sightline.models.layers.siamese import grid_points
from sightline.models.merlin import TEMPLATE, Merlin

__all__ = ["Search", "Template"]


class _Look(nn.Module):
    """What `Merlin.find` says of a normalised crop (1, 3, S, S), its kernel given as (1, 64, C), one row for each cell."""

    def __init__(self, network: Merlin, size: int) -> None:
        super().__init__()
        self.network, self.cells = network, size // STRIDE
        x = grid_points(self.cells, STRIDE, size / 2, torch.device("cpu"))
        self.points: Tensor
        corner = torch.stack([x.expand(self.cells, -1), x.unsqueeze(1).expand(-1, self.cells)])
        self.register_buffer("points", torch.cat([corner, corner]).unsqueeze(0) / size)
        self.register_buffer("sides", torch.tensor([-1.0, -1.0, 1.0, 1.0]).reshape(1, 4, 1, 1) / size)
        self.sides: Tensor

    def correlate(self, branch: nn.Module, kernel: Tensor, features: Tensor) -> Tensor:
        encoded = branch.encode(features)  # type: ignore[operator]  # attributes of a module are tensors or modules to mypy
        response = (kernel @ encoded.flatten(2)).reshape(1, CELLS, self.cells, self.cells)
        return branch.join(torch.cat([encoded, response], dim=1))  # type: ignore[operator,no-any-return]

    def forward(self, kernel: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits (1, 1, G, G), corners (1, 4, G, G) in 0..1, and two kinds of evidence (1, C, G, G)."""
        features = self.network.extract(pixels)
        tower = self.network.score.tower(self.correlate(self.network.score, kernel, features))
        logits = 0.1 * self.network.score.last(tower)
        box = self.network.box
        sides = torch.exp(self.network.adjust * box.last(box.tower(self.correlate(box, kernel, features))) + self.network.bias)
        nearby = functional.avg_pool2d(features, 3, stride=1, padding=1)
        return logits, self.points + self.sides * sides, tower, nearby


class _Norm(nn.Module):
    """A LayerNorm of channels (1, C, G, G), by convolutions: onnx2tf mistakes tokens (1, 256, 256) for their transpose, pnnx loses the axis of a mean."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        assert isinstance(norm, nn.LayerNorm)
        self.eps = norm.eps
        width = len(norm.weight)
        self.mean = nn.Conv2d(width, 1, 1, bias=False)
        self.mean.weight = nn.Parameter(torch.full((1, width, 1, 1), 1 / width))
        self.affine = nn.Conv2d(width, width, 1, groups=width)
        self.affine.weight = nn.Parameter(norm.weight.detach().reshape(-1, 1, 1, 1))
        self.affine.bias = nn.Parameter(norm.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        centred = x - self.mean(x)
        scaled: Tensor = self.affine(centred / torch.sqrt(self.mean(centred * centred) + self.eps))
        return scaled


class Template(nn.Module):
    """Pixels (1, 3, 458, 458) to kernel (1, 64, C), what the first look saw (1, C, 1, 1), normed as `Presence` does it, and its box as corners (1, 4)."""

    def __init__(self, network: Merlin) -> None:
        super().__init__()
        self.network, self.normal = network, Normal()
        self.look = _Look(network, network.arch.look)
        self.norms = nn.ModuleList(_Norm(norm) for norm in network.presence.norms)

    def forward(self, template: Tensor) -> tuple[Tensor, ...]:
        pixels, size = self.normal(template), self.network.arch.look
        edge, middle = (pixels.shape[-1] - TEMPLATE) // 2, size // STRIDE // 2
        kernel = self.network.extract(pixels[:, :, edge : edge + TEMPLATE, edge : edge + TEMPLATE]).flatten(2).transpose(1, 2)
        said = self.look(kernel, functional.interpolate(pixels, (size, size), mode="bilinear"))
        logit, corners, tower, nearby = (x[:, :, middle : middle + 1, middle : middle + 1] for x in said)
        return kernel, self.norms[0](tower), self.norms[1](nearby), logit, corners.flatten(1)


class Search(nn.Module):
    """Pixels and what `Template` gave to score (1, 1, G, G), corners (1, 4, G, G) and presence (1, 1, G, G), all of every cell.

    `Presence` reads its six parts side by side; here its first layer is a sum of six, so that nothing has to be repeated for every cell.
    """

    def __init__(self, network: Merlin) -> None:
        super().__init__()
        self.network, self.normal = network, Normal()
        self.look = _Look(network, 256)
        self.norms = nn.ModuleList(_Norm(norm) for norm in network.presence.norms)
        presence, width = network.presence, network.arch.width
        weights = torch.split(presence.inner.weight.detach(), [width, width, width, width, 1, 1], dim=1)
        self.parts = nn.ModuleList(_linear(weight, presence.inner.bias if i == 0 else None) for i, weight in enumerate(weights))
        self.outer = _linear(presence.outer.weight, presence.outer.bias)

    def forward(self, search: Tensor, kernel: Tensor, first_tower: Tensor, first_nearby: Tensor, first_logit: Tensor) -> tuple[Tensor, ...]:
        logits, corners, tower, nearby = self.look(kernel, self.normal(search))
        tower, nearby = self.norms[0](tower), self.norms[1](nearby)
        told = (tower, tower * first_tower, nearby, nearby * first_nearby, logits, first_logit)
        inner: Tensor = sum(part(x) for part, x in zip(self.parts, told, strict=True))
        return torch.sigmoid(logits), corners, torch.sigmoid(self.outer(torch.relu(inner)))


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """A linear layer of every cell."""
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=bias is not None)
    layer.weight = nn.Parameter(weight.detach()[:, :, None, None].clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach())
    return layer
