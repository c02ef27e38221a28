"""MixFormer: several templates and the search in one transformer, corners, and a score that decides about new templates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sightline.spec import Crop, Memory, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

PAPER, JOURNAL, README = "arXiv:2203.11082", "arXiv:2302.02814", "the authors' README"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network: widths, numbers of blocks and heads of each stage, of which "vit" has one.

    `head`: corners in cells of 16 pixels, or of 4 ("corner-up"). Grids of what the trunk gives, in cells of 16 pixels.
    """

    trunk: Literal["cvt", "vit"] = "cvt"
    widths: tuple[int, ...] = (64, 192, 384)
    depths: tuple[int, ...] = (1, 4, 16)
    heads: tuple[int, ...] = (1, 3, 6)
    head: Literal["corner", "corner-up"] = "corner"
    head_width: int = 384
    template_grid: int = 8
    search_grid: int = 20


def _figure(dataset: str, metric: str, value: float, source: str = JOURNAL) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source=source)


def _memory(every: int, num: int, decay: float = 1.0) -> Memory:
    """`num` templates beside the first, of which one changes after `every` frames."""
    return Memory(every=(every,) * num, above=0.5, keep="best", decay=decay, otherwise="first", turns=num > 1, together=True)


CVT = Spec(
    name="mixcvt",
    family="mixformer",
    arch=Arch(),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=5.0, size=320),
    memory=_memory(200, 3),
    feed=("filled",),
    origin=Origin(
        paper=PAPER,
        code="github.com/MCG-NJU/MixFormer",
        license="MIT",
        weights="linked from the authors' README (Google Drive, Baidu), no licence of their own",
    ),
)
CVT_L = replace(
    CVT,
    name="mixcvt-l",
    arch=Arch(widths=(192, 768, 1024), depths=(2, 2, 12), heads=(3, 12, 16)),
    search=Crop(factor=4.5, size=320),
    reported=(_figure("lasot-test", "auc", 0.701), _figure("trackingnet-test", "auc", 0.839)),
)
VIT_B = replace(
    CVT,
    name="mixvit-b",
    arch=Arch(trunk="vit", widths=(768,), depths=(12,), heads=(12,), head="corner-up", search_grid=18),
    search=Crop(factor=4.5, size=288),
    origin=replace(CVT.origin, paper=JOURNAL),
)
VIT_L = replace(
    VIT_B,
    name="mixvit-l",
    arch=Arch(trunk="vit", widths=(1024,), depths=(24,), heads=(16,), head="corner-up", template_grid=12, search_grid=24),
    template=Crop(factor=2.0, size=192),
    search=Crop(factor=4.55, size=384),
    reported=(
        _figure("lasot-test", "auc", 0.724),
        _figure("trackingnet-test", "auc", 0.854),
        _figure("got10k-test", "ao", 0.757),
        _figure("vot2020", "eao", 0.584),
    ),
)


def _tuned(spec: Spec, name: str, every: int, num: int, *reported: Reported, decay: float = 1.0, factor: float = 4.5) -> Spec:
    """The same network with another memory and search region, as its authors ran it on one benchmark."""
    return replace(
        spec,
        name=f"{spec.name}-{name}",
        search=replace(spec.search, factor=factor),
        memory=_memory(every, num, decay),
        feed=("filled",) if num > 1 else (),
        reported=reported,
    )


SPECS = (
    CVT,
    _tuned(CVT, "lasot", 200, 2, _figure("lasot-test", "auc", 0.692, PAPER)),
    _tuned(CVT, "got10k", 10, 2, _figure("got10k-test", "ao", 0.707, PAPER), decay=0.98),
    _tuned(CVT, "trackingnet", 25, 1, _figure("trackingnet-test", "auc", 0.831, PAPER)),
    _tuned(CVT, "uav123", 200, 1),
    _tuned(CVT, "otb", 6, 3),
    _tuned(CVT, "vot2020", 10, 5, _figure("vot2020", "eao", 0.555, README)),
    CVT_L,
    VIT_B,
    _tuned(VIT_B, "lasot", 200, 2, _figure("lasot-test", "auc", 0.696), factor=5.05),
    _tuned(VIT_B, "got10k", 200, 2),
    _tuned(VIT_B, "trackingnet", 25, 3),
    _tuned(VIT_B, "uav123", 20, 3, factor=4.7),
    _tuned(VIT_B, "otb", 6, 2, factor=4.45),
    _tuned(VIT_B, "vot2020", 6, 5),
    VIT_L,
)
