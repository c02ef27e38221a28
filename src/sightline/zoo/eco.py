"""ECO: filters that are continuous and learned while tracking, over two maps of features. Danelljan et al., CVPR 2017, arXiv:1611.09224."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.errors import BadSpec
from sightline.spec import Augment, Crop, Origin, Spec

__all__ = ["SPECS", "Arch", "Block"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """How one map of features is used.

    Attributes:
        width: channels that its learned projection leaves.
        sigma: of the response that a filter should have, as a share of the target's size.
        least, edge: how much a filter is held down in the middle of the crop, and half a target away from it.
        threshold: what of this is left out, as a share of the largest coefficient.
        rate: weight of a new sample.
        share: of the sum of responses.
    """

    width: int
    sigma: float
    least: float
    edge: float
    threshold: float
    rate: float
    share: float


VIEWS = Augment(
    shifts=((0.05, 0.05), (-0.05, 0.05), (0.05, -0.05), (-0.05, -0.05)),  # six pixels of the larger crop
    flip=True,
    rotations=(5.0, -5.0, 10.0, -10.0, 20.0, -20.0, 30.0, -30.0, 45.0, -45.0, 60.0, -60.0),
    blurs=((2.0, 0.2), (0.2, 2.0), (3.0, 1.0), (1.0, 3.0), (2.0, 2.0)),
    dropouts=(0.2,) * 7,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """The networks, and how filters are learned over their features.

    `depth`: of the residual network. `first`: runs of conjugate gradients by which filters and projection are learned in the first
    frame, each with its number of steps; `later`: steps every `every` frames. `slots`: samples that are kept. `ridge`: weight of the
    projection. `data`, `confine`, `ratio`: of the preconditioners (`methods.continuous`). `forget`: frames after which a direction of
    the solver counts little. `augment`: how the first frame is seen. `smallest`: pixels that a side of the target always has.
    """

    depth: Literal[18] = 18
    shallow: Block = Block(width=16, sigma=1 / 16, least=1e-4, edge=1e-2, threshold=0.05, rate=0.025, share=0.4)
    deep: Block = Block(width=64, sigma=1 / 4, least=1e-3, edge=5e-2, threshold=0.1, rate=0.0075, share=0.6)
    first: tuple[int, ...] = (10,) * 10
    later: int = 5
    every: int = 10
    slots: int = 200
    ridge: float = 5e-8
    data: float = 0.3
    confine: float = 0.15
    ratio: float = 35.0
    forget: int = 75
    augment: Augment = VIEWS
    smallest: float = 10.0

    def __post_init__(self) -> None:
        ways = self.augment
        num = 1 + sum(map(len, (ways.shifts, ways.rotations, ways.blurs, ways.dropouts))) + ways.flip
        if num > self.slots:
            raise BadSpec(f"{num} samples of the first frame, of which {self.slots} can be kept; expected fewer samples or more slots.")


SCALES = tuple(1.02**i for i in range(-2, 3))
ECO = Spec(
    name="eco-resnet18",
    family="eco",
    arch=Arch(),
    template=Crop(rule="patch-round", factor=9.0, size=480, pixels="float32", padded="edge"),
    search=Crop(rule="patch-round", factor=4.5, size=240, pixels="float32", padded="edge", fitted=(200, 250, 16), scales=SCALES),
    method="eco",
    clip="near",
    score="response",
    origin=Origin(
        paper="arXiv:1611.09224",
        code="github.com/visionml/pytracking",
        license="GPL-3.0",
        weights="resnet18_vggmconv1.pth, linked from its model zoo (Google Drive): features trained for classification, no licence of their own",
    ),
)
SPECS = (ECO,)
