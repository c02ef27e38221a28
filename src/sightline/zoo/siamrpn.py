"""SiamRPN and SiamRPN++ as PySOT trains them: template and search through one trunk, correlated channel by channel, boxes from anchors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network, and how it chooses among its boxes.

    `widths`: of AlexNet's convolutions. `levels`: the stages of the other trunks whose maps are searched, each with a head of its
    own; `weighted`: what the heads say counts as learned, else alike. `width`: of maps and heads. `rate`: how fast the size may change.
    `masks`: it also says which pixels show the target (SiamMask).
    """

    trunk: Literal["alexnet", "mobilenetv2", "resnet50"]
    widths: tuple[int, ...] = (96, 256, 384, 384, 256)
    levels: tuple[int, ...] = ()
    weighted: bool = False
    masks: bool = False
    width: int = 256
    penalty: float
    window: float
    rate: float


def _figures(vot2018: float, vot2019: float) -> tuple[Reported, ...]:
    source = "the authors' model zoo"
    return (
        Reported(dataset="vot2018", metric="eao", value=vot2018, source=source),
        Reported(dataset="vot2019", metric="eao", value=vot2019, source=source),
    )


ALEX = Spec(
    name="siamrpn-alex",
    family="siamrpn",
    arch=Arch(trunk="alexnet", penalty=0.16, window=0.40, rate=0.30),
    template=Crop(rule="context-floor", factor=1.0, size=127, border="first-mean-floor"),
    search=Crop(rule="context-floor", factor=287 / 127, size=287, border="first-mean-floor"),
    feed=("prior",),
    start="half-pixel",
    clip="centre",
    origin=Origin(
        paper="arXiv:1812.11703",
        code="github.com/STVIR/pysot",
        license="Apache-2.0",
        weights="linked from the authors' model zoo (Google Drive), CC BY-SA 3.0",
    ),
    reported=_figures(0.352, 0.260),
)
MOBILE = replace(
    ALEX,
    name="siamrpn-mobilev2",
    arch=Arch(trunk="mobilenetv2", levels=(3, 5, 7), penalty=0.04, window=0.40, rate=0.50),
    search=Crop(rule="context-floor", factor=255 / 127, size=255, border="first-mean-floor"),
    reported=_figures(0.410, 0.292),
)
R50 = replace(
    MOBILE,
    name="siamrpn-r50",
    arch=Arch(trunk="resnet50", levels=(2, 3, 4), weighted=True, penalty=0.05, window=0.42, rate=0.38),
    reported=_figures(0.415, 0.287),
)
SIAMMASK = replace(
    R50,
    name="siammask-r50",
    arch=Arch(trunk="resnet50", levels=(3,), masks=True, penalty=0.10, window=0.41, rate=0.32),
    mask_above=0.15,
    origin=replace(R50.origin, paper="arXiv:1812.05050"),
    reported=_figures(0.423, 0.283),
)
SPECS = (
    ALEX,
    replace(
        ALEX, name="siamrpn-alex-otb", reported=(Reported(dataset="otb2015", metric="auc", value=0.666, source="the authors' model zoo"),)
    ),
    MOBILE,
    R50,
    SIAMMASK,
)
