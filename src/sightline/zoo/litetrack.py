"""LiteTrack: the first blocks of a ViT-B; the template goes through them once, alone."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

README = "the authors' README"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. The last `mixing` of its `depth` blocks let search tokens read the template."""

    depth: int
    mixing: int
    width: int = 768
    heads: int = 12
    head_width: int = 256


def _spec(name: str, depth: int, mixing: int, *reported: Reported) -> Spec:
    return Spec(
        name=name,
        family="litetrack",
        arch=Arch(depth=depth, mixing=mixing),
        template=Crop(factor=2.0, size=128),
        search=Crop(factor=4.0, size=256),
        feed=("target",),
        origin=Origin(
            paper="arXiv:2309.09249",
            code="github.com/TsingWei/LiteTrack",
            license="MIT",
            weights="linked from the authors' README (Google Drive, Baidu), no licence of their own",
        ),
        reported=reported,
    )


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source=README)


def _pair(size: str, depth: int, mixing: int, lasot: float, trackingnet: float, got10k: float) -> tuple[Spec, Spec]:
    """One size, trained on four data sets and on GOT-10k alone."""
    mixed = (_figure("lasot-test", "auc", lasot), _figure("trackingnet-test", "auc", trackingnet))
    return (
        _spec(f"litetrack-{size}", depth, mixing, *mixed),
        _spec(f"litetrack-{size}-got10k", depth, mixing, _figure("got10k-test", "ao", got10k)),
    )


SPECS = (
    *_pair("b4", 4, 2, 0.625, 0.799, 0.652),
    *_pair("b6", 6, 3, 0.646, 0.808, 0.687),
    *_pair("b8", 8, 3, 0.664, 0.814, 0.704),
    *_pair("b9", 9, 3, 0.670, 0.824, 0.722),
)
