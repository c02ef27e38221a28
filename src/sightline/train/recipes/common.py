"""What published recipes share: data, disturbances, the schedule of the PyTracking family.

Numbers are those of the authors' papers and configurations. Where they name a batch for one GPU and not how many there were, eight are
taken. A recipe has the length of the original: `--steps` makes a trial of it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sightline.train.recipe import PLAIN, Augment, Data, Optim, Rate, Recipe, Share

__all__ = ["FOUR", "GOT10K", "USUAL", "published", "slow_but", "stage", "step_down", "steps_of", "usual"]

FOUR = tuple(Share(weight=1.0, sources=(source,)) for source in ("lasot", "got10k:vottrain", "coco", "trackingnet"))
GOT10K = (Share(weight=1.0, sources=("got10k",)),)
USUAL = Augment(
    **{field: getattr(PLAIN, field) for field in PLAIN.__slots__} | {"grey": 0.05, "flip": 0.5, "brightness": 0.2, "flip_each": 0.5}
)
SAVES = 50  # of a run


def usual(center: float, scale: float, *, gap: int = 200, shares: tuple[Share, ...] = FOUR) -> Data:
    """Template and a later search picture, the search box shaken."""
    return Data(shares=shares, draw="causal", center_jitter=center, scale_jitter=scale, gap=gap, shortest=20)


def steps_of(epochs: int, samples: int, batch: int) -> int:
    """Steps of a run of so many epochs with so many samples each."""
    return epochs * samples // batch


def step_down(rate: float, at: float, *rates: Rate, decay: float = 1e-4) -> Optim:
    """AdamW at one rate, a tenth of it after a share of the run; gradients clipped at 0.1; the last weights are kept."""
    return Optim(rate=rate, decay=decay, warmup=0, clip=0.1, mean=0.0, schedule="drops", drops=(at,), rates=rates)


def slow_but(*patterns: str, by: float = 0.1) -> tuple[Rate, ...]:
    """Everything at a part of the rate but what fits one of the patterns: a backbone that is only fine-tuned."""
    return (*(Rate(pattern=pattern) for pattern in patterns), Rate(pattern="*", factor=by))


def published(name: str, data: Data, optim: Optim, *, epochs: int, batch: int, samples: int = 60_000, **changes: object) -> Recipe:
    """A recipe by its epochs; batch norms learn, and pairs for validation are drawn as those that are learnt from."""
    steps = steps_of(epochs, samples, batch)
    data = replace(data, epoch=samples)
    recipe = Recipe(
        name=name,
        data=data,
        validation=replace(data, growth=None),
        optim=optim,
        steps=steps,
        batch=batch,
        augment=USUAL,
        norms="trained",
        save_every=max(1, steps // SAVES),
        workers=4,
    )
    return replace(recipe, **changes)  # type: ignore[arg-type]  # names of fields


def stage(before: str) -> Path:
    """The weights of the stage before, in this folder, where `--start` names no other."""
    return Path(f"{before}.safetensors")
