"""EfficientTrack: few blocks of convolutional feed-forward and (group) attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch", "Order"]

Order: TypeAlias = Literal["AF", "FAF", "GAF", "FGAF", "A", "F"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """What a block does, in order: F feed-forward (batch norm), A attention, GA attention of channel groups.

    `key_width`: channels of a query or key in each group of GA; the others do not use it. `template_grid`, `search_grid`: tokens
    along each side of the crops, each of 16 pixels.
    """

    order: Order
    stem: Literal["conv16", "conv2x2", "conv3x3"] = "conv3x3"
    depth: int
    width: int
    heads: int = 4
    key_width: int = 16
    head_width: int = 128
    template_grid: int = 8
    search_grid: int = 16


def _spec(order: Order, width: int, depth: int, lasot: float) -> Spec:
    reported = Reported(dataset="lasot-test", metric="auc", value=lasot, source="the author's notes, no pre-training")
    return Spec(
        name=f"efficienttrack-{order.lower()}-c{width}-d{depth}",
        family="efficienttrack",
        arch=Arch(order=order, width=width, depth=depth),
        template=Crop(factor=2.0, size=128),
        search=Crop(factor=4.0, size=256),
        origin=Origin(code="github.com/lpylpy0514/workspace_tracking (no licence file)", weights="never published"),
        reported=(reported,),
    )


SPECS = (
    _spec("AF", 128, 3, 0.5661),
    _spec("FAF", 128, 3, 0.4440),
    _spec("GAF", 128, 3, 0.5522),
    _spec("FGAF", 128, 3, 0.5485),
    _spec("AF", 256, 3, 0.5472),
    _spec("FAF", 256, 3, 0.5869),
    _spec("GAF", 256, 3, 0.5765),
    _spec("FGAF", 256, 3, 0.5777),
    _spec("FGAF", 256, 2, 0.5568),
    _spec("FGAF", 256, 4, 0.5419),
)
