"""SMAT: MobileViTv2 over both crops, separable attention in trunk and head."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network.

    `widths`: channels after each of four stages; `depths`: blocks of the first two; `mixed_widths`, `mixed_depths`: of the
    layers in the last two, where the crops read each other. `score_depth`, `box_depth`: of those in the head.
    """

    stem: int = 32
    widths: tuple[int, int, int, int] = (64, 128, 256, 384)
    depths: tuple[int, int] = (1, 2)
    expansion: int = 2
    mixed_widths: tuple[int, int] = (128, 192)
    mixed_depths: tuple[int, int] = (2, 4)
    joined: int = 128
    head_width: int = 128
    score_depth: int = 2
    box_depth: int = 4


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the paper")


SPECS = (
    Spec(
        name="smat",
        family="smat",
        arch=Arch(),
        template=Crop(factor=2.0, size=128),
        search=Crop(factor=4.0, size=256),
        origin=Origin(
            paper="arXiv:2309.03979",
            code="github.com/goutamyg/SMAT",
            license="Apache-2.0",
            weights="linked from the authors' README (Google Drive), no licence of their own; the trunk began with Apple's MobileViTv2",
        ),
        reported=(
            _figure("lasot-test", "auc", 0.617),
            _figure("trackingnet-test", "auc", 0.786),
            _figure("got10k-test", "ao", 0.645),
            _figure("nfs", "auc", 0.620),
            _figure("uav123", "auc", 0.643),
        ),
    ),
)
