"""LightTrack: a searched mobile trunk for both crops, pixel-wise correlation, separable towers for class and box.

Paper   Yan et al., CVPR 2021, arXiv:2104.14545
Facts   docs/trackers/lighttrack.md      Spec  sightline/zoo/lighttrack.py      Golden  golden/lighttrack

The network is `layers.pixelwise.Pixelwise` with the towers below.
"""

from __future__ import annotations

from torch import nn

from sightline.models.layers.lightnet import LightNet
from sightline.models.layers.pixelwise import SEPARABLE_KEYS, Pixelwise, Separable
from sightline.zoo.lighttrack import Arch

__all__ = ["KEYS", "UNUSED", "build"]

KEYS = (
    ("features", "backbone"),
    ("feature_extractor.features", "backbone"),  # in some copies
    ("neck.BN_z", "correlation.template_norm"),
    ("neck.BN_x", "correlation.search_norm"),
    ("feature_fusor.pw_corr.CA_layer", "correlation.attention"),
    ("feature_fusor.adj_layer", "correlation.join"),
    *((f"head.cls_tower.{{}}.{theirs}", f"score_tower.{{}}.{ours}") for theirs, ours in SEPARABLE_KEYS),
    *((f"head.reg_tower.{{}}.{theirs}", f"box_tower.{{}}.{ours}") for theirs, ours in SEPARABLE_KEYS),
    ("head.cls_perd.cls_pred", "score_last"),
    ("head.reg_pred.bbox_pred", "box_last"),
)
UNUSED: tuple[str, ...] = ()


def build(arch: Arch) -> Pixelwise:
    """An untrained network."""
    return Pixelwise(
        LightNet(arch.stages, arch.widths, arch.strides),
        joined=arch.joined,
        score_tower=_tower(arch.joined, arch.score_width, arch.score_kernels),
        box_tower=_tower(arch.joined, arch.box_width, arch.box_kernels),
        score_width=arch.score_width,
        box_width=arch.box_width,
        penalty=arch.penalty,
        window=arch.window,
        rate=arch.rate,
    )


def _tower(channels_in: int, width: int, kernels: tuple[int, ...]) -> nn.Sequential:
    widths = (channels_in, *[width] * (len(kernels) - 1))
    return nn.Sequential(*(Separable(channels, width, kernel) for channels, kernel in zip(widths, kernels, strict=True)))
