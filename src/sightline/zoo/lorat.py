"""LoRAT: DINOv2 over template and search tokens, adapted by factors of low rank."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 14 pixels each.

    `rank`: of the factors beside every linear layer, 0 where they were added to it; `scale`: of their product. `window`: share of
    the Hann window in the choice among tokens.
    """

    template_grid: int
    search_grid: int
    depth: int
    width: int
    heads: int
    rank: int = 0
    scale: float = 1.0
    window: float = 0.45


B224 = Arch(template_grid=8, search_grid=16, depth=12, width=768, heads=12)
B378 = replace(B224, template_grid=14, search_grid=27)
L224 = replace(B224, depth=24, width=1024, heads=16)
L378 = replace(B378, depth=24, width=1024, heads=16)


def _crop(grid: int, factor: float) -> Crop:
    """`factor`: times the area of the box, about; half of what it adds to each side of the box is `Crop.factor`."""
    return Crop(rule="context-exact", factor=(factor - 1) / 2, size=14 * grid, border="first-mean", pixels="float32", padded="grid")


def _pair(size: str, arch: Arch, factor: float, **figures: float) -> tuple[Spec, Spec]:
    """A network with its factors added to the layers, and apart. `figures`: data set -> AUC; GOT-10k's is the average overlap."""
    merged = Spec(
        name=f"lorat-{size}",
        family="lorat",
        arch=arch,
        template=_crop(arch.template_grid, 2.0),
        search=_crop(arch.search_grid, factor),
        feed=("target",),
        clip="none",
        report="frame",
        seek="frame",
        origin=Origin(
            paper="arXiv:2403.05231",
            code="github.com/LitingLin/LoRAT",
            license="Apache-2.0",
            weights="linked from the authors' README (Google Drive), no licence of their own: only what was trained, to be joined"
            " with DINOv2's weights (github.com/facebookresearch/dinov2, Apache-2.0) before they are converted",
        ),
        reported=tuple(
            Reported(
                dataset=dataset.replace("_", "-"), metric="ao" if dataset.startswith("got10k") else "auc", value=value, source="the paper"
            )
            for dataset, value in figures.items()
        ),
    )
    return merged, replace(merged, name=f"lorat-{size}-factors", arch=replace(arch, rank=64))


SPECS = (
    *_pair("b224", B224, 4.0, lasot_test=0.717, lasot_ext=0.503, trackingnet_test=0.835, got10k_test=0.721, tnl2k_test=0.588),
    *_pair("b378", B378, 5.0, lasot_test=0.729, lasot_ext=0.531, trackingnet_test=0.842, got10k_test=0.737, tnl2k_test=0.599),
    *_pair("l224", L224, 4.0, lasot_test=0.742, lasot_ext=0.528, trackingnet_test=0.850, got10k_test=0.757, tnl2k_test=0.611),
    *_pair("l378", L378, 5.0, lasot_test=0.751, lasot_ext=0.566, trackingnet_test=0.856, got10k_test=0.775, tnl2k_test=0.623),
)
