"""ARTrack: a plain ViT over template and search region; a decoder then writes the box behind the boxes of the last frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, History, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

README = "the authors' README"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each.

    `bins`: how many places there are along a side of the search crop; half as many on either side of it count too.
    `history`: past boxes that it reads. `encoder`, `decoder`: layers of the head.
    """

    template_grid: int
    search_grid: int
    bins: int
    history: int = 0
    depth: int = 12
    width: int = 768
    heads: int = 12
    encoder: int = 3
    decoder: int = 6


def _figures(dataset: str, auc: float, normalised: float, precision: float) -> tuple[Reported, ...]:
    values = {"auc": auc, "normalised-precision": normalised, "precision": precision}
    return tuple(Reported(dataset=dataset, metric=metric, value=value, source=README) for metric, value in values.items())


def _got10k(ao: float, sr50: float, sr75: float) -> tuple[Reported, ...]:
    values = {"ao": ao, "sr50": sr50, "sr75": sr75}
    return tuple(Reported(dataset="got10k-test", metric=metric, value=value, source=README) for metric, value in values.items())


def _others(lasot_ext: float, tnl2k: float, nfs: float, uav: float) -> tuple[Reported, ...]:
    values = {"lasot-ext": lasot_ext, "tnl2k-test": tnl2k, "nfs30": nfs, "uav123": uav}
    return tuple(Reported(dataset=dataset, metric="auc", value=value, source=README) for dataset, value in values.items())


B256 = Spec(
    name="artrack-b256",
    family="artrack",
    arch=Arch(template_grid=8, search_grid=16, bins=400, history=7),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.0, size=256),
    history=History(length=7),
    score="response",
    origin=Origin(
        paper="CVPR 2023, Autoregressive Visual Tracking",
        code="github.com/MIV-XJTU/ARTrack",
        license="Apache-2.0",
        weights="linked from the authors' README (Google Drive, Baidu), no licence of their own",
    ),
    reported=(
        *_figures("lasot-test", 0.704, 0.795, 0.766),
        *_figures("trackingnet-test", 0.842, 0.887, 0.835),
        *_others(0.464, 0.575, 0.643, 0.677),
    ),
)
B256_GOT10K = replace(B256, name="artrack-b256-got10k", reported=_got10k(0.735, 0.822, 0.709))
B384 = replace(
    B256,
    name="artrack-b384",
    arch=Arch(template_grid=12, search_grid=24, bins=600, history=7),
    template=Crop(factor=2.0, size=192),
    search=Crop(factor=5.0, size=384),
    reported=(
        *_figures("lasot-test", 0.726, 0.817, 0.791),
        *_figures("trackingnet-test", 0.851, 0.891, 0.848),
        *_others(0.519, 0.598, 0.668, 0.705),
    ),
)
B384_GOT10K = replace(B384, name="artrack-b384-got10k", reported=_got10k(0.755, 0.843, 0.743))
L384 = replace(
    B384,
    name="artrack-l384",
    arch=replace(B384.arch, depth=24, width=1024, heads=16),
    reported=(
        *_figures("lasot-test", 0.731, 0.822, 0.803),
        *_figures("trackingnet-test", 0.856, 0.896, 0.848),
        *_others(0.528, 0.603, 0.679, 0.712),
    ),
)
L384_GOT10K = replace(L384, name="artrack-l384-got10k", reported=_got10k(0.785, 0.874, 0.778))


def _pair(spec: Spec) -> Spec:
    """What is trained first, on pairs of frames: the same network without a history."""
    return replace(spec, name=f"{spec.name}-pair", arch=replace(spec.arch, history=0), history=None, reported=())


SPECS = (B256, B256_GOT10K, _pair(B256), B384, B384_GOT10K, _pair(B384), L384, L384_GOT10K, _pair(L384))
