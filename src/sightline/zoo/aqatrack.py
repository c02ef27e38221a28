"""AQATrack: a HiViT over template and search, and a query that reads what it found in earlier frames before it looks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each.

    `depths`: of the backbone, see `models/layers/hivit.py`. `history`: how many earlier frames the query reads at most.
    """

    template_grid: int = 8
    search_grid: int = 16
    width: int = 512
    heads: int = 8
    depths: tuple[int, int, int] = (2, 2, 20)
    decoder: int = 3
    hidden: int = 512
    history: int = 3
    head_width: int = 256


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the authors' README")


B256 = Spec(
    name="aqatrack-256",
    family="aqatrack",
    arch=Arch(),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.0, size=256),
    origin=Origin(
        paper="arXiv:2403.10574",
        code="github.com/GXNU-ZhongLab/AQATrack",
        license="none: all rights reserved",
        weights="linked from the authors' README (Google Drive), no licence: all rights reserved",
    ),
    reported=(
        _figure("lasot-test", "auc", 0.714),
        _figure("lasot-ext", "auc", 0.512),
        _figure("uav123", "auc", 0.707),
        _figure("trackingnet-test", "auc", 0.838),
        _figure("tnl2k-test", "auc", 0.578),
    ),
)
B384 = replace(
    B256,
    name="aqatrack-384",
    arch=Arch(template_grid=12, search_grid=24),
    template=Crop(factor=2.0, size=192),
    search=Crop(factor=4.5, size=384),
    reported=(
        _figure("lasot-test", "auc", 0.727),
        _figure("lasot-ext", "auc", 0.527),
        _figure("uav123", "auc", 0.712),
        _figure("trackingnet-test", "auc", 0.848),
        _figure("tnl2k-test", "auc", 0.593),
    ),
)
SPECS = (
    B256,
    replace(B256, name="aqatrack-256-got10k", reported=(_figure("got10k-test", "ao", 0.738),)),
    B384,
    replace(B384, name="aqatrack-384-got10k", reported=(_figure("got10k-test", "ao", 0.760),)),
)
