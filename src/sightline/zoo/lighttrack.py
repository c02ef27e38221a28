"""LightTrack: a mobile network found by search, pixel-wise correlation, two towers of unequal depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network of the search space, and how it chooses among its boxes.

    `stages`: blocks after the first one as kernel and expansion; `widths`, `strides`: of each stage. `score_kernels`,
    `box_kernels`: of the layers of each tower. `rate`: how fast the size may change.
    """

    stages: tuple[tuple[tuple[int, int], ...], ...]
    widths: tuple[int, ...] = (24, 40, 80, 96)
    strides: tuple[int, ...] = (2, 2, 2, 1)
    joined: int = 128
    score_width: int = 256
    score_kernels: tuple[int, ...] = (5, 5, 3, 3, 3, 3)
    box_width: int = 192
    box_kernels: tuple[int, ...] = (3, 3, 3, 3, 3, 5, 5, 5)
    penalty: float
    window: float
    rate: float


def _figure(dataset: str, metric: str, value: float, source: str = "the paper") -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source=source)


MOBILE = Spec(
    name="lighttrack-mobile",
    family="lighttrack",
    arch=Arch(  # back_04502514044521042540+cls_211000022+reg_100000111_ops_32 in the authors' words
        stages=(
            ((7, 4), (7, 6)),
            ((3, 4), (5, 4), (7, 6), (3, 6)),
            ((7, 4), (3, 4), (7, 4), (7, 4)),
            ((7, 6), (5, 4), (3, 6)),
        ),
        penalty=0.007,
        window=0.225,
        rate=0.616,
    ),
    template=Crop(rule="context-round", factor=1.0, size=127, border="first-mean-floor"),
    search=Crop(rule="context-round", factor=256 / 127, size=256, border="first-mean-floor", small=(0.004, 288)),
    feed=("prior",),
    clip="centre",
    report="corner",
    origin=Origin(
        paper="arXiv:2104.14545",
        code="github.com/researchmm/LightTrack",
        license="MIT",
        weights="in the authors' repository, MIT: snapshot/LightTrackM/LightTrackM.pth",
    ),
    reported=(
        _figure("vot2019", "eao", 0.333),
        _figure("got10k-test", "ao", 0.611),
        _figure("got10k-test", "sr50", 0.710),
        _figure("trackingnet-test", "auc", 0.725),
        _figure("trackingnet-test", "precision", 0.695),
        _figure("trackingnet-test", "normalised-precision", 0.779),
        _figure("lasot-test", "auc", 0.538),
    ),
)
DEFAULTS = replace(  # what the authors' tracker does where no data set is named
    MOBILE, name="lighttrack-mobile-defaults", arch=replace(MOBILE.arch, penalty=0.062, window=0.38, rate=0.765), reported=()
)
SPECS = (MOBILE, DEFAULTS)
