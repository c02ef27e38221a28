"""`sightline train`: train a tracker, or pre-train its encoder, by one of the recipes."""

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
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR [DIR ...]")],
    output: Annotated[Path, tyro.conf.arg(metavar="DIR", aliases=["-o"])],
    start: Annotated[Path | None, optional("FILE")] = None,
    teacher: Annotated[Path | None, optional("FILE")] = None,
    steps: Annotated[int | None, optional("N")] = None,
) -> None:
    """Train a tracker, or pre-train its encoder (mtr, mae, ...), by one of the recipes; a run that was interrupted goes on where it was saved.

    Needs torch: pip install 'sightline[train]'.

    Example: sightline train kestrel-nano --data data --output runs/kestrel-nano

    Args:
        recipe: name of a recipe, which says everything that changes the result.
        data: folders, each with index.jsonl and its tar files.
        output: folder of the run: weights, log and what is needed to go on.
        start: weights to start from; the file that the recipe names, in this folder, where not given.
        teacher: weights of the network to learn from, for recipes that have one; likewise.
        steps: end after so many steps, for a trial; the recipe's own number where not given.
    """
    with needing("train", "training"):
        from sightline.train import PRETRAINING, RECIPES, fit, pretrain
    if recipe not in RECIPES and recipe not in PRETRAINING:
        raise SightlineError(f"there is no recipe called {recipe!r}; expected one of {', '.join(sorted({*RECIPES, *PRETRAINING}))}.")
    if steps is not None and steps < 1:
        raise SightlineError(f"--steps is {steps}; expected at least 1, or leave it out.")
    if recipe in PRETRAINING:
        if teacher is not None:
            raise SightlineError(f"the recipe {recipe} learns from no other network; leave --teacher out.")
        unlabelled = PRETRAINING[recipe]()
        weights = pretrain(replace(unlabelled, steps=steps or unlabelled.steps, start=start), data, output, report=_print_line)
        print(f"{weights}: `sightline train RECIPE --start {weights}` goes on from this encoder.")
        return
    chosen = RECIPES[recipe]()
    if steps is not None:
        chosen = replace(chosen, steps=steps)
    if start is not None:
        chosen = replace(chosen, start=start)
    if teacher is not None:
        if chosen.distil is None:
            raise SightlineError(f"the recipe {recipe} learns from no other network; leave --teacher out.")
        chosen = replace(chosen, distil=replace(chosen.distil, teacher=teacher))
    weights = fit(chosen, data, output, report=_print_line)
    print(f"{weights}: `sightline export {weights} --output W.onnx` makes the file to track with.")


def _print_line(figures: Mapping[str, float]) -> None:
    """One line of the log."""
    print("  ".join(f"{name} {value:.6g}" for name, value in figures.items()), flush=True)
