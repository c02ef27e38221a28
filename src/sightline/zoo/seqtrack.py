"""SeqTrack: a plain ViT over a search region and two templates; a small decoder then writes the box, number by number."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Memory, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. `grid`: tokens along each side of both crops, 16 pixels each.

    `bins`: how many values each number of a box can have. `window`: centres are likelier in the middle of the search region.
    """

    grid: int
    depth: int = 12
    width: int = 768
    heads: int = 12
    layers: int = 2
    layer_width: int = 256
    layer_heads: int = 8
    layer_hidden: int = 1024
    bins: int = 4000
    window: bool = True


def _figures(metric: str, **values: float) -> tuple[Reported, ...]:
    names = {name: name.replace("_", "-") for name in values}
    return tuple(
        Reported(dataset=names[name], metric=metric, value=value, source="the authors' model zoo") for name, value in values.items()
    )


def _every(spec: Spec, name: str, memory: Memory, reported: tuple[Reported, ...]) -> Spec:
    """The same network with the memory that its authors chose for one benchmark."""
    return replace(spec, name=f"{spec.name}-{name}", memory=memory, reported=reported)


def _size(
    name: str, arch: Arch, auc: tuple[float, float, float, float, float, float], ao: float, eao: float, vot: Memory
) -> tuple[Spec, ...]:
    """One size, with the memory for all but the named benchmarks first. `auc`: LaSOT, LaSOT-ext, TrackingNet, TNL2K, NfS, UAV123."""
    spec = Spec(
        name=f"seqtrack-{name}",
        family="seqtrack",
        arch=arch,
        template=Crop(factor=4.0, size=16 * arch.grid),
        search=Crop(factor=4.0, size=16 * arch.grid),
        memory=Memory(every=(9999,), above=0.6),
        score="response",
        origin=Origin(
            paper="arXiv:2304.14394",
            code="github.com/microsoft/VideoX",
            license="MIT",
            weights="linked from the authors' model zoo (Google Drive), no licence of their own",
        ),
        reported=_figures("auc", lasot_ext=auc[1], nfs30=auc[4], uav123=auc[5]),
    )
    return (
        spec,
        _every(spec, "lasot", Memory(every=(450,), above=0.6), _figures("auc", lasot_test=auc[0])),
        _every(spec, "trackingnet", Memory(every=(25,), above=0.6), _figures("auc", trackingnet_test=auc[2])),
        _every(spec, "tnl2k", Memory(every=(25,), above=0.6), _figures("auc", tnl2k_test=auc[3])),
        _every(spec, "got10k", Memory(every=(1,), above=0.6), _figures("ao", got10k_test=ao)),
        _every(spec, "vot2020", vot, _figures("eao", vot2020=eao)),
    )


LARGE = Arch(grid=16, depth=24, width=1024, heads=16)
SPECS = (
    *_size("b256", Arch(grid=16), (0.699, 0.495, 0.833, 0.549, 0.676, 0.692), 0.747, 0.291, Memory(every=(1,), above=0.55)),
    *_size("b384", Arch(grid=24), (0.715, 0.505, 0.839, 0.564, 0.667, 0.686), 0.745, 0.312, Memory(every=(20,), above=0.45)),
    *_size("l256", LARGE, (0.721, 0.505, 0.850, 0.569, 0.669, 0.697), 0.745, 0.313, Memory(every=(10,), above=0.475)),
    *_size("l384", replace(LARGE, grid=24), (0.725, 0.507, 0.855, 0.578, 0.662, 0.685), 0.748, 0.319, Memory(every=(10,), above=0.475)),
)
