"""ToMP: a transformer reads the frames of a small memory and the search frame, and says a filter for score and box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. `depth`: of the ResNet; `area`: side of a crop over that of a target; `sure`: scores over this are remembered."""

    depth: Literal[18, 34, 50, 101] = 50
    size: int = 288
    width: int = 256
    heads: int = 8
    hidden: int = 2048
    encoder: int = 6
    decoder: int = 6
    area: float = 5.0
    sure: float = 0.9


def _figures(**values: float) -> tuple[Reported, ...]:
    return tuple(
        Reported(dataset=name.replace("_", "-"), metric="auc", value=value, source="the authors' model zoo")
        for name, value in values.items()
    )


CROP = Crop(rule="patch-mostly", factor=5.0, size=288, pixels="float32", padded="edge")
TOMP50 = Spec(
    name="tomp50",
    family="tomp",
    arch=Arch(),
    template=CROP,
    search=CROP,
    feed=("target", "prior"),
    score="response",
    lost_below=0.25,
    origin=Origin(
        paper="arXiv:2203.11192",
        code="github.com/visionml/pytracking",
        license="GPL-3.0",
        weights="linked from the authors' model zoo (Google Drive), no licence of their own",
    ),
    reported=_figures(otb100=0.701, nfs=0.669, uav123=0.690, lasot_test=0.676, lasot_ext=0.454, trackingnet_test=0.812),
)
TOMP101 = replace(
    TOMP50,
    name="tomp101",
    arch=Arch(depth=101),
    reported=_figures(otb100=0.701, nfs=0.667, uav123=0.669, lasot_test=0.685, lasot_ext=0.459, trackingnet_test=0.815),
)

SPECS = (TOMP50, TOMP101)
