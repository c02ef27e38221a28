"""SiamRPN and SiamRPN++: one trunk for both crops, correlation of each channel at one or three levels, boxes that start from anchors.

SiamMask is the same network at one level, with a third correlation that becomes a mask.

Papers  Li et al., CVPR 2018 (SiamRPN); Li et al., CVPR 2019, arXiv:1812.11703 (SiamRPN++); Wang et al., CVPR 2019, arXiv:1812.05050 (SiamMask)
Facts   docs/trackers/siamrpn.md      Spec  sightline/zoo/siamrpn.py      Golden  golden/siamrpn, golden/siammask

B batch, L levels, C channels, k x k cells of a kernel, A anchors, G x G cells of the search region, stride 8.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.anchors import anchor_sizes, choose_anchor, decode_anchors, target_scores
from sightline.models.layers.refine import SIDE, Refine, cut
from sightline.models.layers.siamese import Pick, correlate_channels, grid_points, planes, smooth
from sightline.models.layers.stride8 import AlexNet, MobileNetV2, ValidResNet
from sightline.zoo.siamrpn import Arch

__all__ = ["KEYS", "UNUSED", "Maps", "SiamRPN", "build"]

STRIDE = 8
COARSE = 63  # pixels along each side of a mask that is not refined
BEFORE = 4  # cells between the beginning of a mask and the cell that it comes from
PARTS = (("conv_kernel", "template"), ("conv_search", "search"), ("head", "last"))
# the authors count levels from 2, and leave the number out where there is one
BRANCHES = (
    ("rpn_head.cls", "heads.1.score"),
    ("rpn_head.loc", "heads.1.box"),
    ("rpn_head.rpn{}.cls", "heads.{}.score"),
    ("rpn_head.rpn{}.loc", "heads.{}.box"),
    ("mask_head", "mask"),
)
KEYS = (
    ("backbone.features", "trunk.layers"),
    ("backbone", "trunk"),
    ("neck.downsample.downsample", "neck.1"),
    ("neck.downsample{}.downsample", "neck.{}"),
    *((f"{theirs}.{part}", f"{ours}.{name}") for theirs, ours in BRANCHES for part, name in PARTS),
    ("rpn_head.cls_weight", "score_weights"),
    ("rpn_head.loc_weight", "box_weights"),
    ("refine_head", "refine"),
)
UNUSED: tuple[str, ...] = ()


class Maps(NamedTuple):
    """What the heads say about every anchor: logits (B, 2 A, G, G), offsets (B, 4 A, G, G); see `layers/anchors.py`."""

    logits: Tensor
    offsets: Tensor


class Correlation(nn.Module):
    """Both sides through a 3x3 convolution, correlated channel by channel, then two 1x1 convolutions."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.template, self.search = _normed(width, 3), _normed(width, 3)
        self.last = nn.Sequential(*_normed(width, 1), nn.Conv2d(width, outputs, 1))

    def correlate(self, kernel: Tensor, features: Tensor) -> Tensor:
        """The response (B, C, G, G) of search features (B, C, G', G') to a kernel (B, C, k, k)."""
        return correlate_channels(kernel, self.search(features))

    def forward(self, kernel: Tensor, features: Tensor) -> Tensor:
        """(B, `outputs`, G, G); arguments as `correlate`."""
        return self.last(self.correlate(kernel, features))


def _normed(width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, width, kernel, bias=False), nn.BatchNorm2d(width), nn.ReLU())


class Branches(nn.Module):
    """A correlation for the scores of the anchors of a level, and one for their boxes."""

    def __init__(self, width: int, anchors: int) -> None:
        super().__init__()
        self.score, self.box = Correlation(width, 2 * anchors), Correlation(width, 4 * anchors)


