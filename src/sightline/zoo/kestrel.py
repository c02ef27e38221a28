"""Kestrel: the trackers that come in the wheel. Small, one stream, the template read once."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Hold, Origin, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """Template tokens see one another; search tokens see both: keys and values of the template are computed once.

    `template_grid`, `search_grid`: tokens along each side of the crops, each of 16 pixels.
    """

    depth: int
    width: int
    heads: int
    head_width: int
    template_grid: int = 8
    search_grid: int = 16


KESTREL_NANO = Spec(
    name="kestrel-nano",
    family="kestrel",
    arch=Arch(depth=3, width=48, heads=1, head_width=32),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.0, size=256, copied=512 * 512),
    lost_below=0.39,  # recipes/LOG.md, "Thresholds"
    sure_above=0.58,
    hold=Hold(),  # recipes/LOG.md, "Lost targets"
    origin=Origin(code="this package", license="MIT", weights="in the package, Apache-2.0: trained on from VitTrack-nano of opencv_zoo"),
)
SPECS = (KESTREL_NANO,)
