"""DiMP: a filter is given by the network and improved by steps that the network has learned; boxes climb a learned overlap.

Paper   Bhat et al., ICCV 2019, arXiv:1904.07220
Facts   docs/trackers/dimp_tomp.md      Spec  sightline/zoo/dimp.py      Golden  golden/dimp

B batch, G x G cells of stride 16, C channels, k x k cells of the filter; responses have R = G + 1 cells along each side where k is even.
`init` gives what learning starts from, `step` uses what was learned (`sightline.methods.online`). Pixels enter as float32
(B, H, W, 3) RGB in 0..255; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sightline.engines.state import LOST
from sightline.models.layers.boxes import xywh_from_cxcywh
from sightline.models.layers.conv import EvenConv
from sightline.models.layers.decode import normalize
from sightline.models.layers.overlap import OVERLAP_KEYS, Overlap, Pair
from sightline.models.layers.peaks import correlate, find_target
from sightline.models.layers.pool import precise_pool
from sightline.models.layers.resnet import ResNet
from sightline.zoo.dimp import Arch

__all__ = ["KEYS", "UNUSED", "Dimp", "Distances", "Wanted", "build"]

KEYS = (
    ("feature_extractor", "backbone"),
    ("classifier.feature_extractor", "features"),
    ("classifier.filter_initializer.filter_conv", "first"),
    ("classifier.filter_optimizer.label_map_predictor", "distances.label"),
    ("classifier.filter_optimizer.target_mask_predictor.0", "distances.mask"),
    ("classifier.filter_optimizer.spatial_weight_predictor", "distances.spatial"),
    ("classifier.filter_optimizer.log_step_length", "log_rate"),
    ("classifier.filter_optimizer.filter_reg", "root_ridge"),
    *OVERLAP_KEYS,
)
UNUSED = ("feature_extractor.layer4.*", "feature_extractor.fc.*")

STRIDE = 16
RATE, RIDGE, SIGMA, SHARPNESS = 0.9, 0.1, 0.9, 3.0  # of the first steps of training, as published


class Wanted(NamedTuple):
    """What the responses of one picture should be, (B, R, R) each.

    label     the response
    mask      0..1: how much of a response counts that is too low (far from the target 0: half of it)
    spatial   weight of each cell
    """

    label: Tensor
    mask: Tensor
    spatial: Tensor


class Distances(nn.Module):
    """Learned functions of the distance to the target, piecewise linear; section 3.4."""

    def __init__(self, bins: int, width: float) -> None:
        super().__init__()
        self.bins, self.width = bins, width
        self.label, self.mask, self.spatial = (nn.Conv2d(bins, 1, 1, bias=False) for _ in Wanted._fields)
        distance = torch.arange(bins) * width
        bell = torch.exp(-0.5 * (distance / SIGMA) ** 2)
        starts = Wanted(bell - bell.min(), SHARPNESS * torch.tanh(2 - distance), torch.ones(bins))
        with torch.no_grad():
            for name, start in starts._asdict().items():
                part = self.get_submodule(name)
                assert isinstance(part, nn.Conv2d)
                part.weight.copy_(start.reshape(1, -1, 1, 1))

    def shares(self, centre: Tensor, side: int) -> Tensor:
        """Share (B, bins, side, side) of each bin in each cell, for targets at rows and columns (B, 2) in cells; the last bin has no end."""
        cells = torch.arange(side, device=centre.device)
        down, across = (cells - centre[:, i : i + 1] for i in (0, 1))
        place = (down.unsqueeze(2).square() + across.unsqueeze(1).square()).sqrt().unsqueeze(1) / self.width
        place = place.clamp(max=self.bins - 1)
        return (1 - (place - torch.arange(self.bins, device=centre.device).reshape(1, -1, 1, 1)).abs()).clamp(min=0)

    def forward(self, centre: Tensor, side: int) -> Wanted:
        """`Wanted` for targets at rows and columns (B, 2) of `side` x `side` cells."""
        shares = self.shares(centre, side)
        return Wanted(*(part.squeeze(1) for part in (self.label(shares), torch.sigmoid(self.mask(shares)), self.spatial(shares))))


class Dimp(nn.Module):
    """See the module's docstring."""

    draws: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.size, self.cells, self.kernel = arch.size, arch.size // STRIDE, arch.kernel
        self.side = self.cells + (arch.kernel + 1) % 2
        self.backbone = ResNet(arch.depth)
        channels = self.backbone.channels
        self.features = EvenConv(channels, arch.width, arch.kernel)
        self.first = nn.Conv2d(arch.width, arch.width, 3, padding=1)
        self.distances = Distances(arch.bins, arch.bin)
        self.log_rate = nn.Parameter(torch.tensor([RATE]).log())
        self.root_ridge = nn.Parameter(torch.tensor([RIDGE]))
        self.overlap = Overlap((channels // 2, channels), steps=arch.steps)
        draws = np.random.default_rng(arch.seed).random((arch.proposals, 4)) - 0.5
        self.register_buffer("draws", torch.from_numpy(draws.astype(np.float32)), persistent=False)

    def maps(self, pixels: Tensor) -> Pair:
        """Fine and coarse maps (B, C, h, w) of normalised pictures (B, 3, H, W)."""
        return Pair(*self.backbone.maps(pixels)[-2:])

    def first_filter(self, sample: Tensor, box: Tensor) -> Tensor:
        """The filter (B, C, k, k) that features (B, C, G, G) of a target (B, 4) as x, y, w, h in pixels give; section 3.3."""
        corners = torch.cat([box[:, :2], box[:, :2] + box[:, 2:]], dim=1).unsqueeze(1) / STRIDE
        return precise_pool(self.first(sample), corners, (self.kernel, self.kernel)).squeeze(1)

    def wanted(self, box: Tensor) -> Wanted:
        """What responses should be, for targets (B, 4) as x, y, w, h in pixels of the crop."""
        centre = (box[:, :2] + box[:, 2:] / 2) / STRIDE - self.kernel % 2 / 2
        wanted: Wanted = self.distances(centre[:, [1, 0]], self.side)
        return wanted

    @property
    def rate(self) -> Tensor:
        """How far steps go, of what the gradient says: (1,)."""
        return self.log_rate.exp()

    @property
    def ridge(self) -> Tensor:
        """Weight of the filter itself: (1,)."""
        return self.root_ridge.square().clamp(min=1e-6)

    def init(self, template: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What is known of a first frame before anything is learned.

        Args:
            template: float32 (B, H, W, 3).
            target: (B, 4) cx, cy, w, h in 0..1 of the template.

        Returns:
            `kernel` (B, C, k, k), which learning starts from, its `rate` and `ridge` (B,); `fine` and `coarse` (B, 256), factors of
            the overlap; `sample` (B, C, G, G), and what is wanted of it, `label`, `mask` and `spatial` (B, R, R).
        """
        batch = template.shape[0]
        maps = self.maps(normalize(template))
        box = xywh_from_cxcywh(target) * self.size
        sample = self.features(maps.coarse)
        return {
            "kernel": self.first_filter(sample, box),
            "rate": self.rate.expand(batch),
            "ridge": self.ridge.expand(batch),
            **self.overlap.modulation(maps, box)._asdict(),
            "sample": sample,
            **self.wanted(box)._asdict(),
        }

    def step(self, search: Tensor, prior: Tensor, kernel: Tensor, fine: Tensor, coarse: Tensor) -> dict[str, Tensor]:
        """Where the target is, and what may be learned from this frame.

        Args:
            search: float32 (B, H, W, 3).
            prior: (B, 4), the last box in this crop.
            kernel: (B, C, k, k), as it was learned.
            fine: (B, 256), as `init` gives it.
            coarse: likewise.

        Returns:
            `box` (B, 4) and `score` (B,), the highest response; `next.sample` (B, C, G, G), what is wanted of it, `next.label`,
            `next.mask` and `next.spatial` (B, R, R), and `next.flag` (B,), what became of the target (`engines.state`).
        """
        maps = self.maps(normalize(search))
        sample = self.features(maps.coarse)
        before = (prior[:, [1, 0]] - 0.5) * self.cells
        found = find_target(correlate(sample, kernel, self.side), prior[:, [3, 2]] * self.cells, before)
        start = torch.cat([0.5 + found.shift[:, [1, 0]] / self.cells, prior[:, 2:]], dim=1)
        refined = self.overlap.refined(self.overlap.prepare(maps), Pair(fine, coarse), start, self.draws, self.size)
        box = torch.where((found.flag == LOST).unsqueeze(1), prior, refined)
        wanted = self.wanted(xywh_from_cxcywh(box) * self.size)
        learned = {f"next.{name}": value for name, value in wanted._asdict().items()}
        return {"box": box, "score": found.best, "next.sample": sample, **learned, "next.flag": found.flag.float()}


def build(arch: Arch) -> Dimp:
    """An untrained network."""
    return Dimp(arch)
