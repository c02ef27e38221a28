"""NanoTrack, versions 1 to 3: a mobile trunk for both crops, pixel-wise correlation, towers for class and box.

Facts   docs/trackers/nanotrack.md (no paper)      Spec  sightline/zoo/nanotrack.py      Golden  golden/nanotrack
Weights nanotrackv{1,2,3}.pth of the authors' repository, Apache-2.0

B batch, C channels, 8 x 8 cells of the template, G x G of the search region, stride 16.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.models.layers.siamese import (
    ChannelAttention,
    DistanceMaps,
    choose,
    correlate_channels,
    correlate_pixels,
    grid_points,
    planes,
    smooth,
)
from sightline.zoo.nanotrack import Arch

__all__ = ["KEYS", "UNUSED", "NanoTrack", "build"]

STRIDE = 16
CELLS = 64  # of the template
PROJECTIONS = (("conv_kernel", "template"), ("conv_search", "search"), ("CA_layer", "attention"), ("conv", "last"))
KEYS = (
    ("backbone.features", "trunk"),
    ("ban_head.corr_pw.CA_layer", "head.pixels.attention"),
    *(
        (f"ban_head.corr_{kind}_{theirs}.{part}", f"head.{ours}_{name}.{our_part}")
        for kind, name in (("pw", "pixels"), ("dw", "channels"))
        for theirs, ours in (("cls", "score"), ("reg", "box"))
        for part, our_part in PROJECTIONS
    ),
    ("ban_head.down_cls", "head.score_join"),
    ("ban_head.down_reg", "head.box_join"),
    ("ban_head.cls_tower", "head.score_tower"),
    ("ban_head.bbox_tower", "head.box_tower"),
    ("ban_head.cls_pw_tower", "head.score_pixel_tower"),
    ("ban_head.bbox_pw_tower", "head.box_pixel_tower"),
    ("ban_head.cls_logits", "head.score_last"),
    ("ban_head.cls_pred", "head.score_pixel_last"),
    ("ban_head.bbox_pred", "head.box_last"),
)
UNUSED = ("neck.*",)  # in every checkpoint, never called

# blocks of MobileNetV3-small: kernel, expanded channels (0: no expansion), channels out, squeeze-and-excitation, hard swish, stride
BLOCKS = (
    (3, 0, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 1),
)


class _Squeeze(nn.Module):
    """Squeeze-and-excitation: each channel times a gate that sees the mean of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(8, (channels // 4 + 4) // 8 * 8)
        self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.fc(x.mean(dim=(2, 3)))
        return x * gate.unsqueeze(2).unsqueeze(3)


class _Block(nn.Module):
    """Inverted residual. Without expansion the activation comes before the squeeze, with it after."""

    def __init__(
        self, channels_in: int, kernel: int, expanded: int, channels_out: int, *, squeezes: bool, swishes: bool, stride: int
    ) -> None:
        super().__init__()
        hidden = expanded or channels_in
        activation, squeeze = nn.Hardswish if swishes else nn.ReLU, _Squeeze(hidden) if squeezes else nn.Identity()
        depth = (nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False), nn.BatchNorm2d(hidden))
        project = (nn.Conv2d(hidden, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))
        if expanded:
            expand = (nn.Conv2d(channels_in, hidden, 1, bias=False), nn.BatchNorm2d(hidden), activation())
            self.conv = nn.Sequential(*expand, *depth, squeeze, activation(), *project)
        else:
            self.conv = nn.Sequential(*depth, activation(), squeeze, *project)
        self.adds = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.adds else y


def _projection(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels))


