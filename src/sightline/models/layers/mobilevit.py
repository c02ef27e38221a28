"""A light trunk whose last two stages let search and template patches read one another: what SMAT and MVT have in common.

Mehta and Rastegari, ICLR 2022, arXiv:2110.02178 (MobileViT); Gopal and Amer, BMVC 2023, arXiv:2309.05829, for the joint
reading of both crops. As published, every activation is ReLU.

B batch, C channels, P = 4 pixels of a patch, N patches of 2 x 2 pixels. Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave
as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.models.layers.conv import ConvNorm
from sightline.models.layers.decode import decode_center, hann2d, unit
from sightline.models.layers.heads import CenterHead, CenterMaps
from sightline.models.layers.lazy import find_center
from sightline.models.layers.siamese import PixelCorrelation

__all__ = ["TRUNK_KEYS", "Mixed", "MixedBlock", "MobileTracker", "Trunk", "fold", "unfold"]

CELLS = 64  # of the template: 8 x 8
_LAYER, _OURS = "backbone.layer_{}.{}", "trunk.layer{}.{}"
# names in the authors' files of both -> names here
TRUNK_KEYS = (
    ("backbone.conv_1.block", "trunk.stem"),
    *(
        (f"{_LAYER}.block.{theirs}.block", f"{_OURS}.{ours}")
        for theirs, ours in (("exp_1x1", "widen"), ("conv_3x3", "depth"), ("red_1x1", "narrow"))
    ),
    (f"{_LAYER}.conv_proj.block", f"{_OURS}.project"),
    ("neck.BN_z", "correlation.template_norm"),
    ("neck.BN_x", "correlation.search_norm"),
    ("feature_fusor.pw_corr.CA_layer", "correlation.attention"),
    ("feature_fusor.adj_layer", "correlation.join"),
)


class Mixed(NamedTuple):
    """Maps of both crops, (B, C, h, w) each."""

    search: Tensor
    template: Tensor


class Inverted(nn.Module):
    """1x1 convolution to more channels, a 3x3 one of each, and a linear one back; added where size and channels stay."""

    def __init__(self, channels_in: int, channels_out: int, *, expansion: int, stride: int = 1) -> None:
        super().__init__()
        width = expansion * channels_in
        self.widen = ConvNorm(channels_in, width, 1)
        self.depth = ConvNorm(width, width, 3, stride=stride, padding=1, groups=width)
        self.narrow = ConvNorm(width, channels_out, 1)
        self.is_residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h', w')."""
        y: Tensor = self.narrow(torch.relu(self.depth(torch.relu(self.widen(x)))))
        return x + y if self.is_residual else y


