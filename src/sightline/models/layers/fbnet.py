"""FEAR-XS's network, for its family and for our own: an FBNet-C trunk for both crops, pixel-wise correlation, two short towers.

Borsuk et al., ECCV 2022, arXiv:2112.07957. B batch, C channels, 8 x 8 cells of the template, G x G of the search region, stride 16.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.models.layers.siamese import DistanceMaps, correlate_pixels

__all__ = ["BLOCKS", "CELLS", "KEYS", "PARTS", "STRIDE", "Fbnet"]

STRIDE = 16
CELLS = 64  # of the template
PARTS = (("pw", "expand"), ("dw", "depth"), ("pwl", "project"))
KEYS = (  # (name in the authors' checkpoint, name here)
    ("encoder.model.backbone.stages.xif0_0", "trunk.0_0"),
    # a number stands for both: stage and block
    *(
        (f"encoder.model.backbone.stages.xif{stage}_{block}.{theirs}", f"trunk.{stage}_{block}.{ours}")
        for stage in range(1, 5)
        for block in range(8)
        for theirs, ours in PARTS
    ),
    ("neck.downsample", "neck"),
    ("connect_model.cls_encode.matrix11_s", "score.encode"),
    ("connect_model.reg_encode.matrix11_s", "box.encode"),
    ("connect_model.cls_dw.enc", "score.join"),
    ("connect_model.reg_dw.enc", "box.join"),
    ("connect_model.cls_tower", "score.tower"),
    ("connect_model.bbox_tower", "box.tower"),
    ("connect_model.cls_pred", "score.last"),
    ("connect_model.bbox_pred", "box.last"),
    ("connect_model.adjust", "adjust"),
    ("connect_model.bias", "bias"),
)

# stage and block of FBNet-C -> kernel, expanded channels (0: as many as enter, no expansion), channels out, stride; 2_1 is empty
BLOCKS = {
    "1_0": (3, 0, 16, 1),
    "2_0": (3, 96, 24, 2),
    "2_2": (3, 0, 24, 1),
    "2_3": (3, 0, 24, 1),
    "3_0": (5, 144, 32, 2),
    "3_1": (5, 96, 32, 1),
    "3_2": (5, 192, 32, 1),
    "3_3": (3, 192, 32, 1),
    "4_0": (5, 192, 64, 2),
    "4_1": (5, 192, 64, 1),
    "4_2": (5, 384, 64, 1),
    "4_3": (5, 384, 64, 1),
    "4_4": (5, 384, 112, 1),
    "4_5": (5, 672, 112, 1),
    "4_6": (5, 672, 112, 1),
    "4_7": (5, 336, 112, 1),
}


class _Layer(nn.Sequential):
    """Convolution with bias, batch norm, and ReLU unless told otherwise."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, groups: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.add_module("conv", nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups))
        self.add_module("bn", nn.BatchNorm2d(channels_out))
        if relu:
            self.add_module("relu", nn.ReLU())


class _Block(nn.Module):
    """Inverted residual: expand, filter each channel, project; plus what entered, where the shape is kept."""

    def __init__(self, channels_in: int, kernel: int, expanded: int, channels_out: int, stride: int) -> None:
        super().__init__()
        hidden = expanded or channels_in
        self.expand = _Layer(channels_in, hidden, 1) if expanded else nn.Identity()
        self.depth = _Layer(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.project = _Layer(hidden, channels_out, 1, relu=False)
        self.adds = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depth(self.expand(x)))
        return x + y if self.adds else y


class _Separable(nn.Module):
    """3x3 convolution of each channel, then 1x1 of all."""

    def __init__(self, channels_in: int, channels_out: int, *, bias: bool = True) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=bias)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pointwise(self.depthwise(x))
        return y


def _separable(channels_in: int, channels_out: int, *, bias: bool = True) -> list[nn.Module]:
    return [_Separable(channels_in, channels_out, bias=bias), nn.BatchNorm2d(channels_out), nn.ReLU()]


class _Branch(nn.Module):
    """From features of template (B, C, 8, 8) and search (B, C, G, G) to `outputs` maps."""

    def __init__(self, width: int, depth: int, outputs: int) -> None:
        super().__init__()
        self.encode = nn.Sequential(*_separable(width, width, bias=False))
        self.join = nn.Sequential(*_separable(width + CELLS, width))
        self.tower = nn.Sequential(*(layer for _ in range(depth) for layer in _separable(width, width)))
        self.last = _Separable(width, outputs)

    def correlate(self, template: Tensor, search: Tensor) -> Tensor:
        """Search features that know the template: (B, C, G, G)."""
        search = self.encode(search)
        joined: Tensor = self.join(torch.cat([search, correlate_pixels(template, search)], dim=1))
        return joined

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        maps: Tensor = self.last(self.tower(self.correlate(template, search)))
        return maps


class Fbnet(nn.Module):
    """Features of crops, and what both heads say about them; the rule that chooses a box is the family's.

    Args:
        width: C.
        depth: layers of each tower.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.trunk = nn.ModuleDict({"0_0": _Layer(3, 16, 3, stride=2)})
        channels = 16
        for name, (kernel, expanded, channels_out, stride) in BLOCKS.items():
            self.trunk[name] = _Block(channels, kernel, expanded, channels_out, stride)
            channels = channels_out
        self.neck = nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width))
        self.score = _Branch(width, depth, 1)
        self.box = _Branch(width, depth, 4)
        self.adjust = nn.Parameter(0.1 * torch.ones(1))
        self.bias = nn.Parameter(torch.ones(1, 4, 1, 1))

    def extract(self, pixels: Tensor) -> Tensor:
        """Features (B, C, G, G) of a normalised crop (B, 3, 16 G, 16 G)."""
        for block in self.trunk.values():
            pixels = block(pixels)
        features: Tensor = self.neck(pixels)
        return features

    def look(self, template: Tensor, search: Tensor) -> DistanceMaps:
        """What the heads say, for features of both."""
        logits = 0.1 * self.score(template, search)
        return DistanceMaps(logits, torch.exp(self.adjust * self.box(template, search) + self.bias))
