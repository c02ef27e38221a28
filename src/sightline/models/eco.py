"""ECO: two maps of features, of the first convolution of VGG-M and of a residual network. What is learned of them: `methods/eco.py`.

Paper   Danelljan et al., CVPR 2017, arXiv:1611.09224
Facts   docs/trackers/eco.md      Spec  sightline/zoo/eco.py      Golden  golden/eco

B batch, V crops of a target, S pixels along a side of each. Pixels enter as floats 0..255 (B, V, S, S, 3) RGB.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.conv import CrossNorm
from sightline.models.layers.decode import normalize
from sightline.models.layers.resnet import ResNet
from sightline.zoo.eco import Arch

__all__ = ["KEYS", "UNUSED", "Eco", "Maps", "build"]

KEYS = (("vggmconv1", "shallow"), *((name, f"deep.{name}") for name in ("conv1", "bn1", "layer1", "layer2", "layer3")))
UNUSED = ("layer4.*", "fc.*")  # of the classifiers


class Maps(NamedTuple):
    """Features of pictures.

    first     (N, 96, S / 2, S / 2), behind the norm over channels
    last      (N, 256, S / 16, S / 16), of the third stage
    shallow   `first` at half the size, and
    deep      `last`, both divided by the root of their mean square
    """

    first: Tensor
    last: Tensor
    shallow: Tensor
    deep: Tensor


class Eco(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.shallow = nn.Conv2d(3, 96, 7, 2, 3)
        self.norm = CrossNorm(5, alpha=5e-4, beta=0.75, offset=2.0)
        self.deep = ResNet(arch.depth, num_stages=3)

    def maps(self, pixels: Tensor) -> Maps:
        """Of normalised pictures (N, 3, S, S)."""
        first, last = self.norm(torch.relu(self.shallow(pixels))), self.deep(pixels)
        return Maps(first, last, _even(functional.avg_pool2d(first, 2)), _even(last))

    def describe(self, search: Tensor) -> dict[str, Tensor]:
        """`shallow` (B, V, 96, S / 4, S / 4) and `deep` (B, V, 256, S / 16, S / 16) of crops (B, V, S, S, 3)."""
        seen = self.maps(normalize(search.flatten(0, 1)))
        return {
            name: maps.reshape(search.shape[0], search.shape[1], *maps.shape[1:])
            for name, maps in (("shallow", seen.shallow), ("deep", seen.deep))
        }


def _even(maps: Tensor) -> Tensor:
    """Maps (N, C, h, w), each picture's divided by the root of its mean square."""
    return maps * (maps.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-10).rsqrt()


def build(arch: Arch) -> Eco:
    """An untrained network."""
    return Eco(arch)
