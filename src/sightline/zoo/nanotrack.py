"""NanoTrack: MobileNetV3-small cut at stride 16, pixel-wise correlation, two narrow towers. Three versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network, and how it chooses among its boxes.

    `head`: "shared", one correlation for class and box (version 1); "paired", one each behind projections (2); "joined", each
    joined with a channel-wise correlation (3). `depth`: of the towers of "paired" and "joined". `rate`: how fast the size may change.
    """

    head: Literal["shared", "paired", "joined"]
    blocks: int = 8  # of the trunk
    depth: int = 6
    penalty: float
    window: float
    rate: float


COMMIT = "248663fde6bf7c40190cf10ee396d5662919ecd3"


def _spec(version: int, arch: Arch, figures: tuple[float, float, float, float, float, float], sha256: str) -> Spec:
    names = (
        ("vot2018", "eao"),
        ("vot2019", "eao"),
        ("got10k-val", "ao"),
        ("got10k-val", "sr50"),
        ("dtb70", "auc"),
        ("dtb70", "precision"),
    )
    return Spec(
        name=f"nanotrack-v{version}",
        family="nanotrack",
        arch=arch,
        template=Crop(rule="context-floor", factor=1.0, size=127, border="first-mean-floor"),
        search=Crop(rule="context-floor", factor=255 / 127, size=255, border="first-mean-floor"),
        feed=("prior",),
        start="half-pixel",
        clip="centre",
        origin=Origin(
            code="github.com/HonglinChu/SiamTrackers, folder NanoTrack",
            license="Apache-2.0",
            weights=f"in the authors' repository, Apache-2.0: NanoTrack/models/pretrained/nanotrackv{version}.pth",
            url=f"https://raw.githubusercontent.com/HonglinChu/SiamTrackers/{COMMIT}/NanoTrack/models/pretrained/nanotrackv{version}.pth",
            sha256=sha256,
        ),
        reported=tuple(
            Reported(dataset=dataset, metric=metric, value=value, source="the authors' README")
            for (dataset, metric), value in zip(names, figures, strict=True)
        ),
    )


SPECS = (
    _spec(
        1,
        Arch(head="shared", penalty=0.148, window=0.462, rate=0.390),
        (0.311, 0.247, 0.604, 0.724, 0.532, 0.727),
        "2a24bbfd1163a7692ab22100336a54de55dde12301b7d8ae7a4e745fb10b09a3",
    ),
    _spec(
        2,
        Arch(head="paired", penalty=0.150, window=0.490, rate=0.385),
        (0.352, 0.270, 0.680, 0.817, 0.584, 0.753),
        "938a320c560fd8c8d6a148a76a072bca29c529ce16591c9a2157859ee0ecc5e1",
    ),
    _spec(
        3,
        Arch(head="joined", blocks=9, penalty=0.138, window=0.455, rate=0.348),
        (0.449, 0.296, 0.719, 0.848, 0.628, 0.815),
        "4f0d25108385a67bdec5fa01ca37c74acb72343b53996dd645fe18b86e512e69",
    ),
)
