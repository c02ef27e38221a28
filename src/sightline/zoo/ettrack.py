"""E.T.Track: LightTrack with towers of exemplar attention."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network, and how it chooses among its boxes.

    `stages`: blocks of the trunk as kernel and expansion; None: those of LightTrack-Mobile. `score_kernels`,
    `box_kernels`: of the layers of each tower, of which the first and the last are plain separable convolutions. `exemplars`:
    sets of kernels of every other layer, mixed at `temperature`. `rate`: how fast the size may change.
    """

    stages: tuple[tuple[tuple[int, int], ...], ...] | None = None
    joined: int = 128
    score_width: int = 256
    score_kernels: tuple[int, ...] = (5, 5, 3, 3, 3, 3)
    box_width: int = 192
    box_kernels: tuple[int, ...] = (3, 3, 3, 3, 3, 5, 5, 5)
    exemplars: int = 4
    query_width: int = 256
    hidden: int = 1024
    temperature: float = 2.0
    penalty: float = 0.007
    window: float = 0.225
    rate: float = 0.616


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the paper")


SPECS = (
    Spec(
        name="ettrack",
        family="ettrack",
        arch=Arch(),
        template=Crop(rule="context-round", factor=1.0, size=127, border="first-mean-floor"),
        search=Crop(rule="context-round", factor=256 / 127, size=256, border="first-mean-floor", small=(0.004, 288)),
        feed=("prior",),
        clip="centre",
        report="corner",
        origin=Origin(
            paper="arXiv:2112.09686",
            code="github.com/pblatter/ettrack",
            license="none stated; parts carry the licences of other projects",
            weights="in the authors' repository, no licence: checkpoints/et_tracker/checkpoint_e35.pth",
        ),
        reported=(
            _figure("lasot-test", "auc", 0.591),
            _figure("trackingnet-test", "auc", 0.750),
            _figure("nfs", "auc", 0.590),
            _figure("otb2015", "auc", 0.678),
            _figure("uav123", "auc", 0.623),
            _figure("vot2020", "eao", 0.267),
        ),
    ),
)
