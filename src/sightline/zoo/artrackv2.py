"""ARTrackV2: template, search region, past boxes and commands in one ViT, which also redraws what the target looks like now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, History, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each.

    `bins`: how many places there are along a side of the search crop; half as many on either side of it count too.
    `history`: past boxes that it reads. `extension`: blocks behind those of the ViT. `appearance`: what redraws the target.
    """

    template_grid: int
    search_grid: int
    bins: int
    history: int = 7
    depth: int = 12
    extension: int = 3
    width: int = 768
    heads: int = 12
    appearance_depth: int = 8
    appearance_width: int = 512
    appearance_heads: int = 16


def _figures(dataset: str, **values: float) -> tuple[Reported, ...]:
    return tuple(
        Reported(dataset=dataset, metric=metric.replace("_", "-"), value=value, source="the authors' README")
        for metric, value in values.items()
    )


B256 = Spec(
    name="artrackv2-b256",
    family="artrackv2",
    arch=Arch(template_grid=8, search_grid=16, bins=400),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.0, size=256),
    history=History(length=7),
    score="response",
    origin=Origin(
        paper="arXiv:2312.17133",
        code="github.com/MIV-XJTU/ARTrack",
        license="Apache-2.0",
        weights="linked from the authors' README (Google Drive, Baidu), no licence of their own",
    ),
    reported=(
        *_figures("lasot-test", auc=0.715, normalised_precision=0.803, precision=0.775),
        *_figures("trackingnet-test", auc=0.843, normalised_precision=0.891, precision=0.836),
        *_figures("lasot-ext", auc=0.511),
    ),
)
B256_GOT10K = replace(B256, name="artrackv2-b256-got10k", reported=_figures("got10k-test", ao=0.761, sr50=0.855, sr75=0.729))
L384_GOT10K = replace(
    B256,
    name="artrackv2-l384-got10k",
    arch=Arch(template_grid=12, search_grid=24, bins=600, depth=24, width=1024, heads=16),
    template=Crop(factor=2.0, size=192),
    search=Crop(factor=5.0, size=384),
    reported=_figures("got10k-test", ao=0.796, sr50=0.880, sr75=0.787),
)
SPECS = (B256, B256_GOT10K, L384_GOT10K)
