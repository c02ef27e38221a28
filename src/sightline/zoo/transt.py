"""TransT: ResNet features of both crops, fused by attention in both directions; every search token says a box."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

README = "the authors' README"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """ResNet-50 of stride 8, `layers` of fusion. `window`: its share in the choice among tokens."""

    layers: int
    width: int = 256
    heads: int = 8
    hidden: int = 2048
    window: float = 0.49


def _spec(layers: int, **figures: float) -> Spec:
    """`figures`: data set -> AUC; GOT-10k's is the average overlap."""
    reported = tuple(
        Reported(dataset=dataset.replace("_", "-"), metric="ao" if dataset.startswith("got10k") else "auc", value=value, source=README)
        for dataset, value in figures.items()
    )
    return Spec(
        name=f"transt-n{layers}",
        family="transt",
        arch=Arch(layers=layers),
        template=Crop(rule="context-ceil", factor=0.5, size=128, border="first-mean-floor"),
        search=Crop(rule="context-ceil", factor=1.5, size=256, border="first-mean-floor"),
        clip="centre",
        origin=Origin(
            paper="arXiv:2103.15436",
            code="github.com/chenxin-dlut/TransT",
            license="GPL-3.0",
            weights="linked from the authors' README (Google Drive, Baidu), no licence of their own",
        ),
        reported=reported,
    )


SPECS = (
    _spec(2, lasot_test=0.642, trackingnet_test=0.809, got10k_test=0.699, otb100=0.681, nfs30=0.657, uav123=0.670),
    _spec(4, lasot_test=0.649, trackingnet_test=0.814, got10k_test=0.723, tnl2k=0.510, otb100=0.694, nfs30=0.657, uav123=0.691),
)
