"""HCAT: the template is summed up once in a few queries; search tokens and queries read each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch", "Backbone"]

Backbone = Literal["resnet18", "resnet50", "convnext-tiny", "lightnet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network: a backbone of stride 16 and `layers` of fusion. `window`: its share in the choice among tokens."""

    backbone: Backbone
    layers: int
    width: int = 256
    heads: int = 8
    hidden: int = 2048
    queries: int = 16
    window: float = 0.42


def _spec(name: str, backbone: Backbone, layers: int, lasot: float, trackingnet: float, got10k: float) -> Spec:
    figures = (("lasot-test", "auc", lasot), ("trackingnet-test", "auc", trackingnet), ("got10k-test", "ao", got10k))
    return Spec(
        name=f"hcat-{name}",
        family="hcat",
        arch=Arch(backbone=backbone, layers=layers),
        template=Crop(rule="context-ceil", factor=0.5, size=128, border="first-mean", pixels="float32", padded="after"),
        search=Crop(rule="context-ceil", factor=1.5, size=256, border="first-mean", pixels="float32", padded="after"),
        clip="centre",
        origin=Origin(
            paper="arXiv:2203.13537",
            code="github.com/chenxin-dlut/HCAT",
            license="GPL-3.0",
            weights="linked from the authors' README (Google Drive), no licence of their own",
        ),
        reported=tuple(
            Reported(dataset=dataset, metric=metric, value=value, source="the authors' README") for dataset, metric, value in figures
        ),
    )


SPECS = (
    _spec("res18-n1", "resnet18", 1, 0.579, 0.742, 0.613),
    _spec("res18-n2", "resnet18", 2, 0.591, 0.766, 0.653),
    _spec("res50-n2", "resnet50", 2, 0.591, 0.779, 0.678),
    _spec("lighttrack-n2", "lightnet", 2, 0.598, 0.766, 0.663),
    _spec("convnext-tiny-n2", "convnext-tiny", 2, 0.631, 0.805, 0.701),
)
