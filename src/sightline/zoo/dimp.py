"""DiMP: a network gives a filter and learns how to learn it; boxes climb a learned overlap, as ATOM's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sightline.spec import Augment, Crop, Learning, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. `depth`: of the ResNet; `width`: channels that are filtered; `kernel`: cells along each side of the filter.

    `bins`: of the learned functions of the distance to the target, `bin` cells wide. `seed`: of the `proposals`, further boxes
    that refinement starts from, and takes `steps`.
    """

    depth: Literal[18, 34, 50, 101] = 50
    size: int = 288
    width: int = 512
    kernel: int = 4
    bins: int = 100
    bin: float = 0.1
    proposals: int = 9
    steps: int = 5
    seed: int = 0


def _figures(**values: float) -> tuple[Reported, ...]:
    metrics = {"got10k_test": "ao"}
    return tuple(
        Reported(dataset=name.replace("_", "-"), metric=metrics.get(name, "auc"), value=value, source="the authors' model zoo")
        for name, value in values.items()
    )


CROP = Crop(rule="patch", factor=5.0, size=288, pixels="float32", padded="edge")
DIMP50 = Spec(
    name="dimp50",
    family="dimp",
    arch=Arch(),
    template=CROP,
    search=CROP,
    feed=("target", "prior"),
    method="online",
    learning=Learning(
        solver="steepest-descent",
        slots=50,
        first=(10,),
        later=2,
        every=20,
        hard=1,
        augment=Augment(
            shifts=((0.6, 0.6), (-0.6, 0.6), (0.6, -0.6), (-0.6, -0.6)),
            flip=True,
            blurs=((3.0, 1.0), (1.0, 3.0), (2.0, 2.0)),
            rotations=(10.0, -10.0, 45.0, -45.0),
            wander=1 / 3,
            dropouts=(0.2, 0.2),
        ),
    ),
    clip="near",
    score="response",
    lost_below=0.25,
    origin=Origin(
        paper="arXiv:1904.07220",
        code="github.com/visionml/pytracking",
        license="GPL-3.0",
        weights="linked from the authors' model zoo (Google Drive), no licence of their own",
    ),
    reported=_figures(otb100=0.684, nfs=0.619, uav123=0.653, lasot_test=0.569, trackingnet_test=0.740, got10k_test=0.611),
)
DIMP18 = replace(
    DIMP50,
    name="dimp18",
    arch=Arch(depth=18, width=256),
    reported=_figures(otb100=0.660, nfs=0.610, uav123=0.643, lasot_test=0.535, trackingnet_test=0.723, got10k_test=0.579),
)

SPECS = (DIMP50, DIMP18)
