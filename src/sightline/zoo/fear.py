"""FEAR: an FBNet trunk, pixel-wise correlation and two short towers; crops that stretch the target to a square."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network, and how it chooses among its boxes.

    `rate`: how fast the size may change; None: it is taken as predicted, and neither penalty nor window is applied.
    """

    width: int = 256
    tower: int = 2
    penalty: float = 0.0
    window: float = 0.0
    rate: float | None = None


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the paper")


FEAR_XS = Spec(
    name="fear-xs",
    family="fear",
    arch=Arch(),
    template=Crop(rule="sides", factor=0.2, size=128, border="first-mean"),
    search=Crop(rule="sides", factor=2.0, size=256, border="first-mean"),
    start="whole",
    clip="whole",
    origin=Origin(
        paper="arXiv:2112.07957",
        code="github.com/PinataFarms/FEARTracker",
        license="MIT",
        weights="in the authors' repository, MIT: evaluate/checkpoints/FEAR-XS-NoEmbs.ckpt",
    ),
    reported=(
        _figure("vot2021", "eao", 0.270),
        _figure("got10k-test", "ao", 0.619),
        _figure("got10k-test", "sr50", 0.722),
        _figure("lasot-test", "auc", 0.535),
        _figure("nfs", "auc", 0.614),
    ),
)
FEAR_XS_SMOOTH = replace(
    FEAR_XS,
    name="fear-xs-smooth",
    arch=replace(FEAR_XS.arch, penalty=0.062, window=0.38, rate=0.765),
    feed=("prior",),
    reported=(),
)
SPECS = (FEAR_XS, FEAR_XS_SMOOTH)
