"""The recipe of the larger built-in tracker."""

from __future__ import annotations

from pathlib import Path

from sightline.train.recipe import Augment, Data, Optim, Rate, Recipe
from sightline.train.recipes.kestrel import OPEN, VALIDATION

__all__ = ["merlin"]


def merlin() -> Recipe:
    """The published FEAR-XS, and a part that learns to say whether its box is right. Nothing of FEAR-XS changes.

    Command   recipes/README.md (labelling of the clips, training, export)
    """
    return Recipe(
        name="merlin",
        start=Path("fear_xs_encoder.onnx"),
        objective="found",
        data=Data(shares=OPEN, center_jitter=2.5, template_jitter=0.1, stretch=0.15, absent=0.35),
        augment=Augment(light=0.5, blur=0.1, coarse=0.1, noise=0.05, jpeg=0.15, occluder=0.15, stranger=0.25),
        validation=VALIDATION,
        validation_pairs=320,
        optim=Optim(rate=2e-3, decay=1e-2, warmup=20, mean=0.95, rates=(Rate(pattern="presence.*"), Rate(pattern="*", factor=0.0))),
        precision="bfloat16",
        steps=160,
        save_every=80,
    )
