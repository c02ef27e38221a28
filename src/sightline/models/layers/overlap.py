"""How much of a target would a box cover, and which way would it cover more: box refinement of ATOM and its successors.

Danelljan et al., CVPR 2019 (arXiv:1811.07628), section 3.1 and figure 3; after Jiang et al., ECCV 2018 (arXiv:1807.11590).
The template gives one factor for each channel of the search maps; a box is pooled from them and read by two linear layers.
The gradient of what they say is written out, so that a graph can climb it.

B batch, K boxes, maps "fine" of stride 8 (1/8 of the crop) and "coarse" of stride 16. Boxes in pixels of the crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.boxes import cxcywh_from_xywh, xywh_from_cxcywh, xyxy_from_xywh
from sightline.models.layers.pool import pool_slope, precise_pool

__all__ = ["OVERLAP_KEYS", "Overlap", "Pair", "jitter"]

# names in the authors' files -> names here
OVERLAP_KEYS = (
    ("bb_regressor.conv3_1r", "overlap.template.fine"),
    ("bb_regressor.conv4_1r", "overlap.template.coarse"),
    ("bb_regressor.fc3_1r", "overlap.gather"),
    ("bb_regressor.fc34_3r", "overlap.factors.fine"),
    ("bb_regressor.fc34_4r", "overlap.factors.coarse"),
    ("bb_regressor.conv3_1t", "overlap.search.fine.0"),
    ("bb_regressor.conv3_2t", "overlap.search.fine.1"),
    ("bb_regressor.conv4_1t", "overlap.search.coarse.0"),
    ("bb_regressor.conv4_2t", "overlap.search.coarse.1"),
    ("bb_regressor.fc3_rt", "overlap.read.fine"),
    ("bb_regressor.fc4_rt", "overlap.read.coarse"),
    ("bb_regressor.iou_predictor", "overlap.say"),
)

STRIDES = {"fine": 8, "coarse": 16}
CELLS = {"fine": 5, "coarse": 3}  # along each side of a box
WIDTH = 256
KEPT, ASPECT = 3, 6.0  # boxes whose mean is taken, and the most a side may be of the other


class Pair(NamedTuple):
    """Something for both strides."""

    fine: Tensor
    coarse: Tensor


class Overlap(nn.Module):
    """See the module's docstring; `channels` of the fine and the coarse maps that the backbone gives, `steps` of refinement."""

    def __init__(self, channels: tuple[int, int], *, steps: int) -> None:
        super().__init__()
        self.steps = steps
        fine, coarse = channels
        self.template = nn.ModuleDict({"fine": _block(fine, 128), "coarse": _block(coarse, WIDTH)})
        self.gather = _block(128, WIDTH, padding=0)
        self.factors = nn.ModuleDict({name: _block(2 * WIDTH, WIDTH, kernel=1, padding=0) for name in STRIDES})
        self.search = nn.ModuleDict(
            {
                "fine": nn.Sequential(_block(fine, WIDTH), _block(WIDTH, WIDTH)),
                "coarse": nn.Sequential(_block(coarse, WIDTH), _block(WIDTH, WIDTH)),
            }
        )
        self.read = nn.ModuleDict({name: _Reading(WIDTH * CELLS[name] ** 2, WIDTH) for name in STRIDES})
        self.say = nn.Linear(2 * WIDTH, 1)

    def modulation(self, maps: Pair, box: Tensor) -> Pair:
        """Factors (B, 256) of the search maps, from maps of the template crop and the target (B, 4) as x, y, w, h in it."""
        corners = xyxy_from_xywh(box.unsqueeze(1))
        fine = precise_pool(self.template["fine"](maps.fine), corners / STRIDES["fine"], (3, 3)).squeeze(1)
        coarse = precise_pool(self.template["coarse"](maps.coarse), corners / STRIDES["coarse"], (1, 1)).squeeze(1)
        both = torch.cat([self.gather(fine), coarse], dim=1)
        return Pair(*(self.factors[name](both).flatten(1) for name in STRIDES))

    def prepare(self, maps: Pair) -> Pair:
        """What boxes are pooled from, from maps of the search crop."""
        return Pair(*(self.search[name](part) for name, part in zip(STRIDES, maps, strict=True)))

    def rate(self, maps: Pair, factors: Pair, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """What is said of boxes, and how it changes with them.

        Args:
            maps: as `prepare` gives them.
            factors: as `modulation` gives them.
            boxes: (B, K, 4) as x, y, w, h.

        Returns:
            overlap (B, K): twice the intersection over union, less one, where it was trained; its gradient (B, K, 4).
        """
        corners = xyxy_from_xywh(boxes)
        said: Tensor = self.say.bias
        pulls = []
        for name, part, factor, weight in zip(
            STRIDES, maps, factors, (self.say.weight[0, :WIDTH], self.say.weight[0, WIDTH:]), strict=True
        ):
            cells = (CELLS[name], CELLS[name])
            factor = factor.reshape(factor.shape[0], 1, -1, 1, 1)
            reading = self.read[name]
            assert isinstance(reading, _Reading)
            value, pull = reading.forward_and_back((precise_pool(part, corners / STRIDES[name], cells) * factor).flatten(2), weight)
            said = said + value @ weight
            pull = pull.reshape(*pull.shape[:2], WIDTH, *cells) * factor
            pulls.append(pool_slope(part, corners / STRIDES[name], pull) / STRIDES[name])
        slope = torch.stack(pulls).sum(dim=0)
        return said, torch.cat([slope[..., :2] + slope[..., 2:], slope[..., 2:]], dim=2)

    def climb(self, maps: Pair, factors: Pair, boxes: Tensor, *, steps: int, length: float = 1.0) -> tuple[Tensor, Tensor]:
        """Boxes (B, K, 4) after some steps towards more overlap, in units of their size, and what was said before the last step (B, K)."""
        said = boxes[..., 0]
        for _ in range(steps):
            said, slope = self.rate(maps, factors, boxes)
            boxes = boxes + length * slope * boxes[..., 2:].repeat(1, 1, 2)
        return boxes, said

    def refine(self, maps: Pair, factors: Pair, boxes: Tensor) -> Tensor:
        """The mean (B, 4) of the best boxes after refinement; the first of `boxes` where all have become too narrow, or left the crop.

        Arguments as `rate`.
        """
        climbed, said = self.climb(maps, factors, boxes, steps=self.steps)
        w, h = climbed[..., 2], climbed[..., 3]
        sound = (w > 0) & (h > 0) & (w < ASPECT * h) & (h < ASPECT * w)
        # those that are published may also leave the crop; what is trained does not, and a box has to be finite
        centre, size = climbed[..., :2] + climbed[..., 2:] / 2, maps.fine.shape[3] * STRIDES["fine"]
        sound &= ((centre > 0) & (centre < size) & (climbed[..., 2:] < size)).all(dim=2)
        best, places = torch.where(sound, said, -torch.inf).topk(KEPT, dim=1)
        share = (best > -torch.inf).float()  # (B, KEPT)
        chosen = climbed.gather(1, places.unsqueeze(2).expand(-1, -1, 4))
        chosen = torch.where(share.unsqueeze(2) > 0, chosen, torch.zeros_like(chosen))
        found = share.sum(dim=1)
        mean = chosen.sum(dim=1) / found.clamp(min=1).unsqueeze(1)
        return torch.where((found > 0).unsqueeze(1), mean, boxes[:, 0])

    def refined(self, maps: Pair, factors: Pair, start: Tensor, draws: Tensor, size: int) -> Tensor:
        """The box that is found from a first one, and from others drawn around it.

        Args:
            maps: as `prepare` gives them.
            factors: as `modulation` gives them.
            start: (B, 4) cx, cy, w, h in 0..1 of the crop, as what is given back.
            draws: (K, 4), see `jitter`.
            size: of the crop in pixels.
        """
        pixels = xywh_from_cxcywh(start) * size
        return cxcywh_from_xywh(self.refine(maps, factors, jitter(pixels, draws)) / size)


class _Reading(nn.Module):
    """Linear, batch norm, ReLU, with the way back written out."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.linear, self.bn = nn.Linear(width_in, width), nn.BatchNorm1d(width)

    def forward_and_back(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, C) to values (B, K, width), and the gradient (B, K, C) of their sum with `weight` (width,)."""
        assert self.bn.running_var is not None
        assert self.bn.running_mean is not None
        scale = self.bn.weight * (self.bn.running_var + self.bn.eps).rsqrt()
        y = (self.linear(x) - self.bn.running_mean) * scale + self.bn.bias
        return torch.relu(y), ((y > 0) * (weight * scale)) @ self.linear.weight


def jitter(box: Tensor, draws: Tensor) -> Tensor:
    """A box (B, 4) as x, y, w, h and as many more around it as there are draws (K, 4) in -0.5..0.5: (B, 1 + K, 4)."""
    size = box[:, None, 2:]
    reach = size.prod(dim=2, keepdim=True).sqrt()
    sizes = torch.maximum(size + 0.5 * reach * draws[:, 2:], size.amin(dim=2, keepdim=True) / 3)
    centres = box[:, None, :2] + size / 2 + 0.1 * reach * draws[:, :2]
    return torch.cat([box.unsqueeze(1), torch.cat([centres - sizes / 2, sizes], dim=2)], dim=1)


def _block(channels_in: int, channels_out: int, *, kernel: int = 3, padding: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, kernel, padding=padding), nn.BatchNorm2d(channels_out), nn.ReLU())