def unfold(x: Tensor) -> Tensor:
    """Maps (B, C, h, w) to patches (B, C, P, N), row by row."""
    batch, channels, height, width = x.shape
    patches = x.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return patches.reshape(batch, channels, 4, height * width // 4)


def fold(patches: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `unfold`: (B, C, P, N) to (B, C, h, w)."""
    batch, channels = patches.shape[:2]
    grid = patches.reshape(batch, channels, 2, 2, height // 2, width // 2).permute(0, 1, 4, 2, 5, 3)
    return grid.reshape(batch, channels, height, width)


class MixedBlock(nn.Module):
    """Convolutions within each crop, then layers that read the patches of both: search first.

    Args:
        channels: of the maps.
        width: channels of the patches.
        layers: (B, `width`, P, N) to the same.
        groups: of the first convolution.
        fuses: whether another convolution joins what goes in with what was read.
    """

    def __init__(self, channels: int, width: int, layers: nn.Module, *, groups: int = 1, fuses: bool = False) -> None:
        super().__init__()
        self.local = ConvNorm(channels, channels, 3, padding=1, groups=groups)
        self.lead = nn.Conv2d(channels, width, 1, bias=False)
        self.layers = layers
        self.project = ConvNorm(width, channels, 1)
        self.fuse = ConvNorm(2 * channels, channels, 3, padding=1) if fuses else None

    def forward(self, maps: Mixed) -> Mixed:
        """Maps of both crops to maps of both crops."""
        patches = [unfold(self.lead(torch.relu(self.local(x)))) for x in maps]
        read = self.layers(torch.cat(patches, dim=3)).split([part.shape[3] for part in patches], dim=3)
        return Mixed(*(self._write(part, x) for part, x in zip(read, maps, strict=True)))

    def _write(self, patches: Tensor, x: Tensor) -> Tensor:
        """What patches (B, `width`, P, N) say about the maps `x` (B, C, h, w) that they were made of."""
        written: Tensor = self.project(fold(patches, x.shape[2], x.shape[3]))
        if self.fuse is None:
            return written
        return torch.relu(self.fuse(torch.cat([x, torch.relu(written)], dim=1)))


class Trunk(nn.Module):
    """Four stages: two for each crop alone, down to stride 4, and two in which the crops read each other, to stride 16.

    Args:
        stem: channels after the first convolution.
        widths: channels after each stage.
        depths: blocks of the first two stages.
        expansion: of every inverted residual.
        mixed: the blocks of the last two stages.
    """

    def __init__(
        self,
        *,
        stem: int,
        widths: tuple[int, int, int, int],
        depths: tuple[int, int],
        expansion: int,
        mixed: tuple[MixedBlock, MixedBlock],
    ) -> None:
        super().__init__()
        self.channels = widths[-1]
        self.stem = ConvNorm(3, stem, 3, stride=2, padding=1)

        def alone(channels: int, width: int, depth: int, stride: int) -> nn.Sequential:
            more = (Inverted(width, width, expansion=expansion) for _ in range(depth - 1))
            return nn.Sequential(Inverted(channels, width, expansion=expansion, stride=stride), *more)

        self.layer1 = alone(stem, widths[0], depths[0], 1)
        self.layer2 = alone(widths[0], widths[1], depths[1], 2)
        self.layer3 = nn.Sequential(Inverted(widths[1], widths[2], expansion=expansion, stride=2), mixed[0])
        self.layer4 = nn.Sequential(Inverted(widths[2], widths[3], expansion=expansion, stride=2), mixed[1])

    def read_alone(self, pixels: Tensor) -> Tensor:
        """Maps (B, C, H / 4, W / 4) of a crop (B, 3, H, W) in 0..1."""
        return self.layer2(self.layer1(torch.relu(self.stem(pixels))))

    def mix(self, maps: Mixed) -> list[Mixed]:
        """What both crops are after each of the last two stages, from maps of stride 4."""
        stages = []
        for layer in (self.layer3, self.layer4):
            maps = layer[1](Mixed(*(layer[0](x) for x in maps)))
            stages.append(maps)
        return stages


class MobileTracker(nn.Module):
    """The trunk, a pixel-wise correlation of what it says about both crops, and a head; see the module's docstring.

    Args:
        trunk: of both crops.
        head: (B, `joined`, G, G) to `CenterMaps`.
        joined: channels that the head is given.
    """

    window: Tensor

    def __init__(self, trunk: Trunk, head: nn.Module, *, joined: int) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head
        self.correlation = PixelCorrelation(trunk.channels, CELLS, joined)
        self.register_buffer("window", hann2d(16), persistent=False)

    def look(self, maps: Mixed) -> CenterMaps:
        """What the head says, for the trunk's last maps of both crops."""
        return self.head(self.correlation(maps.template, maps.search))

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """State of one target from its template, uint8 (B, 128, 128, 3): `features` (B, C, 32, 32)."""
        return {"features": self.trunk.read_alone(unit(template))}

    def step(self, search: Tensor, features: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop, uint8 (B, 256, 256, 3), given the state of the targets."""
        maps = self.trunk.mix(Mixed(self.trunk.read_alone(unit(search)), features))[-1]
        if isinstance(self.head, CenterHead):
            box, score = find_center(self.head, self.correlation(maps.template, maps.search), self.window)
        else:
            box, score = decode_center(self.look(maps), self.window)
        return {"box": box, "score": score}
