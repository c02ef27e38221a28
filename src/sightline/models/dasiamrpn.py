"""DaSiamRPN, and SiamRPN as first published: the template becomes one kernel over all channels for each number of an anchor.

Paper   Zhu et al., ECCV 2018, arXiv:1808.06048; Li et al., CVPR 2018 (SiamRPN)
Facts   docs/trackers/dasiamrpn.md      Spec  sightline/zoo/dasiamrpn.py      Golden  golden/dasiamrpn

B batch, C channels, k x k cells of a kernel, A anchors, G x G cells of the search region, stride 8.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.anchors import anchor_sizes, choose_anchor, decode_anchors, target_scores
from sightline.models.layers.siamese import correlate, grid_points, planes, smooth
from sightline.models.layers.stride8 import AlexNet
from sightline.zoo.dasiamrpn import Arch

__all__ = ["KEYS", "UNUSED", "DaSiamRPN", "Kernels", "build"]

STRIDE, KERNEL = 8, 4  # pixels between two cells; cells of a kernel along each side
KEYS = (
    ("featureExtract", "trunk.layers"),
    ("conv_cls1", "score_template"),
    ("conv_cls2", "score_search"),
    ("conv_r1", "box_template"),
    ("conv_r2", "box_search"),
    ("regress_adjust", "adjust"),
)
UNUSED: tuple[str, ...] = ()


class Kernels(NamedTuple):
    """What a search region is correlated with: scores (B, 2 A, C, k, k), boxes (B, 4 A, C, k, k)."""

    scores: Tensor
    boxes: Tensor


class DaSiamRPN(nn.Module):
    """See the module's docstring."""

    sizes: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.trunk = AlexNet(arch.widths)
        self.register_buffer("sizes", anchor_sizes(), persistent=False)
        num, channels = len(self.sizes), arch.widths[-1]
        self.score_template, self.score_search = nn.Conv2d(channels, 2 * num * arch.width, 3), nn.Conv2d(channels, arch.width, 3)
        self.box_template, self.box_search = nn.Conv2d(channels, 4 * num * arch.width, 3), nn.Conv2d(channels, arch.width, 3)
        self.adjust = nn.Conv2d(4 * num, 4 * num, 1)
        # what is correlated is a sum of so many products: an untrained network would begin with logits of about 20
        quiet = 1 / math.sqrt(math.sqrt(arch.width) * KERNEL)
        with torch.no_grad():
            for convolution in (self.score_template, self.score_search, self.box_template, self.box_search):
                convolution.weight.mul_(quiet)

    def extract(self, pixels: Tensor) -> Tensor:
        """Features (B, C, h, w) of a crop (B, 3, H, W), BGR, values 0..255."""
        return self.trunk(pixels)[0]

    def kernels(self, template: Tensor) -> Kernels:
        """Those of a template's features."""
        scores, boxes = self.score_template(template), self.box_template(template)
        shape = (template.shape[0], -1, self.arch.width, *scores.shape[2:])
        return Kernels(scores.reshape(shape), boxes.reshape(shape))

    def look(self, kernels: Kernels, search: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, 2 A, G, G) and offsets (B, 4 A, G, G) of the anchors (`layers/anchors.py`), from features of a search region."""
        logits = correlate(kernels.scores, self.score_search(search))
        return logits, self.adjust(correlate(kernels.boxes, self.box_search(search)))

    def points(self, side: int, device: torch.device) -> Tensor:
        """Where the cells of one axis stand (side,), in pixels from the middle of the crop; `side` is odd."""
        return grid_points(side, STRIDE, self.arch.shift, device)

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, uint8 (B, 127, 127, 3): the `Kernels`."""
        return self.kernels(self.extract(planes(template)))._asdict()

    def step(self, search: Tensor, scores: Tensor, boxes: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop.

        Args:
            search: uint8 (B, 271 or 287, 271 or 287, 3).
            scores: see `Kernels`.
            boxes: likewise.
            prior: (B, 4), the last box as cx, cy, w, h in 0..1 of the search crop.
        """
        size, last = search.shape[1], prior[:, 2:] * search.shape[1]
        logits, offsets = self.look(Kernels(scores, boxes), self.extract(planes(search)))
        anchored = decode_anchors(offsets, self.sizes, self.points(logits.shape[-1], search.device))
        box, best = choose_anchor(anchored, target_scores(logits), prior=last, penalty=self.arch.penalty, window=self.arch.window)
        extent = smooth(box[:, 2:], last, best.confidence * self.arch.rate)
        return {"box": torch.cat([box[:, :2] + size / 2, extent], dim=1) / size, "score": best.score}


def build(arch: Arch) -> DaSiamRPN:
    """An untrained network."""
    return DaSiamRPN(arch)
