"""Trunks of Siamese trackers: maps of stride 8, cut without padding wherever the size shrinks, so that no cell knows where it stands.

Li et al., CVPR 2019, arXiv:1812.11703 (SiamRPN++), section 3; golden/siamrpn, golden/dasiamrpn. Tensors keep their authors' names.
"""

from __future__ import annotations

from torch import Tensor, nn

from sightline.models.layers.resnet import BLOCKS, Bottleneck

__all__ = ["AlexNet", "MobileNetV2", "ValidResNet"]


class AlexNet(nn.Module):
    """Five convolutions without padding, a norm behind each, pooling behind the first two: 127 pixels to 6 x 6 cells."""

    def __init__(self, widths: tuple[int, ...] = (96, 256, 384, 384, 256)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, self.widths = 3, list(widths)
        for i, (width, kernel) in enumerate(zip(widths, (11, 5, 3, 3, 3), strict=True)):
            layers += [nn.Conv2d(channels, width, kernel, 1 if i else 2), nn.BatchNorm2d(width)]
            layers += [nn.MaxPool2d(3, 2)] if i < 2 else []
            layers += [nn.ReLU()] if i < 4 else []
            channels = width
        self.layers = nn.Sequential(*layers)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """(B, 3, H, W) to its one map (B, C, h, w)."""
        return [self.layers(pixels)]


class _Inverted(nn.Module):
    """1x1 convolution to more channels, a convolution of each, and back; added where size and channels stay."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int, dilation: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        padding = dilation if stride == 1 else 0
        self.conv = nn.Sequential(
            nn.Conv2d(channels_in, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, hidden, 3, stride, padding, dilation, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.adds = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.adds else y


class MobileNetV2(nn.Module):
    """Stages 0 to 7 of Sandler et al., CVPR 2018, arXiv:1801.04381: beyond stride 8 they dilate instead of shrinking.

    Args:
        levels: the stages whose maps are returned.
        factor: of all numbers of channels.
    """

    # expansion, channels, blocks, stride, dilation
    STAGES = (
        (1, 16, 1, 1, 1),
        (6, 24, 2, 2, 1),
        (6, 32, 3, 2, 1),
        (6, 64, 4, 1, 2),
        (6, 96, 3, 1, 2),
        (6, 160, 3, 1, 4),
        (6, 320, 1, 1, 4),
    )

    def __init__(self, levels: tuple[int, ...], factor: float = 1.4) -> None:
        super().__init__()
        self.levels = levels
        channels = int(32 * factor)
        self.widths = [channels]
        self.layer0 = nn.Sequential(nn.Conv2d(3, channels, 3, 2, bias=False), nn.BatchNorm2d(channels), nn.ReLU6())
        before = 1
        for i, (expansion, width, num, stride, dilation) in enumerate(self.STAGES, start=1):
            width = int(width * factor)
            blocks = nn.Sequential()
            for j in range(num):  # the first block dilates as the stage before
                blocks.append(_Inverted(channels, width, 1 if j else stride, expansion, dilation if j else before))
                channels = width
            self.add_module(f"layer{i}", blocks)
            self.widths.append(width)
            before = dilation

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """(B, 3, H, W) to the maps (B, C, h, w) of `levels`."""
        maps = [self.layer0(pixels)]
        for i in range(1, len(self.STAGES) + 1):
            maps.append(self.get_submodule(f"layer{i}")(maps[-1]))
        return [maps[level] for level in self.levels]


class _Valid(Bottleneck):
    """A bottleneck that is not padded where it shrinks, and whose shortcut sees three by three cells where it shrinks or dilates."""

    def __init__(self, channels_in: int, width: int, stride: int, dilation: int) -> None:
        super().__init__(channels_in, width, 1, dilation, nn.BatchNorm2d)
        if stride > 1:
            self.conv2 = nn.Conv2d(width, width, 3, stride, bias=False)
        if channels_in != 4 * width:
            kernel, padding = (1, 0) if stride == 1 and width == 64 else (3, 0 if stride > 1 else dilation)
            shortcut = nn.Conv2d(channels_in, 4 * width, kernel, stride, padding, dilation, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))


class ValidResNet(nn.Module):
    """ResNet-50: after stage 2 it dilates instead of shrinking.

    Args:
        levels: the stages whose maps are returned; 0 is the first convolution, before it is pooled.
    """

    STAGES = ((1, 1), (2, 1), (1, 2), (1, 4))  # stride and dilation

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.levels = levels
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, bias=False), nn.BatchNorm2d(64)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        channels = 64
        self.widths = [channels]
        before = 1
        for i in range(max(levels)):
            (stride, dilation), width = self.STAGES[i], 64 * 2**i
            blocks = nn.Sequential()
            for j in range(BLOCKS[50][i]):  # the first block dilates as the stage before
                blocks.append(_Valid(channels, width, 1 if j else stride, dilation if j else before))
                channels = 4 * width
            self.add_module(f"layer{i + 1}", blocks)
            self.widths.append(channels)
            before = dilation

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """(B, 3, H, W) to the maps (B, C, h, w) of `levels`."""
        maps = [self.relu(self.bn1(self.conv1(pixels)))]
        x = self.pool(maps[0])
        for i in range(1, max(self.levels) + 1):
            x = self.get_submodule(f"layer{i}")(x)
            maps.append(x)
        return [maps[level] for level in self.levels]
