"""HiT: a light hierarchical transformer (LeViT) over both crops, whose stages are added up for the head."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

README = "the authors' README"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network: channels, blocks and heads of its three stages; `key_width` is the same in all of them."""

    widths: tuple[int, int, int]
    depths: tuple[int, int, int]
    heads: tuple[int, int, int]
    key_width: int
    head_width: int = 256


def _spec(size: str, arch: Arch, lasot: float, trackingnet: float, got10k: float) -> Spec:
    figures = (("lasot-test", "auc", lasot), ("trackingnet-test", "auc", trackingnet), ("got10k-test", "ao", got10k))
    return Spec(
        name=f"hit-{size}",
        family="hit",
        arch=arch,
        template=Crop(factor=2.0, size=128),
        search=Crop(factor=4.0, size=256),
        score="none",
        origin=Origin(
            paper="arXiv:2308.06904",
            code="github.com/kangben258/HiT",
            license="MIT",
            weights="linked from the authors' README (Google Drive), no licence of their own",
        ),
        reported=tuple(Reported(dataset=dataset, metric=metric, value=value, source=README) for dataset, metric, value in figures),
    )


SPECS = (
    _spec("base", Arch(widths=(384, 512, 768), depths=(4, 4, 4), heads=(6, 9, 12), key_width=32), 0.646, 0.800, 0.640),
    _spec("small", Arch(widths=(128, 256, 384), depths=(4, 4, 4), heads=(4, 8, 12), key_width=16), 0.604, 0.777, 0.626),
    _spec("tiny", Arch(widths=(128, 256, 384), depths=(2, 3, 4), heads=(4, 6, 8), key_width=16), 0.547, 0.746, 0.526),
)
