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
from sightline.models.layers.siamese import ChannelAttention, choose, correlate_pixels, grid_points, smooth
from sightline.zoo.lighttrack import Arch

__all__ = ["KEYS", "UNUSED", "LightTrack", "Maps", "build"]

STRIDE = 16
CELLS = 64  # of the template
STEM_WIDTH = 16
_FIRST, _BLOCK = "features.blocks.0.0", "features.blocks.{}.{}"
_TOWER = (("conv1", "depth"), ("pointwise", "mix"), ("BN", "norm"))
_KEYS = (
    ("features.conv_stem", "stem.conv"),
    ("features.bn1", "stem.norm"),
    (f"{_FIRST}.conv_dw", "blocks.0.0.depth.conv"),  # has no expansion
    (f"{_FIRST}.bn1", "blocks.0.0.depth.norm"),
    (f"{_FIRST}.conv_pw", "blocks.0.0.project.conv"),
    (f"{_FIRST}.bn2", "blocks.0.0.project.norm"),
    (f"{_BLOCK}.conv_pw", "blocks.{}.{}.expand.conv"),
    (f"{_BLOCK}.bn1", "blocks.{}.{}.expand.norm"),
    (f"{_BLOCK}.conv_dw", "blocks.{}.{}.depth.conv"),
    (f"{_BLOCK}.bn2", "blocks.{}.{}.depth.norm"),
    (f"{_BLOCK}.conv_pwl", "blocks.{}.{}.project.conv"),
    (f"{_BLOCK}.bn3", "blocks.{}.{}.project.norm"),
    (f"{_BLOCK}.se.conv_reduce", "blocks.{}.{}.squeeze.reduce"),
    (f"{_BLOCK}.se.conv_expand", "blocks.{}.{}.squeeze.expand"),
    ("neck.BN_z", "template_norm"),
    ("neck.BN_x", "search_norm"),
    ("feature_fusor.pw_corr.CA_layer", "attention"),
    ("feature_fusor.adj_layer", "join"),
    *((f"head.cls_tower.{{}}.{theirs}", f"score_tower.{{}}.{ours}") for theirs, ours in _TOWER),
    *((f"head.reg_tower.{{}}.{theirs}", f"box_tower.{{}}.{ours}") for theirs, ours in _TOWER),
    ("head.cls_perd.cls_pred", "score_last"),
    ("head.reg_pred.bbox_pred", "box_last"),
)
KEYS = (*_KEYS, *((f"feature_extractor.{theirs}", ours) for theirs, ours in _KEYS if theirs.startswith("features")))  # some copies have it
UNUSED: tuple[str, ...] = ()


class Maps(NamedTuple):
    """What the heads say about every cell: logits (B, 1, G, G), and distances (B, 4, G, G) to the sides in pixels of the crop."""

    logits: Tensor
    distances: Tensor


class _Layer(nn.Sequential):
    """Convolution without bias, batch norm, and Swish unless told otherwise."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, groups: int = 1, swish: bool = True) -> None:
        super().__init__()
        self.add_module("conv", nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False))
        self.add_module("norm", nn.BatchNorm2d(channels_out))
        if swish:
            self.add_module("swish", nn.SiLU())


class _Squeeze(nn.Module):
    """Squeeze-and-excitation with a hard gate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = _divisible(0.25 * channels)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.expand(torch.relu(self.reduce(x.mean(dim=(2, 3), keepdim=True))))
        return x * nn.functional.hardsigmoid(gate)


def _divisible(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and never under nine tenths."""
    whole = max(8, int(channels + 4) // 8 * 8)
    return whole + 8 if whole < 0.9 * channels else whole


class _Block(nn.Module):
    """Inverted residual: expand (unless told 0), filter each channel, squeeze, project; plus what entered, where the shape is kept."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = _divisible(channels_in * expansion) if expansion else channels_in
        self.expand = _Layer(channels_in, hidden, 1) if expansion else nn.Identity()
        self.depth = _Layer(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.squeeze = _Squeeze(hidden)
        self.project = _Layer(hidden, channels_out, 1, swish=False)
        self.adds = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.squeeze(self.depth(self.expand(x))))
        return x + y if self.adds else y


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
        self.stem = _Layer(3, STEM_WIDTH, 3, stride=2)
        stages, channels = [nn.Sequential(_Block(STEM_WIDTH, STEM_WIDTH, 3, 0, 1))], STEM_WIDTH
        for blocks, width, stride in zip(arch.stages, arch.widths, arch.strides, strict=True):
            stage = nn.Sequential()
            for i, (kernel, expansion) in enumerate(blocks):
                stage.append(_Block(channels, width, kernel, expansion, 1 if i else stride))
                channels = width
            stages.append(stage)
        self.blocks = nn.Sequential(*stages)
        self.template_norm, self.search_norm = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.attention = ChannelAttention(CELLS)
        self.join = nn.Conv2d(CELLS, arch.joined, 1)
        self.score_tower = _tower(arch.joined, arch.score_width, arch.score_kernels)
        self.box_tower = _tower(arch.joined, arch.box_width, arch.box_kernels)
        self.score_last = nn.Conv2d(arch.score_width, 1, 3, padding=1)
        self.box_last = nn.Conv2d(arch.box_width, 4, 3, padding=1)

    def extract(self, pixels: Tensor) -> Tensor:
        """Features (B, C, G, G) of a normalised crop (B, 3, H, W)."""
        features: Tensor = self.blocks(self.stem(pixels))
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
