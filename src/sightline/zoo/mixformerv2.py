"""MixFormerV2: templates and search in one transformer without convolutions; four tokens say where the sides of the box are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Memory, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]

PAPER = "arXiv:2305.15896"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. `ratio`: of a perceptron's hidden layer to the width; `bins`: places along each axis; grids in tokens of 16 pixels."""

    depth: int = 8
    ratio: int = 4
    width: int = 768
    heads: int = 12
    bins: int = 96
    template_grid: int = 8
    search_grid: int = 18


def _figure(dataset: str, metric: str, value: float) -> Reported:
    return Reported(dataset=dataset, metric=metric, value=value, source=PAPER)


BASE = Spec(
    name="mixformerv2-base",
    family="mixformerv2",
    arch=Arch(),
    template=Crop(factor=2.0, size=128),
    search=Crop(factor=4.5, size=288),
    memory=Memory(every=(200,), above=0.5, keep="best", otherwise="first", together=True),
    origin=Origin(
        paper=PAPER,
        code="github.com/MCG-NJU/MixFormerV2",
        license="MIT",
        weights="linked from the authors' README (Google Drive, NJU Box), no licence of their own",
    ),
    reported=(_figure("tnl2k-test", "auc", 0.574), _figure("uav123", "auc", 0.699)),
)
SMALL = replace(
    BASE,
    name="mixformerv2-small",
    arch=Arch(depth=4, ratio=1, template_grid=7, search_grid=14),
    template=Crop(factor=2.0, size=112),
    search=Crop(factor=4.5, size=224),
    reported=(_figure("tnl2k-test", "auc", 0.483), _figure("uav123", "auc", 0.658)),
)


def _tuned(spec: Spec, name: str, *reported: Reported, factor: float, every: int = 200) -> Spec:
    """The same network, looking further or less far and changing templates more often, as its authors ran it on one benchmark."""
    return replace(
        spec,
        name=f"{spec.name}-{name}",
        search=replace(spec.search, factor=factor),
        memory=replace(spec.memory, every=(every,)),
        reported=reported,
    )


SPECS = (
    BASE,
    _tuned(BASE, "lasot", _figure("lasot-test", "auc", 0.706), factor=5.0),
    _tuned(BASE, "got10k", factor=5.0, every=10),
    _tuned(BASE, "trackingnet", _figure("trackingnet-test", "auc", 0.834), factor=5.0, every=25),
    _tuned(BASE, "vot2020", factor=5.0, every=10),
    SMALL,
    _tuned(SMALL, "lasot", _figure("lasot-test", "auc", 0.606), factor=4.4),
    _tuned(SMALL, "got10k", factor=4.55, every=15),
    _tuned(SMALL, "trackingnet", _figure("trackingnet-test", "auc", 0.758), factor=4.55, every=25),
    _tuned(SMALL, "vot2020", factor=4.5, every=10),
)
