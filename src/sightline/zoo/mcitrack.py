"""MCITrack: Fast-iTPN over search and five template tokens, with a state that goes on from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Memory, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each. `stages`: blocks before those of attention.

    `layers`: of state spaces; `state`: numbers for each of their channels. `sure`: from this score on the state goes on.
    """

    width: int
    stages: tuple[int, int]
    depth: int
    heads: int
    search_grid: int = 14
    template_grid: int = 7
    head_width: int = 256
    layers: int = 4
    state: int = 16
    sure: float = 1.0


T224 = Arch(width=384, stages=(1, 1), depth=12, heads=6)
S224 = replace(T224, stages=(2, 2), depth=20)
B224 = Arch(width=512, stages=(3, 3), depth=24, heads=8)
L224 = Arch(width=768, stages=(2, 2), depth=40, heads=12)
L384 = replace(L224, search_grid=24, template_grid=12)


def _memory(every: int, above: float, bank: int) -> Memory:
    return Memory(every=(every,) * 4, above=above, bank=bank)


def _spec(size: str, arch: Arch, **figures: float) -> Spec:
    """A network whose templates and state do not go on. `figures`: data set -> AUC; GOT-10k's is the average overlap."""
    return Spec(
        name=f"mcitrack-{size}",
        family="mcitrack",
        arch=arch,
        template=Crop(factor=2.0, size=16 * arch.template_grid),
        search=Crop(factor=4.0, size=16 * arch.search_grid),
        memory=_memory(999_999, 1.0, 500),
        feed=("target",),
        origin=Origin(
            paper="arXiv:2412.11023",
            code="github.com/kangben258/MCITrack",
            license="none stated",
            weights="linked from the authors' README (Google Drive), no licence",
        ),
        reported=tuple(
            Reported(
                dataset=dataset.replace("_", "-"),
                metric="ao" if dataset.startswith("got10k") else "auc",
                value=value,
                source="the authors' README, with the numbers tuned for this data set",
            )
            for dataset, value in figures.items()
        ),
    )


TINY = _spec("t224", T224)


def _tuned(name: str, sure: float, every: int, above: float, bank: int) -> Spec:
    """T224 with the numbers that its authors took for one kind of videos."""
    return replace(TINY, name=f"{TINY.name}-{name}", arch=replace(T224, sure=sure), memory=_memory(every, above, bank))


SPECS = (
    TINY,
    _tuned("lasot", 0.88, 70, 0.8, 500),
    _tuned("lasot-ext", 0.97, 50, 0.85, 500),
    _tuned("trackingnet", 0.9, 20, 0.5, 200),
    _tuned("tnl2k", 0.9, 20, 0.5, 500),
    _tuned("nfs", 0.92, 90, 0.8, 500),
    _tuned("uav", 0.91, 1, 0.2, 400),
    _tuned("vot20", 0.94, 1, 0.4, 500),
    _spec("s224", S224),
    _spec("b224", B224, lasot_test=0.753, lasot_ext=0.546, trackingnet_test=0.863, got10k_test=0.779),
    _spec("l224", L224),
    _spec("l384", L384, lasot_test=0.766, lasot_ext=0.557, trackingnet_test=0.879, got10k_test=0.800),
)
