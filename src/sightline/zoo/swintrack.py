"""SwinTrack: Swin features of both crops, fused by attention with untied positions. With and without the motion token."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, History, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

CITED = "as cited by later papers; the authors' network with motion token (NeurIPS 2022)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each.

    `swin_width`, `depths`, `swin_heads`, `swin_window`: channels of the first Swin stage, blocks and heads of each, side of its windows.
    `encoder`: layers of fusion. `window`: share of the Hann window in the choice among tokens.
    `history`: past boxes in the motion token, 0 for none of it; `cells`: how finely their coordinates are told, per side of the crop.
    """

    template_grid: int
    search_grid: int
    swin_width: int
    depths: tuple[int, ...]
    swin_heads: tuple[int, ...]
    swin_window: int
    width: int
    heads: int = 8
    encoder: int
    window: float = 0.49
    history: int = 0
    cells: int = 0


def _crop(size: int, factor: float) -> Crop:
    """`factor`: times the area of the box, about; half of what it adds to each side of the box is `Crop.factor`."""
    return Crop(rule="context-exact", factor=(factor - 1) / 2, size=size, border="first-mean", pixels="float32", padded="aligned")


def _spec(name: str, arch: Arch) -> Spec:
    return Spec(
        name=f"swintrack-{name}",
        family="swintrack",
        arch=arch,
        template=_crop(arch.template_grid * 16, 2.0),
        search=_crop(arch.search_grid * 16, 4.0),
        clip="none",
        seek="inside",
        origin=Origin(
            paper="arXiv:2112.00995",
            code="github.com/LitingLin/SwinTrack",
            license="MIT",
            weights="first folder linked from the authors' README (Google Drive, Baidu), no licence of their own",
        ),
    )


def _with_motion(spec: Spec, **figures: float) -> Spec:
    """The same network with the motion token. 16 boxes, 15 frames apart, as far as is known; `cells` is not known and was chosen here.

    `figures`: data set -> AUC; GOT-10k's is the average overlap.
    """
    return replace(
        spec,
        name=f"{spec.name}-motion",
        arch=replace(spec.arch, history=16, cells=4 * spec.arch.search_grid),
        history=History(length=16, every=15),
        origin=replace(
            spec.origin, code="", weights="none that fit: the authors' code of the motion token, and its tensors' names, are not public"
        ),
        reported=tuple(
            Reported(dataset=dataset.replace("_", "-"), metric="ao" if dataset.startswith("got10k") else "auc", value=value, source=CITED)
            for dataset, value in figures.items()
        ),
    )


TINY = _spec(
    "t224",
    Arch(
        template_grid=7,
        search_grid=14,
        swin_width=96,
        depths=(2, 2, 6),
        swin_heads=(3, 6, 12),
        swin_window=7,
        width=384,
        encoder=4,
    ),
)
BASE = _spec("b224", replace(TINY.arch, swin_width=128, depths=(2, 2, 18), swin_heads=(4, 8, 16), width=512, encoder=8))
BASE384 = _spec("b384", replace(BASE.arch, template_grid=12, search_grid=24, swin_window=12))
SPECS = (
    TINY,
    BASE,
    BASE384,
    _with_motion(TINY, lasot_test=0.672, lasot_ext=0.476, trackingnet_test=0.811, got10k_test=0.713),
    _with_motion(BASE384, lasot_test=0.713, lasot_ext=0.491, trackingnet_test=0.840, got10k_test=0.724),
)
