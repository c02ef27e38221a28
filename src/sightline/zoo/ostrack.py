"""OSTrack: one plain ViT-B over template and search tokens, which drops search tokens on the way.

ProContEXT: the same with four templates. ZoomTrack: the same on bent search crops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sightline.spec import Crop, Memory, Origin, Reported, Spec, Zoom

__all__ = ["SPECS", "Arch"]

README = "the authors' README"
PAPER = "the paper"
PAGE = "Papers-with-Code page of the paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each.

    `templates`: pictures of the target that it reads; the same positions are added to each (ProContEXT).
    `eliminate`: blocks, counted from 0, after whose attention search tokens leave; `keep`: the share that stays at each.
    `merge`: what leaves is averaged into one token more, which stays, weighted by how much those look at it: the mean, the sum or the
    largest value over heads and template tokens (an experiment: nothing was published with it).
    `queries`: the template tokens that decide: all, the middle one, the middle few, or those that show the target.
    `order`: see `models/layers/orders.py`. `segments`: template and search tokens are told apart by a learned vector each.
    """

    template_grid: int
    search_grid: int
    templates: int = 1
    depth: int = 12
    width: int = 768
    heads: int = 12
    eliminate: tuple[int, ...] = ()
    keep: tuple[float, ...] = ()
    merge: Literal["none", "mean", "sum", "max"] = "none"
    queries: Literal["all", "centre-point", "centre-box", "target"] = "centre-point"
    order: Literal["direct", "template-central", "partition"] = "direct"
    segments: bool = False
    head: Literal["center", "corner", "perceptron"] = "center"
    head_width: int = 256


def _figure(dataset: str, metric: str, value: float, source: str = README) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source=source)


B256 = Spec(
    name="ostrack-b256",
    family="ostrack",
    arch=Arch(template_grid=8, search_grid=16),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.0, size=256),
    origin=Origin(
        paper="arXiv:2203.11991",
        code="github.com/botaoye/OSTrack",
        license="MIT",
        weights="linked from the authors' README (Google Drive), no licence of their own",
    ),
)
B256_CE = replace(
    B256,
    name="ostrack-b256-ce",
    arch=replace(B256.arch, eliminate=(3, 6, 9), keep=(0.7, 0.7, 0.7)),
    reported=(
        _figure("lasot-test", "auc", 0.691),
        _figure("trackingnet-test", "auc", 0.831),
        _figure("uav123", "auc", 0.683),
    ),
)
B256_CE_GOT10K = replace(B256_CE, name="ostrack-b256-ce-got10k", reported=(_figure("got10k-test", "ao", 0.710),))

B384 = replace(
    B256,
    name="ostrack-b384",
    arch=replace(B256.arch, template_grid=12, search_grid=24),
    template=Crop(factor=2.0, size=192),
    search=Crop(factor=5.0, size=384),
)
B384_CE = replace(
    B384,
    name="ostrack-b384-ce",
    arch=replace(B384.arch, eliminate=(3, 6, 9), keep=(0.7, 0.7, 0.7)),
    reported=(
        _figure("lasot-test", "auc", 0.711),
        _figure("lasot-test", "normalised-precision", 0.811, PAGE),
        _figure("lasot-test", "precision", 0.776, PAGE),
        _figure("lasot-ext", "auc", 0.506, PAGE),
        _figure("trackingnet-test", "auc", 0.839),
        _figure("trackingnet-test", "normalised-precision", 0.885, PAGE),
        _figure("trackingnet-test", "precision", 0.832, PAGE),
        _figure("uav123", "auc", 0.707),
    ),
)
B384_CE_GOT10K = replace(
    B384_CE,
    name="ostrack-b384-ce-got10k",
    reported=(
        _figure("got10k-test", "ao", 0.737),
        _figure("got10k-test", "sr50", 0.832, PAGE),
        _figure("got10k-test", "sr75", 0.708, PAGE),
    ),
)
PROCONTEXT = replace(
    B384_CE,
    name="procontext-384",
    arch=replace(B384_CE.arch, templates=4),
    template=Crop(factor=2.0, size=192, scales=(1.0, 2.0)),
    memory=Memory(every=(100,), above=0.7),
    origin=Origin(
        paper="arXiv:2210.15511",
        code="github.com/jp-lan/ProContEXT",
        license="MIT",
        weights="linked from the authors' README (Google Drive), no licence of their own",
    ),
    reported=(_figure("trackingnet-test", "auc", 0.846),),
)
PROCONTEXT_GOT10K = replace(PROCONTEXT, name="procontext-384-got10k", reported=(_figure("got10k-test", "ao", 0.746),))
ZOOMTRACK = replace(
    B256_CE,
    name="zoomtrack-b256",
    search=Crop(factor=5.0, size=256, pixels="float32", zoom=Zoom()),
    origin=Origin(
        paper="arXiv:2310.10071",
        code="github.com/Kou-99/ZoomTrack (no licence file)",
        weights="linked from the authors' README (Google Drive), no licence of their own",
    ),
    reported=(
        _figure("lasot-test", "auc", 0.702, PAPER),
        _figure("tnl2k", "auc", 0.565, PAPER),
        _figure("trackingnet-test", "auc", 0.832, PAPER),
    ),
)
ZOOMTRACK_GOT10K = replace(ZOOMTRACK, name="zoomtrack-b256-got10k", reported=(_figure("got10k-test", "ao", 0.735, PAPER),))
SPECS = (B256, B256_CE, B256_CE_GOT10K, B384, B384_CE, B384_CE_GOT10K, PROCONTEXT, PROCONTEXT_GOT10K, ZOOMTRACK, ZOOMTRACK_GOT10K)
