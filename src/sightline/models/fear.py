"""FEAR-XS: a small convolutional trunk for both crops, pixel-wise correlation, one tower for the class and one for the box.

Paper   Borsuk et al., ECCV 2022, arXiv:2112.07957 (without the dynamic template, which was never released)
Facts   docs/trackers/fear.md      Spec  sightline/zoo/fear.py      Golden  golden/fear

B batch, C channels, 8 x 8 cells of the template, G x G of the search region, stride 16.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.models.layers import fbnet
from sightline.models.layers.decode import normalize
from sightline.models.layers.siamese import choose, grid_points, smooth
from sightline.zoo.fear import Arch

__all__ = ["KEYS", "UNUSED", "Fear", "build"]

KEYS = (*fbnet.KEYS, *((f"model.{theirs}", ours) for theirs, ours in fbnet.KEYS))  # the second, in a Lightning checkpoint
UNUSED = tuple(
    f"{prefix}encoder.model.{name}"
    for prefix in ("", "model.")
    for name in ("backbone.stages.xif5_*", "backbone.stages.xif6_*", "head.*")  # the rest of FBNet-C, and its classifier
)


class Fear(fbnet.Fbnet):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__(arch.width, arch.tower)
        self.arch = arch

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, uint8 (B, 128, 128, 3): `kernel` (B, C, 8, 8)."""
        return {"kernel": self.extract(normalize(template))}

    def step(self, search: Tensor, kernel: Tensor, prior: Tensor | None = None) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop.

        Args:
            search: uint8 (B, 16 G, 16 G, 3).
            kernel: (B, C, 8, 8).
            prior: (B, 4), the last box as cx, cy, w, h in 0..1 of the search crop; only where `Arch.rate` is given.
        """
        size = search.shape[1]
        maps = self.look(kernel, self.extract(normalize(search)))
        points = grid_points(maps.logits.shape[-1], fbnet.STRIDE, size / 2, search.device)
        last = None if prior is None else prior[:, 2:] * size
        arch = self.arch
        best = choose(maps.distances, torch.sigmoid(maps.logits[:, 0]), points, prior=last, penalty=arch.penalty, window=arch.window)
        corner, extent = best.box[:, :2], best.box[:, 2:] - best.box[:, :2]
        if last is not None and arch.rate is not None:
            # as published: the smoothed size is smoothed once more, and the corner stays where the unsmoothed box had it
            extent = smooth(extent, last, (best.confidence * arch.rate) ** 2)
        return {"box": torch.cat([corner + extent / 2, extent], dim=1) / size, "score": best.score}


def build(arch: Arch) -> Fear:
    """An untrained network."""
    return Fear(arch)
