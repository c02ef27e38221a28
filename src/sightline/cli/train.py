"""`sightline train`: train a tracker by one of the recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from sightline.cli.arguments import optional
from sightline.cli.extras import needing
from sightline.errors import SightlineError

__all__ = ["train"]


def train(
    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")],
    /,
    *,
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    output: Annotated[Path, tyro.conf.arg(metavar="DIR", aliases=["-o"])],
    steps: Annotated[int | None, optional("N")] = None,
) -> None:
    """Train a tracker by one of the recipes; a run that was interrupted goes on where it was saved.

    Needs torch: pip install 'sightline[train]'.

    Example: sightline train kestrel-nano --data data --output runs/kestrel-nano

    Args:
        recipe: name of a recipe, which says everything that changes the result.
        data: folder with index.jsonl and its tar files.
        output: folder of the run: weights, log and what is needed to go on.
        steps: end after so many steps, for a trial; the recipe's own number where not given.
    """
    with needing("train", "training"):
        from sightline.train import RECIPES, fit
    if recipe not in RECIPES:
        raise SightlineError(f"there is no recipe called {recipe!r}; expected one of {', '.join(sorted(RECIPES))}.")
    if steps is not None and steps < 1:
        raise SightlineError(f"--steps is {steps}; expected at least 1, or leave it out.")
    chosen = RECIPES[recipe]()
    if steps is not None:
        chosen = replace(chosen, steps=steps)
    weights = fit(chosen, data, output, report=_print_line)
    print(f"{weights}: `sightline export {weights} --output W.onnx` makes the file to track with.")


def _print_line(figures: Mapping[str, float]) -> None:
    """One line of the log."""
    print("  ".join(f"{name} {value:.6g}" for name, value in figures.items()), flush=True)
