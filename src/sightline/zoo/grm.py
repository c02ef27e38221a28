"""GRM: a plain ViT in which every search token is told, block by block, whether the template sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

README = "the authors' README"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each.

    `summary`: what a search token is compared with: the maximum or mean of all template tokens, or of those that show
    the target ("target-max", "target-mean": the other tokens count as zeros).
    `apart_from`: a search token keeps apart from the template where the probability of that is at least this much; 0.5
    is the likelier of the two.
    """

    template_grid: int
    search_grid: int
    depth: int = 12
    width: int = 768
    heads: int = 12
    summary: Literal["max", "mean", "target-max", "target-mean"] = "max"
    apart_from: float = 0.5
    head_width: int = 256


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source=README)


def _figures(dataset: str, auc: float, normalised: float, precision: float) -> tuple[Reported, ...]:
    return (
        _figure(dataset, "auc", auc),
        _figure(dataset, "normalised-precision", normalised),
        _figure(dataset, "precision", precision),
    )


B256 = Spec(
    name="grm-b256",
    family="grm",
    arch=Arch(template_grid=8, search_grid=16),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.0, size=256),
    origin=Origin(
        paper="arXiv:2303.16580",
        code="github.com/Little-Podi/GRM",
        license="MIT",
        weights="Trained_Models.zip in the releases of the authors' repository, no licence of their own",
    ),
    reported=_figures("trackingnet-test", 0.840, 0.887, 0.833),
)


def _tuned(benchmark: str, apart_from: float, *reported: Reported) -> Spec:
    """The same weights with the threshold that the authors chose for one benchmark."""
    return replace(B256, name=f"grm-b256-{benchmark}", arch=replace(B256.arch, apart_from=apart_from), reported=reported)


B256_GOT10K = replace(
    B256,
    name="grm-b256-got10k",
    reported=(_figure("got10k-test", "ao", 0.734), _figure("got10k-test", "sr50", 0.829), _figure("got10k-test", "sr75", 0.704)),
)
L320 = replace(
    B256,
    name="grm-l320",
    arch=Arch(template_grid=8, search_grid=20, depth=24, width=1024, heads=16),
    search=Crop(factor=5.0, size=320),
    reported=(
        *_figures("lasot-test", 0.714, 0.812, 0.779),
        *_figures("trackingnet-test", 0.844, 0.889, 0.840),
        _figure("avist", "auc", 0.551),
        _figure("nfs30", "auc", 0.660),
        _figure("uav123", "auc", 0.722),
    ),
)
SPECS = (
    B256,
    _tuned("lasot", 0.4, *_figures("lasot-test", 0.699, 0.793, 0.758)),
    _tuned("nfs", 0.6, _figure("nfs30", "auc", 0.656)),
    _tuned("uav", 0.55, _figure("uav123", "auc", 0.702)),
    _tuned("avist", 0.4, _figure("avist", "auc", 0.545)),
    B256_GOT10K,
    L320,
)