def _plain_tower(channels_in: int, width: int, kernels: tuple[int, ...]) -> nn.Sequential:
    """Channel-wise and 1x1 convolutions, then norm and ReLU6, for each kernel."""
    layers: list[nn.Module] = []
    for kernel in kernels:
        layers += [
            nn.Conv2d(channels_in, channels_in, kernel, padding=kernel // 2, groups=channels_in, bias=False),
            nn.Conv2d(channels_in, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU6(),
        ]
        channels_in = width
    return nn.Sequential(*layers)


def _normed_tower(width: int, depth: int) -> nn.Sequential:
    """Channel-wise convolution, norm, ReLU6, 1x1 convolution, norm: `depth` times."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False), nn.BatchNorm2d(width), nn.ReLU6()]
        layers += [nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width)]
    return nn.Sequential(*layers)


class _Pixels(nn.Module):
    """Pixel-wise correlation with attention, behind projections of both sides where there are `channels`, and a last block."""

    def __init__(self, channels: int = 0, *, finishes: bool = False) -> None:
        super().__init__()
        self.template = _projection(channels) if channels else nn.Identity()
        self.search = _projection(channels) if channels else nn.Identity()
        self.attention = ChannelAttention(CELLS)
        self.last: nn.Module = nn.Identity()
        if finishes:
            self.last = nn.Sequential(
                nn.Conv2d(CELLS, CELLS, 2, groups=CELLS, bias=False),
                nn.BatchNorm2d(CELLS),
                nn.ReLU6(),
                nn.Conv2d(CELLS, CELLS, 1),
                nn.BatchNorm2d(CELLS),
            )

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        response: Tensor = self.last(self.attention(correlate_pixels(self.template(template), self.search(search))))
        return response


class _Channels(nn.Module):
    """Channel-wise correlation with the middle 4 x 4 cells of the template: one cell less than the search region has."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.template = _projection(channels)
        self.search = _projection(channels)

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        return correlate_channels(self.template(template[:, :, 2:6, 2:6]), self.search(search), padding=1)


def _outputs(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, outputs, 1))


class SharedHead(nn.Module):
    """Version 1: one correlation, towers of different kernels."""

    def __init__(self, arch: Arch, channels: int) -> None:  # noqa: ARG002  # the signature of a head
        super().__init__()
        self.pixels = _Pixels()
        self.score_tower, self.box_tower = _plain_tower(CELLS, 128, (5, 5, 3)), _plain_tower(CELLS, 96, (3, 3, 5, 5))
        self.score_last, self.box_last = _outputs(128, 2), _outputs(96, 4)

    def forward(self, template: Tensor, search: Tensor) -> DistanceMaps:
        response = self.pixels(template, search)
        return DistanceMaps(self.score_last(self.score_tower(response)), torch.exp(self.box_last(self.box_tower(response))))


class PairedHead(nn.Module):
    """Version 2: a correlation and a deep tower for each."""

    def __init__(self, arch: Arch, channels: int) -> None:
        super().__init__()
        self.score_pixels, self.box_pixels = _Pixels(channels), _Pixels(channels)
        self.score_pixel_tower = _plain_tower(CELLS, 96, (3,) * arch.depth)
        self.box_pixel_tower = _plain_tower(CELLS, 96, (3,) * arch.depth)
        self.score_pixel_last, self.box_last = _outputs(96, 2), _outputs(96, 4)

    def forward(self, template: Tensor, search: Tensor) -> DistanceMaps:
        logits = self.score_pixel_last(self.score_pixel_tower(self.score_pixels(template, search)))
        return DistanceMaps(logits, torch.exp(self.box_last(self.box_pixel_tower(self.box_pixels(template, search)))))


class JoinedHead(nn.Module):
    """Version 3: pixel-wise and channel-wise correlation side by side, joined by a 1x1 convolution."""

    def __init__(self, arch: Arch, channels: int) -> None:
        super().__init__()
        self.score_pixels, self.box_pixels = _Pixels(channels, finishes=True), _Pixels(channels, finishes=True)
        self.score_channels, self.box_channels = _Channels(channels), _Channels(channels)
        self.score_join, self.box_join = _outputs(CELLS + channels, channels), _outputs(CELLS + channels, channels)
        self.score_tower, self.box_tower = _normed_tower(channels, arch.depth), _normed_tower(channels, arch.depth)
        self.score_last, self.box_last = _outputs(channels, 2), _outputs(channels, 4)

    def forward(self, template: Tensor, search: Tensor) -> DistanceMaps:
        for_score = torch.cat([self.score_pixels(template, search), self.score_channels(template, search)], dim=1)
        for_box = torch.cat([self.box_pixels(template, search), self.box_channels(template, search)], dim=1)
        logits = self.score_last(self.score_tower(self.score_join(for_score)))
        return DistanceMaps(logits, torch.exp(self.box_last(self.box_tower(self.box_join(for_box)))))


HEADS = {"shared": SharedHead, "paired": PairedHead, "joined": JoinedHead}


class NanoTrack(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())]
        channels = 16
        for kernel, expanded, channels_out, squeezes, swishes, stride in BLOCKS[: arch.blocks]:
            layers.append(_Block(channels, kernel, expanded, channels_out, squeezes=squeezes, swishes=swishes, stride=stride))
            channels = channels_out
        self.trunk = nn.Sequential(*layers)
        self.head = HEADS[arch.head](arch, channels)

    def extract(self, pixels: Tensor) -> Tensor:
        """Features (B, C, G, G) of a crop (B, 3, H, W), BGR, values 0..255."""
        features: Tensor = self.trunk(pixels)
        return features

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, uint8 (B, 127, 127, 3): `kernel` (B, C, 8, 8)."""
        return {"kernel": self.extract(planes(template))}

    def step(self, search: Tensor, kernel: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop.

        Args:
            search: uint8 (B, 255, 255, 3).
            kernel: (B, C, 8, 8).
            prior: (B, 4), the last box as cx, cy, w, h in 0..1 of the search crop.
        """
        size = search.shape[1]
        maps: DistanceMaps = self.head(kernel, self.extract(planes(search)))
        points = grid_points(maps.logits.shape[-1], STRIDE, size / 2, search.device)
        scores, last = torch.softmax(maps.logits, dim=1)[:, 1], prior[:, 2:] * size
        best = choose(maps.distances, scores, points, prior=last, penalty=self.arch.penalty, window=self.arch.window)
        extent = smooth(best.box[:, 2:] - best.box[:, :2], last, best.confidence * self.arch.rate)
        centre = (best.box[:, :2] + best.box[:, 2:]) / 2
        return {"box": torch.cat([centre, extent], dim=1) / size, "score": best.score}


def build(arch: Arch) -> NanoTrack:
    """An untrained network."""
    return NanoTrack(arch)
