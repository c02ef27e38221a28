"""Recipes by kind of network: functions that return a whole `Recipe`, and the table of their names."""

from __future__ import annotations

from collections.abc import Callable

from sightline.train.recipe import Recipe
from sightline.train.recipes import clips, corners, kestrel, merlin, onestream, siamese

__all__ = ["RECIPES"]

RECIPES: dict[str, Callable[[], Recipe]] = {
    "kestrel-nano": kestrel.kestrel_nano,
    "merlin": merlin.merlin,
    "merlin-whole": merlin.merlin_whole,
    **onestream.RECIPES,
    **corners.RECIPES,
    **clips.RECIPES,
    **siamese.RECIPES,
}
