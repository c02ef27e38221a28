"""ATOM: a filter learned while tracking finds the target; boxes around there climb a learned overlap.

Paper   Danelljan et al., CVPR 2019, arXiv:1811.07628
Facts   docs/trackers/atom.md      Spec  sightline/zoo/atom.py      Golden  golden/atom

B batch, G x G cells of stride 16, C channels, D of which are left after the projection, K boxes.
`init` gives what learning starts from, `step` uses what was learned (`sightline.methods.online`). Pixels enter as float32
(B, H, W, 3) RGB in 0..255; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from sightline.engines.state import LOST
from sightline.models.layers.boxes import xywh_from_cxcywh
from sightline.models.layers.decode import normalize
from sightline.models.layers.overlap import OVERLAP_KEYS, Overlap, Pair
from sightline.models.layers.peaks import Finer, correlate, find_target, gaussian_labels
from sightline.models.layers.resnet import ResNet
from sightline.zoo.atom import Arch

__all__ = ["KEYS", "UNUSED", "Atom", "build"]

KEYS = (("feature_extractor", "backbone"), *OVERLAP_KEYS)
UNUSED = ("feature_extractor.layer4.*", "feature_extractor.fc.*")

STRIDE = 16
SIGMA = 1 / 4  # of the labels, over the side of a target


class Atom(nn.Module):
    """See the module's docstring."""

    kernel: Tensor
    projection: Tensor
    draws: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.size, self.cells, self.offset = arch.size, arch.size // STRIDE, (arch.kernel + 1) % 2 / 2
        self.sigma = SIGMA * self.cells / arch.area
        self.backbone = ResNet(arch.depth)
        channels = self.backbone.channels
        self.overlap = Overlap((channels // 2, channels), steps=arch.steps)
        self.finer = Finer(self.cells, arch.size)
        draw = np.random.default_rng(arch.seed)
        start = {
            "kernel": draw.normal(size=(arch.width, arch.kernel, arch.kernel)) / (arch.width * arch.kernel**2),
            "projection": draw.normal(size=(arch.width, channels)) / math.sqrt(channels),
            "draws": draw.random((arch.proposals, 4)) - 0.5,
        }
        for name, value in start.items():
            self.register_buffer(name, torch.from_numpy(value.astype(np.float32)), persistent=False)

    def maps(self, pixels: Tensor) -> Pair:
        """Fine and coarse maps (B, C, h, w) of normalised pictures (B, 3, H, W)."""
        return Pair(*self.backbone.maps(pixels)[-2:])

    def init(self, template: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What is known of a first frame before anything is learned.

        Args:
            template: float32 (B, H, W, 3).
            target: (B, 4) cx, cy, w, h in 0..1 of the template.

        Returns:
            `kernel` (B, D, k, k) and `projection` (B, D, C), which learning starts from; `fine` and `coarse` (B, 256), factors of
            the overlap; `sample` (B, C, G, G), not yet projected, and the responses wanted of it, `label` (B, G, G).
        """
        batch = template.shape[0]
        maps = self.maps(normalize(template))
        factors = self.overlap.modulation(maps, xywh_from_cxcywh(target) * self.size)
        return {
            "kernel": self.kernel.expand(batch, -1, -1, -1),
            "projection": self.projection.expand(batch, -1, -1),
            **factors._asdict(),
            "sample": equalised(maps.coarse),
            "label": self.label(target),
        }

    def step(self, search: Tensor, prior: Tensor, kernel: Tensor, projection: Tensor, fine: Tensor, coarse: Tensor) -> dict[str, Tensor]:
        """Where the target is, and what may be learned from this frame.

        Args:
            search: float32 (B, H, W, 3).
            prior: (B, 4), the last box in this crop.
            kernel: (B, D, k, k), as it was learned.
            projection: (B, D, C), likewise.
            fine: (B, 256), as `init` gives it.
            coarse: likewise.

        Returns:
            `box` (B, 4) and `score` (B,), the highest response; `next.sample` (B, D, G, G), `next.label` (B, G, G), the responses
            wanted of it, and `next.flag` (B,), what became of the target (`engines.state`).
        """
        maps = self.maps(normalize(search))
        features = equalised(maps.coarse)
        sample = (projection @ features.flatten(2)).reshape(*projection.shape[:2], self.cells, self.cells)
        found = find_target(self.finer(correlate(sample, kernel, self.cells)), prior[:, [3, 2]] * self.size)
        start = torch.cat([0.5 + found.shift[:, [1, 0]] / self.size, prior[:, 2:]], dim=1)
        refined = self.overlap.refined(self.overlap.prepare(maps), Pair(fine, coarse), start, self.draws, self.size)
        box = torch.where((found.flag == LOST).unsqueeze(1), prior, refined)
        learned = {"next.sample": sample, "next.label": self.label(box), "next.flag": found.flag.float()}
        return {"box": box, "score": found.best, **learned}

    def label(self, box: Tensor) -> Tensor:
        """The responses (B, G, G) that are wanted for a box (B, 4)."""
        return gaussian_labels((box[:, [1, 0]] - 0.5) * self.cells + self.offset, self.sigma, self.cells)


def equalised(maps: Tensor) -> Tensor:
    """Maps (B, C, h, w) over the root of the mean of their squares."""
    return maps * (maps.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-10).rsqrt()


def build(arch: Arch) -> Atom:
    """An untrained network."""
    return Atom(arch)
