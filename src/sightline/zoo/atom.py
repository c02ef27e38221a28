"""ATOM: a filter that is learned while tracking finds the target, and boxes climb a learned overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.spec import Augment, Crop, Learning, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. `depth`: of the ResNet; `width`: channels that are filtered; `kernel`: cells along each side of the filter.

    `area`: side of a crop over that of a target. `seed`: of the filter and projection that learning starts from, and of the
    `proposals`, further boxes that refinement starts from; it takes `steps`.
    """

    depth: Literal[18, 34, 50, 101] = 18
    size: int = 288
    width: int = 64
    kernel: int = 4
    area: float = 5.0
    proposals: int = 9
    steps: int = 5
    seed: int = 0


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the authors' model zoo")


CROP = Crop(rule="patch-round", factor=5.0, size=288, pixels="float32", padded="edge")
RESNET18 = Spec(
    name="atom-resnet18",
    family="atom",
    arch=Arch(),
    template=CROP,
    search=CROP,
    feed=("target", "prior"),
    method="online",
    learning=Learning(
        solver="gauss-newton",
        slots=250,
        first=(10, 10, 10, 10, 10, 10),
        later=5,
        hard=5,
        every=10,
        bound=0.05,
        ridge=0.1,
        projection_ridge=1e-4,
        augment=Augment(
            shifts=((0.6, 0.6), (-0.6, 0.6), (0.6, -0.6), (-0.6, -0.6)),
            flip=True,
            blurs=((2.0, 0.2), (0.2, 2.0), (3.0, 1.0), (1.0, 3.0), (2.0, 2.0)),
            rotations=(5.0, -5.0, 10.0, -10.0, 20.0, -20.0, 30.0, -30.0, 45.0, -45.0, -60.0, 60.0),
            wander=1 / 3,
            dropouts=(0.2,) * 7,
        ),
    ),
    clip="near",
    score="response",
    lost_below=0.25,
    origin=Origin(
        paper="arXiv:1811.07628",
        code="github.com/visionml/pytracking",
        license="GPL-3.0",
        weights="atom_default.pth, linked from the authors' model zoo (Google Drive), no licence of their own",
    ),
    reported=(
        _figure("otb100", "auc", 0.663),
        _figure("nfs", "auc", 0.584),
        _figure("uav123", "auc", 0.642),
        _figure("lasot-test", "auc", 0.515),
        _figure("trackingnet-test", "auc", 0.703),
        _figure("got10k-test", "ao", 0.556),
        _figure("vot2018", "eao", 0.401),
    ),
)

SPECS = (RESNET18,)
