"""Merlin: the larger tracker in the wheel. FEAR-XS's network, told by its first look how boxes are meant, and when nothing is there."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Hold, Origin, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network, and how it chooses among its boxes.

    `hidden`: width of what foretells presence. `look`: pixels of the first look, as of the search region. `penalty`, `window`, `rate`: of
    changes of size, of places off the middle, and how fast the size may change. `alike`: overlap from which on a box votes with the best
    one. `correct`: shares of how the first look's centre and size differ from the marked box that are added to all later ones.
    """

    width: int = 256
    tower: int = 2
    hidden: int = 64
    look: int = 256
    penalty: float = 0.062
    window: float = 0.38
    rate: float = 0.765
    alike: float = 0.6
    correct: tuple[float, float] = (0.5, 0.8)


MERLIN = Spec(
    name="merlin",
    family="merlin",
    arch=Arch(),
    template=Crop(rule="stretch-outward", factor=5.0, size=458, border="first-mean"),
    search=Crop(rule="stretch-outward", factor=5.0, size=256, border="first-mean", copied=512 * 512),
    clip="inside",
    feed=("target", "prior"),
    lost_below=0.25,  # recipes/LOG.md, "Thresholds" of merlin
    sure_above=0.51,
    hold=Hold(),  # recipes/LOG.md, "Lost targets"
    origin=Origin(code="this package", license="MIT", weights="in the package, MIT: FEAR-XS of PinataFarms, and a part of our own"),
)
SPECS = (MERLIN,)
