"""EfficientTrack with plain pre-norm blocks ("AFLN"). The authors keep it under other names than the rest of that family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """Blocks of attention and perceptron with layer norm ("AF"), or of one of the two."""

    order: Literal["AF", "A", "F"] = "AF"
    stem: Literal["conv16", "conv2x2", "conv3x3"] = "conv3x3"
    depth: int
    width: int
    heads: int = 4
    head_width: int = 128


def _spec(width: int, *reported: Reported) -> Spec:
    return Spec(
        name=f"efficienttrack-afln-c{width}-d3",
        family="efficienttrack_ln",
        arch=Arch(width=width, depth=3),
        template=Crop(factor=2.0, size=128),
        search=Crop(factor=4.0, size=256),
        origin=Origin(code="github.com/lpylpy0514/workspace_tracking (no licence file)", weights="never published"),
        reported=reported,
    )


def _lasot(value: float, source: str) -> Reported:
    return Reported(dataset="lasot-test", metric="auc", value=value, source=f"the author's notes, {source}")


SPECS = (
    _spec(
        128,
        _lasot(0.5881, "no pre-training"),
        _lasot(0.5705, "no pre-training, another run"),
        _lasot(0.5696, "MAE pre-training"),
        _lasot(0.5731, "MTR pre-training"),
    ),
    _spec(256, _lasot(0.5668, "no pre-training")),
)
