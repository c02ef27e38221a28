"""SiamFC: an AlexNet without padding, one cross-correlation, three scales. Two implementations with the same arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["ARCHES", "SPECS", "Arch"]

STEP = 1.0375
SCALES = (1 / STEP, 1.0, STEP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network, and how its responses become a box.

    `widths`, `groups`: of the five convolutions. `pool`: stride of the second pooling; `stride`: of the whole trunk, in pixels.
    `scales`: those of the search crops. `penalty`: factor on every scale but 1. `window`: its share. `rate`: how fast the size
    follows the best scale. `finer`: how much finer the response is made before its peak is read.
    """

    widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256)
    groups: tuple[int, int, int, int, int] = (1, 2, 1, 2, 2)
    pool: int = 2
    stride: int = 8
    last_norm: bool = False
    gain: float = 0.001
    scales: tuple[float, ...] = SCALES
    penalty: float = 0.9745
    window: float = 0.176
    rate: float = 0.59
    finer: int = 16


# as the fixtures name them; only the first and the last were published as trackers
ARCHES = {
    "AlexNetV1": Arch(),
    "AlexNetV2": Arch(widths=(96, 256, 384, 384, 32), pool=1, stride=4),
    "AlexNetV3": Arch(widths=(192, 512, 768, 768, 512), groups=(1, 1, 1, 1, 1), last_norm=True),
    "AlexNetV0": Arch(groups=(1, 1, 1, 1, 1)),
}


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the README of this implementation")


ALEXNET = Spec(
    name="siamfc-alexnet",
    family="siamfc",
    arch=ARCHES["AlexNetV1"],
    template=Crop(rule="context", factor=1.0, size=127, border="first-mean"),
    search=Crop(rule="context", factor=255 / 127, size=255, border="first-mean", scales=SCALES),
    feed=("prior",),
    clip="none",
    score="response",
    origin=Origin(
        paper="arXiv:1606.09549",
        code="github.com/huanglianghua/siamfc-pytorch",
        license="MIT",
        weights="linked from its README (Google Drive), no licence of their own",
    ),
    reported=(
        _figure("otb2013", "auc", 0.589),
        _figure("otb2015", "auc", 0.578),
        _figure("uav123", "auc", 0.523),
        _figure("got10k-test", "ao", 0.355),
    ),
)
UNGROUPED = replace(
    ALEXNET,
    name="siamfc-alexnet-ungrouped",
    arch=ARCHES["AlexNetV0"],
    origin=Origin(
        paper="arXiv:1606.09549",
        code="github.com/HonglinChu/SiamTrackers, folder SiamFC (no licence file)",
        weights="linked from its README (Baidu), all rights reserved",
    ),
    reported=(_figure("otb2015", "auc", 0.570), _figure("uav123", "auc", 0.504)),
)
SPECS = (ALEXNET, UNGROUPED)
