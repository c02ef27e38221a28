"""E.T.Track: LightTrack's trunk and correlation, with towers of layers whose kernels are mixed anew for every crop.

Paper   Blatter et al., WACV 2023, arXiv:2112.09686 (exemplar attention: section 3.2)
Facts   docs/trackers/ettrack.md      Spec  sightline/zoo/ettrack.py      Golden  golden/ettrack

The network is `layers.pixelwise.Pixelwise` with the towers below. B batch, C channels, G x G cells, E exemplars.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.lightnet import LightNet
from sightline.models.layers.pixelwise import SEPARABLE_KEYS, Pixelwise, Separable
from sightline.models.layers.siamese import ChannelAttention, correlate_channels
from sightline.zoo.ettrack import Arch

__all__ = ["KEYS", "UNUSED", "ExemplarLayer", "build"]

DEEPEST = 8  # layers of the deeper tower
_EXEMPLAR = (
    ("K", "exemplars"),
    ("V_dw", "depth_kernels"),
    ("V_pw", "mix_kernels"),
    ("average_pooler.fc1", "query"),
    ("dw_bn", "depth_norm"),
    ("pw_bn", "mix_norm"),
    ("se.conv_reduce", "squeeze.fc1"),
    ("se.conv_expand", "squeeze.fc2"),
    ("linear1", "up"),
    ("linear2", "down"),
)
KEYS = (
    ("backbone_net", "backbone"),
    ("neck.BN_z.0", "correlation.template_norm"),
    ("neck.BN_x.0", "correlation.search_norm"),
    ("feature_fusor.pw_corr.0.CA_layer", "correlation.attention"),
    ("feature_fusor.adj_layer.0", "correlation.join"),
    *(
        (f"{branch}_{i + 1}.{theirs}", f"{tower}.{i}.{ours}")
        for branch, tower in (("cls_branch", "score_tower"), ("bbreg_branch", "box_tower"))
        for i in range(DEEPEST)
        for theirs, ours in (*SEPARABLE_KEYS, *_EXEMPLAR, *((name, name) for name in ("norm1", "norm2")))
    ),
    ("cls_pred_head.cls_pred", "score_last"),
    ("reg_pred_head.bbox_pred", "box_last"),
)
UNUSED: tuple[str, ...] = ()


class ExemplarLayer(nn.Module):
    """A separable convolution whose kernels are a mixture of a few, then a perceptron for each cell.

    The mean of the picture is compared with `exemplars`, one for each set of kernels. Size and channels stay.
    """

    def __init__(self, width: int, kernel: int, *, exemplars: int, query_width: int, hidden: int, temperature: float) -> None:
        super().__init__()
        self.kernel, self.temperature = kernel, temperature
        self.query = nn.Linear(width, query_width)
        self.exemplars = nn.Parameter(torch.randn(exemplars, query_width))
        self.depth_kernels = nn.Parameter(torch.randn(exemplars, width * kernel**2) / kernel)
        self.mix_kernels = nn.Parameter(torch.randn(exemplars, width**2) / math.sqrt(width))
        self.depth_norm, self.mix_norm = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.squeeze = ChannelAttention(width, width // 2)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def weigh(self, x: Tensor) -> Tensor:
        """The share of each exemplar (B, E) in the kernels for `x` (B, C, G, G)."""
        query = torch.relu(self.query(x.mean(dim=(2, 3))))
        return torch.softmax(query @ self.exemplars.T / (math.sqrt(query.shape[1]) * self.temperature), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, G, G) to the same."""
        batch, width, height, across = x.shape
        shares = self.weigh(x)
        depth = (shares @ self.depth_kernels).reshape(batch, width, self.kernel, self.kernel)
        mix = (shares @ self.mix_kernels).reshape(batch, width, width)
        y = self.squeeze(torch.relu(self.depth_norm(correlate_channels(depth, x, self.kernel // 2))))
        y = torch.relu(self.mix_norm((mix @ y.flatten(2)).reshape(batch, width, height, across)))
        tokens = self.norm1((y + x).flatten(2).transpose(1, 2))
        tokens = self.norm2(tokens + self.down(functional.relu(self.up(tokens))))
        return tokens.transpose(1, 2).reshape(batch, width, height, across)


def build(arch: Arch) -> Pixelwise:
    """An untrained network."""
    return Pixelwise(
        LightNet() if arch.stages is None else LightNet(arch.stages),
        joined=arch.joined,
        score_tower=_tower(arch, arch.score_width, arch.score_kernels),
        box_tower=_tower(arch, arch.box_width, arch.box_kernels),
        score_width=arch.score_width,
        box_width=arch.box_width,
        penalty=arch.penalty,
        window=arch.window,
        rate=arch.rate,
    )


def _tower(arch: Arch, width: int, kernels: tuple[int, ...]) -> nn.Sequential:
    """A separable convolution, exemplar layers, and a separable convolution."""
    first, *inner, last = kernels
    layers = (
        ExemplarLayer(
            width, kernel, exemplars=arch.exemplars, query_width=arch.query_width, hidden=arch.hidden, temperature=arch.temperature
        )
        for kernel in inner
    )
    return nn.Sequential(Separable(arch.joined, width, first), *layers, Separable(width, width, last))
