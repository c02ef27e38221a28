"""SUTrack: one network for colour alone and with a second picture, Fast-iTPN over search and template tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sightline.spec import Crop, Memory, Origin, Reported, Spec

__all__ = ["SPECS", "Arch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arch:
    """One network. Grids are tokens along each side of a crop, 16 pixels each. `stages`: blocks before those of attention."""

    width: int
    stages: tuple[int, int]
    depth: int
    heads: int
    search_grid: int = 14
    template_grid: int = 7
    head_width: int = 256
    task_width: int = 256


T224 = Arch(width=384, stages=(1, 1), depth=12, heads=6)
B224 = Arch(width=512, stages=(3, 3), depth=24, heads=8)
L224 = Arch(width=768, stages=(2, 2), depth=40, heads=12)
B384, L384 = (replace(arch, search_grid=24, template_grid=12) for arch in (B224, L224))
UPDATED = Memory(every=(25,), above=0.7)  # two templates


def _pair(size: str, arch: Arch, memory: Memory, **figures: float) -> tuple[Spec, Spec]:
    """A network for colour pictures, and for two pictures. `figures`: data set -> AUC; GOT-10k's is the average overlap."""
    colour = Spec(
        name=f"sutrack-{size}",
        family="sutrack",
        arch=arch,
        template=Crop(factor=2.0, size=16 * arch.template_grid),
        search=Crop(factor=4.0, size=16 * arch.search_grid),
        memory=memory,
        feed=("target",),
        origin=Origin(
            paper="arXiv:2412.19138",
            code="github.com/chenxin-dlut/SUTrack",
            license="MIT",
            weights="huggingface.co/xche32/SUTrack; here they run without the token of words, which the authors' tracker has by default",
        ),
        reported=tuple(
            Reported(
                dataset=dataset.replace("_", "-"),
                metric="ao" if dataset.startswith("got10k") else "auc",
                value=value,
                source="the authors' MODEL_ZOO, with the token of words",
            )
            for dataset, value in figures.items()
        ),
    )
    return colour, replace(colour, name=f"sutrack-{size}-extra", feed=("target", "extra"), reported=())


SPECS = (
    *_pair("t224", T224, Memory(), lasot_test=0.696, lasot_ext=0.502, trackingnet_test=0.827, got10k_test=0.727),
    *_pair("b224", B224, UPDATED, lasot_test=0.732, lasot_ext=0.531, trackingnet_test=0.857, got10k_test=0.779),
    *_pair("b384", B384, UPDATED, lasot_test=0.744, lasot_ext=0.529, trackingnet_test=0.865, got10k_test=0.793),
    *_pair("l224", L224, UPDATED, lasot_test=0.735, lasot_ext=0.540, trackingnet_test=0.865, got10k_test=0.810),
    *_pair("l384", L384, UPDATED, lasot_test=0.752, lasot_ext=0.536, trackingnet_test=0.877, got10k_test=0.815),
)
