"""STARK-Lightning: a small re-parameterised backbone, one layer of attention, corners from two maps."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop; `blocks` and `widths`: of the backbone's stages after the stem."""

    template_grid: int = 8
    search_grid: int = 20
    stem: int = 48
    widths: tuple[int, ...] = (48, 96, 192)
    blocks: tuple[int, ...] = (2, 4, 4)
    width: int = 128
    heads: int = 8
    hidden: int = 1024


SPECS = (
    Spec(
        name="stark-lightning",
        family="stark_lightning",
        arch=Arch(),
        template=Crop(factor=2.0, size=128),
        search=Crop(factor=5.0, size=320),
        feed=("padding",),
        score="none",
        origin=Origin(
            paper="arXiv:2103.17154",
            code="github.com/researchmm/Stark",
            license="MIT",
            weights="linked from the authors' model zoo (Google Drive), no licence of their own",
        ),
        reported=(Reported(dataset="lasot-test", metric="auc", value=0.582, source="the authors' model zoo"),),
    ),
)
