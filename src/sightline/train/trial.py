"""A run cut short: does everything work, and what little is learnt by then?"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from sightline.train.pretrain.recipe import Pretraining
from sightline.train.recipe import Recipe

__all__ = ["cut_short"]

Chosen = TypeVar("Chosen", Recipe, Pretraining)


def cut_short(recipe: Chosen, steps: int, save_every: int) -> Chosen:
    """The recipe with fewer steps, looked at after every so many of them.

    It never looks at more held-out pairs than it has learnt from meanwhile: that would take longer than the learning.
    """
    learnt = min(save_every, steps) * recipe.batch
    return replace(recipe, steps=steps, save_every=save_every, validation_pairs=min(recipe.validation_pairs, learnt))
