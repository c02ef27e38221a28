"""Recipes of networks that say one box: corner heads, perceptrons, side tokens; and the stage in which a score learns to judge it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sightline.train.recipe import Loss, Rate, Recipe
from sightline.train.recipes.common import FOUR, GOT10K, published, slow_but, stage, step_down, usual

__all__ = ["RECIPES"]

CIOU = Loss(giou=0.0, ciou=2.0, l1=5.0)
PLAIN_BOX = Loss(giou=2.0, l1=5.0)


def stark(name: str) -> Recipe:
    """Yan et al., ICCV 2021: 500 epochs; the first layers of the ResNet stay as they were pre-trained."""
    is_short, has_memory = name.endswith("-got10k"), "-st" in name
    data = usual(4.5, 0.5, shares=GOT10K if is_short else FOUR)
    data = replace(data, draw="trident-pro") if has_memory else data
    frozen = ("backbone.conv1.*", "backbone.layer1.*", *(["score.*"] if has_memory else []))
    rates = (*(Rate(pattern=pattern, factor=0.0) for pattern in frozen), Rate(pattern="backbone.*", factor=0.1))
    return published(name, data, step_down(1e-4, 0.8, *rates), epochs=500, batch=128, objective="box", loss=PLAIN_BOX)


def lightning(name: str) -> Recipe:
    """STARK-Lightning: as STARK, without its optional teacher."""
    return published(
        name,
        usual(4.5, 0.5),
        step_down(1e-4, 0.8, Rate(pattern="backbone.*", factor=0.1)),
        epochs=500,
        batch=128,
        objective="box",
        loss=PLAIN_BOX,
    )


def simtrack(name: str) -> Recipe:
    """Chen et al., ECCV 2022: 50 epochs."""
    data = usual(3.5, 0.5, shares=GOT10K if name.endswith("-got10k") else FOUR)
    optim = step_down(1e-4, 0.8, *slow_but("head.*", "bottleneck.*", "places.*"))
    return published(name, data, optim, epochs=50, batch=512, objective="box", loss=PLAIN_BOX)


def hit(name: str) -> Recipe:
    """Kang et al., ICCV 2023: 1500 epochs, everything at one rate."""
    return published(name, usual(3.5, 0.5), step_down(5e-4, 0.8), epochs=1500, batch=256, objective="box", loss=PLAIN_BOX)


def vittrack_corner(name: str) -> Recipe:
    """VitTrack with a corner head, of VitTracker: 500 epochs at one rate."""
    return published(name, usual(3.0, 0.25), step_down(1e-4, 0.8), epochs=500, batch=64, objective="box", loss=PLAIN_BOX)


def mixformer(name: str) -> Recipe:
    """Cui et al., CVPR 2022, first stage. As published two templates are shown; here as many as the tracker keeps."""
    is_vit = name.startswith("mixvit")
    data = usual(4.5, 0.5, shares=GOT10K if name.endswith("-got10k") else FOUR)
    rates = (Rate(pattern="score.*", factor=0.0), *slow_but("head.*"))
    return published(
        name, data, step_down(4e-4 if is_vit else 1e-4, 0.8, *rates), epochs=500, batch=256 if is_vit else 64, objective="box", loss=CIOU
    )


def mixformerv2(name: str) -> Recipe:
    """Cui et al., NeurIPS 2023, its sizes and lengths; the published networks also learn the distributions and features of larger ones, which is not here."""
    rates = (Rate(pattern="score.*", factor=0.0), *slow_but("head.*", "sides", "side_positions"))
    return published(name, usual(4.5, 0.5), step_down(4e-4, 0.8, *rates), epochs=500, batch=256, objective="box", loss=CIOU)


def judged(name: str, *, epochs: int, batch: int) -> Recipe:
    """The score alone learns, from targets that are there and as many that are not: STARK-ST and MixFormer, second stage."""
    data = replace(usual(4.5, 0.5), draw="trident-pro", absent=0.5, covered=0.0, hidden=True)
    optim = step_down(1e-4, 0.8, Rate(pattern="score.*"), Rate(pattern="*", factor=0.0))
    return published(name, data, optim, epochs=epochs, batch=batch, objective="score", norms="kept", start=stage(name))


ROWS: tuple[tuple[Callable[[str], Recipe], tuple[str, ...]], ...] = (
    (stark, ("stark-s50", "stark-s50-got10k", "stark-st50", "stark-st101")),
    (lightning, ("stark-lightning",)),
    (simtrack, ("simtrack-b16", "simtrack-b16-got10k", "simtrack-b32")),
    (hit, ("hit-base", "hit-small", "hit-tiny")),
    (vittrack_corner, ("vittrack-d12c256-conv2x2-corner", "vittrack-d6c256-conv2x2-corner", "vittrack-d3c128-conv2x2-corner")),
    (mixformer, ("mixcvt", "mixcvt-got10k", "mixvit-b")),
    (mixformerv2, ("mixformerv2-base", "mixformerv2-small")),
)
RECIPES: dict[str, Callable[[], Recipe]] = {
    **{name: partial(make, name) for make, names in ROWS for name in names},
    "stark-st50-score": partial(judged, "stark-st50", epochs=50, batch=128),
    "mixcvt-score": partial(judged, "mixcvt", epochs=40, batch=64),
    "mixformerv2-base-score": partial(judged, "mixformerv2-base", epochs=40, batch=256),
}
