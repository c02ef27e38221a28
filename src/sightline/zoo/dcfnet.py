"""DCFNet: a correlation filter in closed form over two convolutions that were trained through it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Memory, Origin, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """The network, and how its responses become a box.

    `size`: pixels along each side of a crop; `context`: of a crop, in sizes of the target. `sigma`: of the response that the filter
    should have, as a share of the target. `ridge`: weight of the filter. `scales`: those of the search crops. `penalty`: factor on the
    responses of every scale but 1. `least`, `most`: limits of the target's size, in those of its first frame.
    """

    width: int = 32
    size: int = 125
    context: float = 3.0
    sigma: float = 0.1
    ridge: float = 1e-4
    scales: tuple[float, ...] = (1 / 1.0275, 1.0, 1.0275)
    penalty: float = 0.9925
    least: float = 0.2
    most: float = 5.0


ARCH = Arch()
CROP = Crop(rule="stretch", factor=ARCH.context, size=ARCH.size, padded="corners")
DCFNET = Spec(
    name="dcfnet",
    family="dcfnet",
    arch=ARCH,
    template=CROP,
    search=replace(CROP, scales=ARCH.scales),
    memory=Memory(mix=0.01),
    feed=("prior",),
    clip="sides",
    score="response",
    origin=Origin(
        paper="arXiv:1704.04057",
        code="github.com/foolwood/DCFNet_pytorch",
        license="MIT",
        weights="in the authors' repository, MIT: track/param.pth",
        url="https://raw.githubusercontent.com/foolwood/DCFNet_pytorch/b8434baa2d136df8f55c1addb3e77f40b3c379fc/track/param.pth",
        sha256="8a9c2ad0a25998d873152e67f2bc4ff83ed2cfed54f4f08cb8acd37810dfc0b8",
    ),
)
SPECS = (DCFNET,)
