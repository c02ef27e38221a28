"""A light trunk for both crops, pixel-wise correlation, and two towers: what LightTrack and E.T.Track have in common.

Yan et al., CVPR 2021, arXiv:2104.14545 (LightTrack), sections 3.3 and 3.4.

B batch, C channels, 8 x 8 cells of the template, G x G of the search region, stride 16.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.models.layers.decode import normalize
from sightline.models.layers.lightnet import LightNet
from sightline.models.layers.siamese import DistanceMaps, PixelCorrelation, choose, grid_points, smooth

__all__ = ["SEPARABLE_KEYS", "Pixelwise", "Separable"]

STRIDE = 16
CELLS = 64  # of the template
SEPARABLE_KEYS = (("conv1", "depth"), ("pointwise", "mix"), ("BN", "norm"))  # in the authors' files, and here


class Separable(nn.Module):
    """Convolution of each channel, 1x1 of all, batch norm, ReLU."""

    def __init__(self, channels_in: int, width: int, kernel: int) -> None:
        super().__init__()
        self.depth = nn.Conv2d(channels_in, channels_in, kernel, padding=kernel // 2, groups=channels_in, bias=False)
        self.mix = nn.Conv2d(channels_in, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, G, G) to (B, `width`, G, G)."""
        return torch.relu(self.norm(self.mix(self.depth(x))))


class Pixelwise(nn.Module):
    """See the module's docstring.

    Args:
        backbone: of both crops.
        joined: channels that both towers are given.
        score_tower: (B, `joined`, G, G) to (B, `score_width`, G, G).
        box_tower: likewise.
        score_width: channels after it.
        box_width: likewise.
        penalty: of a change of size and shape.
        window: its share in what is compared.
        rate: how fast the size may change.
    """

    def __init__(
        self,
        backbone: LightNet,
        *,
        joined: int,
        score_tower: nn.Sequential,
        box_tower: nn.Sequential,
        score_width: int,
        box_width: int,
        penalty: float,
        window: float,
        rate: float,
    ) -> None:
        super().__init__()
        self.penalty, self.window, self.rate = penalty, window, rate
        self.backbone = backbone
        self.correlation = PixelCorrelation(backbone.channels, CELLS, joined)
        self.score_tower, self.box_tower = score_tower, box_tower
        self.score_last = nn.Conv2d(score_width, 1, 3, padding=1)
        self.box_last = nn.Conv2d(box_width, 4, 3, padding=1)

    def extract(self, pixels: Tensor) -> Tensor:
        """Features (B, C, G, G) of a normalised crop (B, 3, H, W)."""
        features: Tensor = self.backbone(pixels)
        return features

    def look(self, template: Tensor, search: Tensor) -> DistanceMaps:
        """What the heads say, for features of both."""
        joined = self.correlation(template, search)
        logits = 0.1 * self.score_last(self.score_tower(joined))
        return DistanceMaps(logits, STRIDE * torch.relu(self.box_last(self.box_tower(joined))))

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
        best = choose(maps.distances, scores, points, prior=last, penalty=self.penalty, window=self.window)
        # as published: the smoothed size is smoothed once more
        extent = smooth(best.box[:, 2:] - best.box[:, :2], last, (best.confidence * self.rate) ** 2)
        centre = (best.box[:, :2] + best.box[:, 2:]) / 2
        return {"box": torch.cat([centre, extent], dim=1) / size, "score": scores.flatten(1).amax(dim=1)}