class SiamRPN(nn.Module):
    """See the module's docstring."""

    sizes: Tensor
    trunk: AlexNet | MobileNetV2 | ValidResNet

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        levels = (0, 1, 2, *arch.levels) if arch.masks else arch.levels
        self.trunk = AlexNet(arch.widths) if arch.trunk == "alexnet" else _TRUNKS[arch.trunk](levels)
        self.register_buffer("sizes", anchor_sizes(), persistent=False)
        names = [str(i + 2) for i in range(len(arch.levels))] if len(arch.levels) > 1 else ["1"]
        self.neck, self.heads = nn.ModuleDict(), nn.ModuleDict()
        for name, level in zip(names, arch.levels, strict=False):  # AlexNet's map is taken as it is
            channels = self.trunk.widths[level]
            self.neck[name] = nn.Sequential(nn.Conv2d(channels, arch.width, 1, bias=False), nn.BatchNorm2d(arch.width))
        for name in names:
            self.heads[name] = Branches(arch.width, len(self.sizes))
        if arch.weighted:
            self.score_weights, self.box_weights = nn.Parameter(torch.ones(len(names))), nn.Parameter(torch.ones(len(names)))
        if arch.masks:
            self.mask, self.refine = Correlation(arch.width, COARSE**2), Refine(arch.width)

    def extract(self, pixels: Tensor) -> list[Tensor]:
        """Features (B, C, h, w) of every level of a crop (B, 3, H, W), BGR, values 0..255; of a template, its middle."""
        return self.adjust(self.trunk(pixels))

    def adjust(self, maps: list[Tensor]) -> list[Tensor]:
        """Features of every level, from the maps of the trunk, the last of which are theirs."""
        if not self.neck:
            return maps
        return [_middle(neck(level)) for neck, level in zip(self.neck.values(), maps[-len(self.neck) :], strict=True)]

    def kernels(self, template: list[Tensor]) -> tuple[Tensor, Tensor]:
        """What scores and boxes are correlated with (B, L, C, k, k), from the template's features of every level."""
        pairs = [(head.score.template(level), head.box.template(level)) for head, level in zip(self.branches(), template, strict=True)]
        scores, boxes = zip(*pairs, strict=True)
        return torch.stack(scores, dim=1), torch.stack(boxes, dim=1)

    def branches(self) -> list[Branches]:
        """The heads, by level."""
        return [head for head in self.heads.values() if isinstance(head, Branches)]

    def look(self, scores: Tensor, boxes: Tensor, features: list[Tensor]) -> Maps:
        """What the heads say, given `kernels` and search features of every level."""
        heads = self.branches()
        logits = [head.score(scores[:, i], features[i]) for i, head in enumerate(heads)]
        offsets = [head.box(boxes[:, i], features[i]) for i, head in enumerate(heads)]
        if not self.arch.weighted:
            return Maps(torch.stack(logits).mean(dim=0), torch.stack(offsets).mean(dim=0))
        return Maps(_weighted(logits, self.score_weights), _weighted(offsets, self.box_weights))

    def choose(self, maps: Maps, prior: Tensor, size: int) -> tuple[Tensor, Pick]:
        """The box (B, 4) in 0..1 of a search crop of `size` pixels, and which anchor it came from; `prior` as in `step`."""
        points = grid_points(maps.logits.shape[-1], STRIDE, 0.0, maps.logits.device)  # from the middle of the crop
        last = prior[:, 2:] * size
        boxes = decode_anchors(maps.offsets, self.sizes, points)
        box, best = choose_anchor(boxes, target_scores(maps.logits), prior=last, penalty=self.arch.penalty, window=self.arch.window)
        extent = smooth(box[:, 2:], last, best.confidence * self.arch.rate)
        return torch.cat([box[:, :2] + size / 2, extent], dim=1) / size, best

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, uint8 (B, 127, 127, 3): `scores` and `boxes` (B, L, C, k, k), what is correlated.

        With `Arch.masks` also `masks` (B, C, k, k).
        """
        features = self.extract(planes(template))
        scores, boxes = self.kernels(features)
        state = {"scores": scores, "boxes": boxes}
        return state | {"masks": self.mask.template(features[0])} if self.arch.masks else state

    def outline(self, kernel: Tensor, maps: list[Tensor], place: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of a mask (B, 127, 127), and where it begins in the search crop: x, y (B, 2) in pixels.

        Args:
            kernel: (B, C, k, k), `masks` of `init`.
            maps: of the search region, of all levels of the trunk.
            place: (B, 1) of the anchor that won.
        """
        features = self.mask.search(self.adjust(maps)[0])
        side = features.shape[-1] - kernel.shape[-1] + 1
        cell = place % (side * side)
        rows, columns = torch.div(cell, side, rounding_mode="floor"), cell % side
        found = (cut(features, rows, columns, kernel.shape[-1]) * kernel).sum(dim=(2, 3))
        return self.refine(found, maps[:3], rows, columns), (torch.cat([columns, rows], dim=1) - BEFORE) * STRIDE

    def step(self, search: Tensor, scores: Tensor, boxes: Tensor, prior: Tensor, masks: Tensor | None = None) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop; with `Arch.masks` also `mask` (B, 127, 127), `mask_box` (B, 4) where it lies.

        Args:
            search: uint8 (B, 255 or 287, 255 or 287, 3).
            scores: (B, L, C, k, k), as `boxes`.
            boxes: see `init`.
            prior: (B, 4), the last box as cx, cy, w, h in 0..1 of the search crop.
            masks: see `init`.
        """
        maps, size = self.trunk(planes(search)), search.shape[1]
        box, best = self.choose(self.look(scores, boxes, self.adjust(maps)), prior, size)
        said = {"box": box, "score": best.score}
        if masks is None:
            return said
        logits, corner = self.outline(masks, maps, best.place)
        extent = torch.full_like(box[:, 2:], SIDE)
        return said | {"mask": torch.sigmoid(logits), "mask_box": torch.cat([corner + extent / 2, extent], dim=1) / size}


_TRUNKS = {"mobilenetv2": MobileNetV2, "resnet50": ValidResNet}


def _middle(features: Tensor) -> Tensor:
    """The middle 7 x 7 cells of a template's features; those of a search region as they are."""
    side = features.shape[-1]
    if side >= 20:
        return features
    first = (side - 7) // 2
    return features[..., first : first + 7, first : first + 7]


def _weighted(maps: list[Tensor], weights: Tensor) -> Tensor:
    """The average of maps (B, C, G, G), with the softmax of one weight for each."""
    return (torch.stack(maps, dim=-1) * torch.softmax(weights, dim=0)).sum(dim=-1)


def build(arch: Arch) -> SiamRPN:
    """An untrained network."""
    return SiamRPN(arch)
