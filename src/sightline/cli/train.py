"""`sightline train`: train a tracker, or pre-train its encoder, by one of the recipes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import tyro

from sightline.cli.arguments import Flag, optional
from sightline.cli.extras import needing
from sightline.cli.interrupt import Interrupts
from sightline.cli.progress import progress_bar
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from rich.progress import Progress

    from sightline.train import Pretraining, Recipe

__all__ = ["train"]

Chosen = TypeVar("Chosen", "Recipe", "Pretraining")
LOOKS, LEAST = 10, 50  # looks at held-out pairs in a run of so many `--steps`, and steps between two of them


def train(
    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")],
    /,
    *,
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR [DIR ...]")],
    output: Annotated[Path, tyro.conf.arg(metavar="DIR", aliases=["-o"])],
    start: Annotated[Path | None, optional("FILE")] = None,
    teacher: Annotated[Path | None, optional("FILE")] = None,
    steps: Annotated[int | None, optional("N")] = None,
    batch: Annotated[int | None, optional("N")] = None,
    passes: Annotated[int | None, optional("N")] = None,
    save_every: Annotated[int | None, optional("N")] = None,
    seed: Annotated[int | None, optional("N")] = None,
    precision: Annotated[Literal["float32", "bfloat16", "float16"] | None, optional("KIND")] = None,
    guard: Annotated[Literal["skip", "stop"] | None, optional("skip|stop")] = None,
    freeze: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATTERN [PATTERN ...]")] = (),
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATTERN [PATTERN ...]")] = (),
    overfit: Annotated[int | None, optional("N")] = None,
    workers: Annotated[int | None, optional("N")] = None,
    threads: Annotated[int | None, optional("N")] = None,
    on_bad: Literal["skip", "stop"] = "skip",
    tensorboard: Flag = False,
) -> None:
    """Train a tracker, or pre-train its encoder (mtr, mae, ...), by one of the recipes; a run that was interrupted goes on where it was saved.

    Recipes are named as trackers of `sightline zoo`. Needs torch: pip install 'sightline[train]'. Several GPUs or machines: torchrun ... -m sightline train ...

    Example: sightline train kestrel-nano --data data --output runs/kestrel-nano

    Args:
        recipe: name of a recipe, which says everything that changes the result.
        data: folders: with index.jsonl, with public data sets (lasot/, got10k/, ...), or with sequences of one's own (NAME/img/*.jpg, NAME/groundtruth.txt);
            of video files without labels, for pre-training.
        output: folder of the run: weights, log and what is needed to go on.
        start: weights to start from; the file that the recipe names, in this folder, where not given.
        teacher: weights of a network to learn from, or an ONNX file; what the recipe says of it, or its boxes where it says nothing.
        steps: end after so many steps, for a trial; the recipe's own number where not given. Then at least ten times on the way, but after no fewer than
            fifty steps, it looks at held-out pairs, never at more of them than it has learnt from meanwhile (`pairs` in the log), and saves.
        batch: samples of a step; the rate is not changed with it.
        passes: in which the samples of a step go through the network, to save memory.
        save_every: steps between two looks at held-out pairs, each followed by a save.
        seed: of all that is drawn.
        precision: of the network's numbers.
        guard: what happens when something is not finite: leave the step out, or stop.
        freeze: names of parameters that do not learn, such as "backbone.*".
        only: names of the only parameters that learn, such as "head.*".
        overfit: learn from the first N samples only, to see that it can.
        workers: processes that read data; the result does not depend on it.
        threads: of the processor, for the network.
        on_bad: what happens with data that cannot be read: leave it out and report it, or stop.
        tensorboard: write for TensorBoard as well, in the folder `board` of the output.
    """
    with needing("train", "training"):
        from sightline.train import PRETRAINING, RECIPES, fit, pretrain
    if recipe not in RECIPES and recipe not in PRETRAINING:
        raise SightlineError(_unknown(recipe, sorted({*RECIPES, *PRETRAINING})))
    numbers = {
        "steps": steps,
        "batch": batch,
        "passes": passes,
        "overfit": overfit,
        "threads": threads,
        "seed": seed,
        "workers": workers,
        "save_every": save_every,
    }
    for name, value in numbers.items():
        least = 0 if name in ("seed", "workers") else 1
        if value is not None and value < least:
            raise SightlineError(f"--{name.replace('_', '-')} is {value}; expected at least {least}, or leave it out.")
    if recipe in PRETRAINING and teacher is not None:
        raise SightlineError(f"the recipe {recipe} is a pre-training and takes no --teacher; leave --teacher out.")
    asked = {**numbers, "start": start, "precision": precision}
    changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    with Interrupts(), progress_bar("steps/s") as bar:
        screen = _Screen(bar, recipe, "what it draws" if recipe in PRETRAINING else "where it finds the target")
        shown = {"report": _print_line, "tick": screen.tick, "seen": screen.seen, "tell": screen.tell}
        told: dict[str, Any] = {**shown, "on_bad": on_bad, "board": tensorboard}
        if recipe in PRETRAINING:
            weights = pretrain(_changed(PRETRAINING[recipe](), changes, guard, freeze, only), data, output, **told)
        else:
            chosen = _changed(RECIPES[recipe](), changes, guard, freeze, only)
            weights = fit(_with_teacher(chosen, teacher), data, output, **told)
    if recipe in PRETRAINING:
        print(f"{weights}: `sightline train RECIPE --start {weights}` goes on from this encoder.")
    else:
        print(f"{weights}: `sightline export {weights} --output W.onnx` makes the file to track with.")


class _Screen:
    """What a run shows on standard error: lines, and where that is a terminal two bars, one of the steps and one while it is looked at.

    Args:
        bar: what shows them.
        title: of the run.
        question: what is looked at, in words.
    """

    def __init__(self, bar: Progress, title: str, question: str) -> None:
        self._bar, self._question, self._step = bar, question, 0
        self._steps = bar.add_task(title, total=None)
        self._pairs = bar.add_task("held-out pairs", total=None, visible=False, unit="pairs/s")

    def tick(self, step: int, num: int) -> None:
        """A step is done, or this is where a run goes on."""
        if step > 1 and not self._step:
            self._bar.reset(self._steps)  # others took the time until there
        self._step = step
        self._bar.update(self._steps, completed=step, total=num)

    def seen(self, done: int, num: int) -> None:
        """So many held-out pairs are; before the first a line says what is done, since it may take minutes."""
        if not done:
            self.tell(f"step {self._step}: looking at {self._question} in {num} held-out pairs")
            self._bar.reset(self._pairs, total=num)
        self._bar.update(self._pairs, completed=done, visible=done < num)

    def tell(self, text: str) -> None:
        """A line."""
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)  # names of files may look like markup


def _unknown(recipe: str, names: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(recipe, names, n=4)
    hint = f"perhaps you meant {' or '.join(close)}" if close else f"there are {', '.join(names)}"
    return f"there is no recipe called {recipe!r}: {hint}."


def _with_teacher(chosen: Recipe, teacher: Path | None) -> Recipe:
    from sightline.train.recipe import Distil

    if teacher is None:
        return chosen
    return replace(
        chosen, distil=replace(chosen.distil, teacher=teacher) if chosen.distil is not None else Distil(teacher=teacher, box=5.0)
    )


def _changed(
    chosen: Chosen, changes: dict[str, Any], guard: Literal["skip", "stop"] | None, freeze: tuple[str, ...], only: tuple[str, ...]
) -> Chosen:
    """A recipe with what the user wants otherwise."""
    from sightline.train.recipe import Rate
    from sightline.train.trial import cut_short

    rates: list[Any] = [Rate(pattern=pattern, factor=0.0) for pattern in freeze] + [Rate(pattern=pattern) for pattern in only]
    if only:
        rates.append(Rate(pattern="*", factor=0.0))
    optim = replace(chosen.optim, rates=(*rates, *chosen.optim.rates))
    changed = replace(chosen, optim=optim, guard=replace(chosen.guard, then=guard or chosen.guard.then), **changes)
    if "steps" not in changes:
        return changed
    every = changed.save_every if "save_every" in changes else min(changed.save_every, max(LEAST, math.ceil(changed.steps / LOOKS)))
    return cut_short(changed, changed.steps, every)


def _print_line(figures: Mapping[str, float]) -> None:
    """One line of the log."""
    print("  ".join(f"{name} {value:.6g}" for name, value in figures.items()), flush=True)
