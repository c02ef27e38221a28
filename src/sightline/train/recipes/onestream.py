"""Recipes of networks with a centre head over a plain transformer or a small trunk: OSTrack and its kin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sightline.train.recipe import Keep, Optim, Rate, Recipe, Share
from sightline.train.recipes.common import FOUR, GOT10K, published, slow_but, stage, step_down, usual

__all__ = ["RECIPES"]

HEAD = slow_but("head.*")
JITTER = {"256": (3.0, 0.25), "384": (4.5, 0.5), "320": (4.5, 0.5)}


def _jitter(name: str) -> tuple[float, float]:
    return next(values for size, values in JITTER.items() if size in name)


def ostrack(name: str) -> Recipe:
    """Ye et al., ECCV 2022: 300 epochs on four data sets, or 100 on GOT-10k; tokens leave from epoch 20 on."""
    is_short, eliminates = name.endswith("-got10k"), "-ce" in name
    epochs = 100 if is_short else 300
    keep = Keep(warm=50 if is_short else 80, epochs=epochs) if eliminates else None
    data = usual(*_jitter(name), shares=GOT10K if is_short else FOUR)
    return published(name, data, step_down(4e-4, 0.8, *HEAD), epochs=epochs, batch=128, keep=keep)


def procontext(name: str) -> Recipe:
    """Lan et al., ICASSP 2023: two templates, the later one need not show the target."""
    recipe = ostrack(f"{name.replace('384', '384-ce')}")
    return replace(
        recipe, name=name, data=replace(recipe.data, draw="trident-pro"), validation=replace(recipe.validation, draw="trident-pro")
    )


def zoomtrack(name: str) -> Recipe:
    """Kou et al., NeurIPS 2023. As published a fifth of the search boxes is shaken by 4.5 and 0.5, the others by 0 and 0.1; here all by the mean."""
    recipe = ostrack(name.replace("zoomtrack-b256", "ostrack-b256-ce"))
    data = replace(recipe.data, center_jitter=0.9, scale_jitter=0.2)
    return replace(recipe, name=name, data=data, validation=data)


def vipt(name: str) -> Recipe:
    """Zhu et al., CVPR 2023: prompts for a second picture learn, in OSTrack as it is; 60 epochs."""
    data = usual(3.0, 0.25, shares=(Share(weight=1.0, sources=("lasher",)),))
    prompts = tuple(Rate(pattern=pattern) for pattern in ("visual.*", "second_stem.*"))
    optim = step_down(4e-4, 0.8, *prompts, Rate(pattern="*", factor=0.0))
    keep, batch = Keep(since=4, warm=16, epochs=60), 64 if "shallow" in name else 256
    return published(name, data, optim, epochs=60, batch=batch, norms="kept", keep=keep, start=stage("ostrack-b256-ce"))


def grm(name: str) -> Recipe:
    """Gao et al., CVPR 2023: what divides tokens learns at the head's rate."""
    is_short, is_large = name.endswith("-got10k"), "l320" in name
    data = usual(*_jitter(name), shares=GOT10K if is_short else FOUR)
    optim = step_down(4e-4, 0.8, *slow_but("head.*", "blocks.*.divide.*"))
    return published(name, data, optim, epochs=100 if is_short else 300, batch=80 if is_large else 320)


def litetrack(name: str) -> Recipe:
    """Wei et al., 2023: as OSTrack, at 1e-4 for 32 samples."""
    is_short = name.endswith("-got10k")
    data = usual(3.0, 0.25, shares=GOT10K if is_short else FOUR)
    return published(name, data, step_down(1e-4, 0.8, *HEAD), epochs=100 if is_short else 300, batch=32, precision="bfloat16")


def small(name: str) -> Recipe:
    """EfficientTrack and VitTrack-nano of VitTracker: 300 epochs; the published nano learnt from a teacher as well (`--teacher`)."""
    return published(name, usual(3.0, 0.25), step_down(4e-4, 0.8, *HEAD), epochs=300, batch=32)


def vittrack_center(name: str) -> Recipe:
    """VitTrack with a centre head, of VitTracker: everything learns at one rate. The two-camera variants learn from LasHeR."""
    shares = (Share(weight=1.0, sources=("lasher",)),) if "rgbt" in name else FOUR
    return published(name, usual(3.0, 0.25, shares=shares), step_down(4e-4, 0.8), epochs=300, batch=64)


def smat(name: str) -> Recipe:
    """Gopal and Amer, WACV 2024."""
    return published(
        name,
        usual(3.0, 0.25, shares=(*FOUR[:1], *GOT10K, *FOUR[2:])),
        step_down(4e-4, 0.8, *slow_but("head.*", "correlation.*")),
        epochs=300,
        batch=128,
    )


def mvt(name: str) -> Recipe:
    """Gopal and Amer, BMVC 2023: GOT-10k alone, the rate falls along a cosine."""
    optim = Optim(rate=4e-4, warmup=0, clip=0.1, mean=0.0, rates=slow_but("head.*", "correlation.*"))
    return published(name, usual(3.0, 0.25, shares=GOT10K), optim, epochs=100, batch=128)


ROWS: tuple[tuple[Callable[[str], Recipe], tuple[str, ...]], ...] = (
    (ostrack, ("ostrack-b256", "ostrack-b256-ce", "ostrack-b256-ce-got10k", "ostrack-b384", "ostrack-b384-ce", "ostrack-b384-ce-got10k")),
    (procontext, ("procontext-384", "procontext-384-got10k")),
    (zoomtrack, ("zoomtrack-b256", "zoomtrack-b256-got10k")),
    (vipt, ("vipt-deep-rgbt", "vipt-shallow-rgbt")),
    (grm, ("grm-b256", "grm-b256-got10k", "grm-l320")),
    (litetrack, ("litetrack-b4", "litetrack-b6", "litetrack-b8", "litetrack-b9", "litetrack-b8-got10k")),
    (small, ("efficienttrack-faf-c128-d3", "efficienttrack-fgaf-c256-d3", "efficienttrack-afln-c128-d3", "vittrack-nano")),
    (vittrack_center, ("vittrack-d12c256-conv2x2-center", "vittrack-d12c256-conv2x2-center-rgbt-stack")),
    (smat, ("smat",)),
    (mvt, ("mvt",)),
)
RECIPES: dict[str, Callable[[], Recipe]] = {name: partial(make, name) for make, names in ROWS for name in names}
