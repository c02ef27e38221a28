"""EVPTrack: a HiViT that is prompted by the template at three scales and by a template-shaped memory of what was seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each.

    `depths`: of the backbone, see `models/layers/hivit.py`.
    """

    template_grid: int = 7
    search_grid: int = 14
    width: int = 512
    heads: int = 8
    depths: tuple[int, int, int] = (2, 2, 20)
    head_width: int = 256


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the authors' README")


B224 = Spec(
    name="evptrack-224",
    family="evptrack",
    arch=Arch(),
    template=Crop(factor=2.0, size=112),
    search=Crop(factor=4.0, size=224),
    origin=Origin(
        paper="arXiv:2401.03142",
        code="github.com/GXNU-ZhongLab/EVPTrack",
        license="none: all rights reserved",
        weights="linked from the authors' README (Google Drive), no licence: all rights reserved",
    ),
    reported=(
        _figure("lasot-test", "auc", 0.704),
        _figure("trackingnet-test", "auc", 0.835),
        _figure("lasot-ext", "auc", 0.487),
        _figure("uav123", "auc", 0.702),
        _figure("tnl2k-test", "auc", 0.575),
    ),
)
B384 = replace(
    B224,
    name="evptrack-384",
    arch=Arch(template_grid=12, search_grid=24),
    template=Crop(factor=2.0, size=192),
    search=Crop(factor=5.0, size=384),
    reported=(
        _figure("lasot-test", "auc", 0.727),
        _figure("trackingnet-test", "auc", 0.844),
        _figure("lasot-ext", "auc", 0.537),
        _figure("uav123", "auc", 0.709),
        _figure("tnl2k-test", "auc", 0.591),
    ),
)
SPECS = (
    B224,
    replace(B224, name="evptrack-224-got10k", reported=(_figure("got10k-test", "ao", 0.733),)),
    B384,
    replace(B384, name="evptrack-384-got10k", reported=(_figure("got10k-test", "ao", 0.766),)),
)
