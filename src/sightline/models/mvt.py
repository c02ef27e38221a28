"""MVT: search and template patches read one another by plain attention in the trunk's last two stages.

Paper   Gopal and Amer, BMVC 2023, arXiv:2309.05829
Facts   docs/trackers/mvt.md      Spec  sightline/zoo/mvt.py      Golden  golden/mvt

The network is `layers.mobilevit.MobileTracker` with the layers below and OSTrack's head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.models.layers.heads import CENTER_KEYS, CenterHead
from sightline.models.layers.mobilevit import TRUNK_KEYS, MixedBlock, MobileTracker, Trunk
from sightline.models.layers.vit import PlainBlock
from sightline.zoo.mvt import Arch

__all__ = ["KEYS", "UNUSED", "build"]

_LAYER, _OURS = "backbone.layer_{}.1", "trunk.layer{}.1"
_PARTS = (
    ("pre_norm_mha.0", "norm1"),
    ("pre_norm_mha.1.qkv_proj", "attention.qkv"),
    ("pre_norm_mha.1.out_proj", "attention.out"),
    ("pre_norm_ffn.0", "norm2"),
    ("pre_norm_ffn.1", "mlp.up"),
    ("pre_norm_ffn.4", "mlp.down"),
)
KEYS = (
    *TRUNK_KEYS,
    (f"{_LAYER}.local_rep.conv_3x3.block", f"{_OURS}.local"),
    (f"{_LAYER}.local_rep.conv_1x1.block.conv", f"{_OURS}.lead"),
    *((f"{_LAYER}.global_rep.{{}}.{theirs}", f"{_OURS}.layers.{{}}.{ours}") for theirs, ours in _PARTS),
    (f"{_LAYER}.global_rep", f"{_OURS}.layers"),
    (f"{_LAYER}.fusion.block", f"{_OURS}.fuse"),
    *CENTER_KEYS,
)
UNUSED: tuple[str, ...] = ()


class _PerPixel(nn.Sequential):
    """Layers of tokens, for patches: every pixel of a patch reads the same pixel of all other patches."""

    def forward(self, patches: Tensor) -> Tensor:
        """(B, C, P, N) to the same."""
        batch, channels, pixels, num = patches.shape
        tokens = patches.permute(0, 2, 3, 1).reshape(batch * pixels, num, channels)
        for layer in self:
            tokens = layer(tokens)
        return tokens.reshape(batch, pixels, num, channels).permute(0, 3, 1, 2)


def build(arch: Arch) -> MobileTracker:
    """An untrained network."""

    def block(channels: int, width: int, depth: int) -> MixedBlock:
        layers = (PlainBlock(width, arch.heads, ratio=2, activation=torch.relu) for _ in range(depth))
        return MixedBlock(channels, width, _PerPixel(*layers, nn.LayerNorm(width)), fuses=True)

    first, second = (block(*shape) for shape in zip(arch.widths[2:], arch.mixed_widths, arch.mixed_depths, strict=True))
    trunk = Trunk(stem=arch.stem, widths=arch.widths, depths=arch.depths, expansion=arch.expansion, mixed=(first, second))
    return MobileTracker(trunk, CenterHead(arch.joined, arch.head_width), joined=arch.joined)
