"""DaSiamRPN: an AlexNet whose template becomes one large kernel for every anchor's score and box."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network, and how it chooses among its boxes.

    `widths`: of the trunk's convolutions; `width`: channels that are correlated. `rate`: how fast the size may change.
    `shift`: where the cells stand, in pixels from where they would lie evenly about the middle of the crop: half a cell before that
    where the published code runs under Python 3; nowhere else (0) under Python 2.7, which its authors used.
    """

    widths: tuple[int, ...] = (96, 256, 384, 384, 256)
    width: int = 256
    shift: float = -4.0
    penalty: float
    window: float
    rate: float


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the authors' README")


VOT = Spec(
    name="dasiamrpn-vot",
    family="dasiamrpn",
    arch=Arch(penalty=0.04, window=0.44, rate=0.45),
    template=Crop(rule="context-round", factor=1.0, size=127, border="first-mean-floor"),
    search=Crop(rule="context-round", factor=271 / 127, size=271, border="first-mean-floor"),
    feed=("prior",),
    clip="centre",
    origin=Origin(
        paper="arXiv:1808.06048",
        code="github.com/foolwood/DaSiamRPN",
        license="MIT",
        weights="linked from the authors' README (Google Drive), no licence of their own",
    ),
    reported=(_figure("vot2018", "eao", 0.326), _figure("vot2016", "eao", 0.411)),
)
SPECS = (
    VOT,
    replace(VOT, name="dasiamrpn-otb", arch=Arch(penalty=0.22, window=0.40, rate=0.30), reported=(_figure("otb2015", "auc", 0.655),)),
    replace(
        VOT,
        name="dasiamrpn-big",
        arch=Arch(widths=(192, 512, 768, 768, 512), width=512, penalty=0.055, window=0.42, rate=0.295),
        search=replace(VOT.search, small=(0.004, 287)),
        reported=(_figure("vot2018", "eao", 0.383),),
    ),
)
