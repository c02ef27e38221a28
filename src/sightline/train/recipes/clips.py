"""Recipes of networks that remember: several templates, something handed on from frame to frame, a box that is written as words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sightline.train.recipe import Data, Keep, Loss, Rate, Recipe, Share
from sightline.train.recipes.common import FOUR, GOT10K, published, slow_but, step_down, usual

__all__ = ["RECIPES"]

HEAD = slow_but("head.*")


def _clip(center: float, scale: float, searches: int, gap: int, name: str) -> Data:
    return replace(usual(center, scale, gap=gap, shares=GOT10K if name.endswith("-got10k") else FOUR), searches=searches)


def odtrack(name: str) -> Recipe:
    """Zheng et al., AAAI 2024: three templates, two search pictures, up to 400 frames apart."""
    is_short = name.endswith("-got10k")
    epochs = 100 if is_short else 300
    keep = Keep(warm=50 if is_short else 80, epochs=epochs)
    return published(name, _clip(4.5, 0.5, 2, 400, name), step_down(1e-4, 0.8, *HEAD), epochs=epochs, batch=64, samples=30_000, keep=keep)


def aqatrack(name: str) -> Recipe:
    """Xie et al., CVPR 2024: four search pictures."""
    is_large, epochs = "384" in name, 100 if name.endswith("-got10k") else 150
    data = _clip(*((4.5, 0.5) if is_large else (3.5, 0.5)), 4, 400, name)
    optim = step_down(2e-4 if is_large else 4e-4, 0.8, Rate(pattern="backbone.*", factor=0.1))
    return published(name, data, optim, epochs=epochs, batch=32 if is_large else 64, samples=15_000)


def evptrack(name: str) -> Recipe:
    """Shi et al., AAAI 2024: eight search pictures, four of the larger size; gradients go through the whole clip."""
    is_large = "384" in name
    data = _clip(*((4.5, 0.5) if is_large else (3.5, 0.5)), 4 if is_large else 8, 200, name)
    optim = step_down(1e-4 if is_large else 4e-4, 0.8, Rate(pattern="backbone.*", factor=0.1))
    return published(name, data, optim, epochs=150, batch=16 if is_large else 32, samples=15_000 if is_large else 7_500)


def mcitrack(name: str) -> Recipe:
    """Kang et al., AAAI 2025: five templates, two search pictures. Jitter is not stated; that of SUTrack, by the same authors."""
    return published(name, _clip(3.5, 0.5, 2, 400, name), step_down(4e-4, 0.8, Rate(pattern="encoder.*", factor=0.1)), epochs=300, batch=64)


def sutrack(name: str) -> Recipe:
    """Chen et al., AAAI 2025, of colour pictures, or with a second picture from LasHeR; words, depth and events have no data here."""
    four = tuple(replace(share, weight=4.0) for share in (*FOUR, Share(weight=4.0, sources=("tnl2k",))))
    shares = (Share(weight=2.0, sources=("lasher",)),) if name.endswith("-extra") else four
    data = usual(3.5, 0.5, gap=400, shares=shares)
    optim = step_down(1e-4, 0.8, Rate(pattern="task.*", factor=0.0), Rate(pattern="encoder.*", factor=0.1))
    return published(name, data, optim, epochs=180, batch=32, samples=100_000)


def seqtrack(name: str) -> Recipe:
    """Chen et al., CVPR 2023: cross entropy of five words and nothing else."""
    is_short = name.endswith("-got10k")
    data = usual(3.5, 0.5, gap=400, shares=GOT10K if is_short else FOUR)
    optim = step_down(1e-4, 0.8, *slow_but("bottleneck.*", "decoder.*"))
    samples = 30_000 if is_short else 60_000
    return published(name, data, optim, epochs=500, batch=128 if "b256" in name else 64, samples=samples, objective="sentences")


def artrack(name: str) -> Recipe:
    """Wei et al., CVPR 2023, its training on pairs. On sequences, where the tracker's own boxes are the history, it is not trained here."""
    is_short = "-got10k" in name
    data = usual(*((3.0, 0.25) if "256" in name else (4.5, 0.5)), shares=GOT10K if is_short else FOUR)
    optim = step_down(8e-5, 0.8, *slow_but("encoder.*", "writer.*"))
    return published(
        name, data, optim, epochs=120 if is_short else 240, batch=400, objective="trajectories", loss=Loss(words=1.0, siou=2.0)
    )


def artrackv2(name: str) -> Recipe:
    """Bai et al., CVPR 2024, its words alone: the appearance and the score do not learn here, and the history is the last box."""
    is_short = name.endswith("-got10k")
    data = usual(*((3.0, 0.25) if "256" in name else (4.5, 0.5)), shares=GOT10K if is_short else FOUR)
    frozen = (Rate(pattern="appearance.*", factor=0.0), Rate(pattern="score.*", factor=0.0))
    optim = step_down(8e-5, 0.8, *frozen, *slow_but("vocabulary.*", "command_positions", "past_positions"))
    return published(name, data, optim, epochs=300, batch=400, objective="commands", loss=Loss(words=1.0, siou=2.0))


ROWS: tuple[tuple[Callable[[str], Recipe], tuple[str, ...]], ...] = (
    (odtrack, ("odtrack-b384", "odtrack-b384-got10k", "odtrack-l384")),
    (aqatrack, ("aqatrack-256", "aqatrack-256-got10k", "aqatrack-384")),
    (evptrack, ("evptrack-224", "evptrack-224-got10k", "evptrack-384")),
    (mcitrack, ("mcitrack-t224",)),
    (sutrack, ("sutrack-t224", "sutrack-t224-extra", "sutrack-b224")),
    (seqtrack, ("seqtrack-b256", "seqtrack-b256-got10k", "seqtrack-b384")),
    (artrack, ("artrack-b256-pair", "artrack-b384-pair")),
    (artrackv2, ("artrackv2-b256",)),
)
RECIPES: dict[str, Callable[[], Recipe]] = {name: partial(make, name) for make, names in ROWS for name in names}
