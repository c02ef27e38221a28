"""The recipe of the larger built-in tracker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sightline.train.recipe import Augment, Data, Loss, Optim, Rate, Recipe
from sightline.train.recipes.kestrel import OPEN, VALIDATION

__all__ = ["merlin", "merlin_whole"]


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
        workers=4,
    )


def merlin_whole() -> Recipe:
    """All of merlin, the trunk slowly: cells, and the box after the first look. Its mean with the start forgets little and knows more.

    Command   recipes/README.md; `merlin` again afterwards, since presence has to know the new features. Not what is shipped: recipes/LOG.md
    """
    first = merlin()
    return replace(
        first,
        start=Path("merlin.safetensors"),
        start_share=0.6,
        objective="looks",
        loss=Loss(overlap=0.5, giou=1.0),
        data=replace(first.data, absent=0.25),
        augment=replace(first.augment, blur=0.15, coarse=0.15, noise=0.03, occluder=0.2, stranger=0.3),
        validation_pairs=256,
        optim=Optim(rate=3e-4, decay=1e-3, rates=(Rate(pattern="trunk.*", factor=0.2), Rate(pattern="neck.*", factor=0.2))),
        batch=128,
        steps=1170,
        save_every=292,
    )
