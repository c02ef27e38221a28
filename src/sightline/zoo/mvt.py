"""MVT: MobileViT over both crops, a centre head."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network.

    `widths`: channels after each of four stages; `depths`: blocks of the first two; `mixed_widths`, `mixed_depths`: of the
    layers in the last two, where the crops read each other.
    """

    stem: int = 16
    widths: tuple[int, int, int, int] = (32, 64, 96, 128)
    depths: tuple[int, int] = (1, 3)
    expansion: int = 4
    mixed_widths: tuple[int, int] = (144, 192)
    mixed_depths: tuple[int, int] = (2, 4)
    heads: int = 4
    joined: int = 256
    head_width: int = 256


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source="the paper")


SPECS = (
    Spec(
        name="mvt",
        family="mvt",
        arch=Arch(),
        template=Crop(factor=2.0, size=128),
        search=Crop(factor=4.0, size=256),
        origin=Origin(
            paper="arXiv:2309.05829",
            code="github.com/goutamyg/MVT",
            license="Apache-2.0",
            weights="linked from the authors' README (Google Drive), no licence of their own; the trunk began with Apple's MobileViT",
        ),
        reported=(
            _figure("got10k-test", "ao", 0.633),
            _figure("got10k-test", "sr50", 0.742),
            _figure("got10k-test", "sr75", 0.551),
            _figure("trackingnet-test", "auc", 0.748),
        ),
    ),
)
