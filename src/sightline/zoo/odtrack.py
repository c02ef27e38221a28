"""ODTrack: OSTrack with several templates, sampled from all past frames, and a token that is passed from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Memory, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each.

    `eliminate`: blocks, counted from 0, after whose attention search tokens leave; `keep`: the share that stays at each.
    """

    template_grid: int = 12
    search_grid: int = 24
    depth: int = 12
    width: int = 768
    heads: int = 12
    eliminate: tuple[int, ...] = (3, 6, 9)
    keep: tuple[float, ...] = (0.7, 0.7, 0.7)
    head_width: int = 256


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the authors' README")


B384 = Spec(
    name="odtrack-b384",
    family="odtrack",
    arch=Arch(),
    template=Crop(factor=2.0, size=192),
    search=Crop(factor=5.0, size=384),
    memory=Memory(samples=3),
    origin=Origin(
        paper="arXiv:2401.01686",
        code="github.com/GXNU-ZhongLab/ODTrack",
        license="MIT",
        weights="linked from the authors' README (Google Drive), no licence of their own",
    ),
    reported=(
        _figure("lasot-test", "auc", 0.731),
        _figure("trackingnet-test", "auc", 0.851),
        _figure("lasot-ext", "auc", 0.524),
        _figure("vot2020", "eao", 0.581),
        _figure("tnl2k-test", "auc", 0.609),
        _figure("otb2015", "auc", 0.723),
    ),
)
L384 = replace(
    B384,
    name="odtrack-l384",
    arch=Arch(depth=24, width=1024, heads=16),
    reported=(
        _figure("lasot-test", "auc", 0.740),
        _figure("trackingnet-test", "auc", 0.861),
        _figure("lasot-ext", "auc", 0.539),
        _figure("vot2020", "eao", 0.605),
        _figure("tnl2k-test", "auc", 0.617),
        _figure("otb2015", "auc", 0.724),
    ),
)
SPECS = (
    B384,
    replace(B384, name="odtrack-b384-got10k", memory=Memory(samples=4), reported=(_figure("got10k-test", "ao", 0.770),)),
    L384,
    replace(L384, name="odtrack-l384-got10k", memory=Memory(samples=4), reported=(_figure("got10k-test", "ao", 0.782),)),
)
