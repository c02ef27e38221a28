"""LightTrack: a searched mobile trunk for both crops, pixel-wise correlation, separable towers for class and box.

Paper   Yan et al., CVPR 2021, arXiv:2104.14545
Facts   docs/trackers/lighttrack.md      Spec  sightline/zoo/lighttrack.py      Golden  golden/lighttrack

B batch, C channels, 8 x 8 cells of the template, G x G of the search region, stride 16.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.decode import normalize
from sightline.models.layers.lightnet import LightNet
from sightline.models.layers.siamese import ChannelAttention, choose, correlate_pixels, grid_points, smooth
from sightline.zoo.lighttrack import Arch

__all__ = ["KEYS", "UNUSED", "LightTrack", "Maps", "build"]

STRIDE = 16
CELLS = 64  # of the template
_TOWER = (("conv1", "depth"), ("pointwise", "mix"), ("BN", "norm"))
KEYS = (
    ("features", "backbone"),
    ("feature_extractor.features", "backbone"),  # in some copies
    ("neck.BN_z", "template_norm"),
    ("neck.BN_x", "search_norm"),
    ("feature_fusor.pw_corr.CA_layer", "attention"),
    ("feature_fusor.adj_layer", "join"),
    *((f"head.cls_tower.{{}}.{theirs}", f"score_tower.{{}}.{ours}") for theirs, ours in _TOWER),
    *((f"head.reg_tower.{{}}.{theirs}", f"box_tower.{{}}.{ours}") for theirs, ours in _TOWER),
    ("head.cls_perd.cls_pred", "score_last"),
    ("head.reg_pred.bbox_pred", "box_last"),
)
UNUSED: tuple[str, ...] = ()


class Maps(NamedTuple):
    """What the heads say about every cell: logits (B, 1, G, G), and distances (B, 4, G, G) to the sides in pixels of the crop."""

    logits: Tensor
    distances: Tensor


class _TowerLayer(nn.Module):
    """Convolution of each channel, 1x1 of all, batch norm, ReLU."""

    def __init__(self, channels_in: int, width: int, kernel: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(channels_in, channels_in, kernel, padding=kernel // 2, groups=channels_in, bias=False)
        self.mix = nn.Conv2d(channels_in, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.mix(self.depth(x))))


def _tower(channels_in: int, width: int, kernels: tuple[int, ...]) -> nn.Sequential:
    widths = (channels_in, *[width] * (len(kernels) - 1))
    return nn.Sequential(*(_TowerLayer(channels, width, kernel) for channels, kernel in zip(widths, kernels, strict=True)))


class LightTrack(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.backbone = LightNet(arch.stages, arch.widths, arch.strides)
        channels = self.backbone.channels
        self.template_norm, self.search_norm = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.attention = ChannelAttention(CELLS)
        self.join = nn.Conv2d(CELLS, arch.joined, 1)
        self.score_tower = _tower(arch.joined, arch.score_width, arch.score_kernels)
        self.box_tower = _tower(arch.joined, arch.box_width, arch.box_kernels)
        self.score_last = nn.Conv2d(arch.score_width, 1, 3, padding=1)
        self.box_last = nn.Conv2d(arch.box_width, 4, 3, padding=1)

    def extract(self, pixels: Tensor) -> Tensor:
        """Features (B, C, G, G) of a normalised crop (B, 3, H, W)."""
        features: Tensor = self.backbone(pixels)
        return features

    def correlate(self, template: Tensor, search: Tensor) -> Tensor:
        """How each search cell agrees with each template cell: (B, 64, G, G), for features of both."""
        response: Tensor = self.attention(correlate_pixels(self.template_norm(template), self.search_norm(search)))
        return response

    def look(self, template: Tensor, search: Tensor) -> Maps:
        """What the heads say, for features of both."""
        joined = self.join(self.correlate(template, search))
        logits = 0.1 * self.score_last(self.score_tower(joined))
        return Maps(logits, STRIDE * torch.relu(self.box_last(self.box_tower(joined))))

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, uint8 (B, 127, 127, 3): `kernel` (B, C, 8, 8)."""
        return {"kernel": self.extract(normalize(template))}

    def step(self, search: Tensor, kernel: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,), the largest of all cells, in a search crop.

        Args:
            search: uint8 (B, 16 G, 16 G, 3).
            kernel: (B, C, 8, 8).
            prior: (B, 4), the last box as cx, cy, w, h in 0..1 of the search crop.
        """
        size = search.shape[1]
        maps = self.look(kernel, self.extract(normalize(search)))
        points = grid_points(maps.logits.shape[-1], STRIDE, size / 2, search.device)
        scores, last = torch.sigmoid(maps.logits[:, 0]), prior[:, 2:] * size
        best = choose(maps.distances, scores, points, prior=last, penalty=self.arch.penalty, window=self.arch.window)
        # as published: the smoothed size is smoothed once more
        extent = smooth(best.box[:, 2:] - best.box[:, :2], last, (best.confidence * self.arch.rate) ** 2)
        centre = (best.box[:, :2] + best.box[:, 2:]) / 2
        return {"box": torch.cat([centre, extent], dim=1) / size, "score": scores.flatten(1).amax(dim=1)}


def build(arch: Arch) -> LightTrack:
    """An untrained network."""
    return LightTrack(arch)
