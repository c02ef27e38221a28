"""SMAT: search and template patches read one context vector, in the trunk and again in the head.

Paper   Gopal and Amer, WACV 2024, arXiv:2309.03979; separable attention: Mehta and Rastegari, TMLR 2023, arXiv:2206.02680
Facts   docs/trackers/smat.md      Spec  sightline/zoo/smat.py      Golden  golden/smat

The network is `layers.mobilevit.MobileTracker` with the layers and the head below.
B batch, C channels, P pixels of a patch, N patches, G x G cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.models.layers.conv import ConvNorm
from sightline.models.layers.heads import CENTER_KEYS, CenterMaps, bounded, expecting_few, tower
from sightline.models.layers.mobilevit import TRUNK_KEYS, MixedBlock, MobileTracker, Trunk
from sightline.zoo.smat import Arch

__all__ = ["KEYS", "UNUSED", "Head", "SeparableAttention", "build"]

_PARTS = (
    ("pre_norm_attn.0", "norm1"),
    ("pre_norm_attn.1.qkv_proj.block.conv", "attention.split"),
    ("pre_norm_attn.1.out_proj.block.conv", "attention.out"),
    ("pre_norm_ffn.0", "norm2"),
    ("pre_norm_ffn.1.block.conv", "up"),
    ("pre_norm_ffn.3.block.conv", "down"),
)
_LAYER, _OURS = "backbone.layer_{}.1", "trunk.layer{}.1"
_READERS = (
    (f"{_LAYER}.global_rep", f"{_OURS}.layers"),
    ("box_head.global_rep_cls", "head.score_layers"),
    ("box_head.global_rep_reg", "head.box_layers"),
)
KEYS = (
    *TRUNK_KEYS,
    (f"{_LAYER}.local_rep.0.block", f"{_OURS}.local"),
    (f"{_LAYER}.local_rep.1.block.conv", f"{_OURS}.lead"),
    *((f"{theirs}.{{}}.{part}", f"{ours}.{{}}.{our_part}") for theirs, ours in _READERS for part, our_part in _PARTS),
    *_READERS,
    ("box_head.pre_ssat_cls.block", "head.score_lead"),
    ("box_head.pre_ssat_reg.block", "head.box_lead"),
    *CENTER_KEYS,
)
UNUSED: tuple[str, ...] = ()


class SeparableAttention(nn.Module):
    """All patches are summed up in one vector, which every patch lets through by its own values. Arxiv 2206.02680, section 3.1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widths = [1, width, width]
        self.split = nn.Conv2d(width, 2 * width + 1, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, P, N) to the same."""
        queries, keys, values = self.split(x).split(self.widths, dim=1)
        context = (keys * torch.softmax(queries, dim=3)).sum(dim=3, keepdim=True)  # (B, C, P, 1)
        return self.out(torch.relu(values) * context)


class Layer(nn.Module):
    """x + attention(norm x), then x + perceptron(norm x); the norms are over all channels, pixels and patches together."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(1, width), nn.GroupNorm(1, width)
        self.attention = SeparableAttention(width)
        self.up, self.down = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, P, N) to the same."""
        x = x + self.attention(self.norm1(x))
        return x + self.down(torch.relu(self.up(self.norm2(x))))


def _layers(width: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*(Layer(width) for _ in range(depth)), nn.GroupNorm(1, width))


class Head(nn.Module):
    """Two readings of the cells, one for where the centre is, one for its offset and for the size; then three towers."""

    def __init__(self, channels: int, hidden: int, score_depth: int, box_depth: int) -> None:
        super().__init__()
        self.score_lead, self.box_lead = (ConvNorm(channels, hidden, 3, padding=1) for _ in range(2))
        self.score_layers, self.box_layers = _layers(hidden, score_depth), _layers(hidden, box_depth)
        self.score, self.size, self.offset = (tower(hidden, hidden, outputs, depth=3) for outputs in (1, 2, 2))
        expecting_few(self.score)

    def forward(self, grid: Tensor) -> CenterMaps:
        """Search map (B, C, G, G) to `CenterMaps`."""
        of_score = self._read(torch.relu(self.score_lead(grid)), self.score_layers)
        of_box = self._read(torch.relu(self.box_lead(grid)), self.box_layers)
        return CenterMaps(bounded(self.score(of_score)), bounded(self.size(of_box)), self.offset(of_box))

    def _read(self, x: Tensor, layers: nn.Module) -> Tensor:
        """Maps (B, C, G, G) through layers, every cell a patch."""
        return layers(x.flatten(2).unsqueeze(2)).reshape(x.shape)


def build(arch: Arch) -> MobileTracker:
    """An untrained network."""
    blocks = [
        MixedBlock(channels, width, _layers(width, depth), groups=channels)
        for channels, width, depth in zip(arch.widths[2:], arch.mixed_widths, arch.mixed_depths, strict=True)
    ]
    trunk = Trunk(stem=arch.stem, widths=arch.widths, depths=arch.depths, expansion=arch.expansion, mixed=(blocks[0], blocks[1]))
    return MobileTracker(trunk, Head(arch.joined, arch.head_width, arch.score_depth, arch.box_depth), joined=arch.joined)
