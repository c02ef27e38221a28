"""The training loop, of trackers and of what comes before them: read top to bottom.

    run(lesson, recipe, samples, out, problems)

A lesson says what is learnt (`tracker.py`, `pretrain/run.py`), `feed.py` makes the batches, `log.py` writes and tells; all else about a
run is here. It writes into `out`: `<name>.safetensors`, `log.jsonl` (losses and validations), `run.json` (recipe, versions, commit),
`samples.png` (crops that it learns from), `data-report.json` (what was left out) and `state.pt`, from which an interrupted run goes on as
if it had not been. Several processes, started by torchrun, share the samples of every step.
"""

from __future__ import annotations

import copy
import io
import platform
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple, Protocol, TypeAlias, TypedDict, Unpack

import torch
from torch import Tensor, nn

from sightline.errors import BadData
from sightline.train.data import Problems
from sightline.train.feed import Feed, one_line_where_a_reader_dies, one_thread_for_pictures
from sightline.train.folder import Report, describe, rewind
from sightline.train.guard import Trouble, in_gradients, in_modules, watching
from sightline.train.log import Log
from sightline.train.parallel import World, joined
from sightline.train.pretrain.recipe import AnyRecipe
from sightline.train.samples import Batch, SampleList
from sightline.train.schedules import make_optimiser, rate_at, set_rates
from sightline.train.show import Board
from sightline.weights import remove_parts, write_whole

__all__ = ["Lesson", "Seen", "Told", "Validation", "autocast", "run"]

LOG_EVERY = 50
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
Seen: TypeAlias = Callable[[int, int], None]


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """A context in which torch computes in the precision of a recipe."""
    return torch.autocast(device.type, DTYPES.get(precision), enabled=precision in DTYPES)


class Validation(NamedTuple):
    """What was found of a network on samples that it does not learn from.

    figures  for the log
    weights  the weights file
    more     further files of the run's folder, by name
    notes    what could not be read, by name, and why
    """

    figures: Mapping[str, float]
    weights: bytes
    more: Mapping[str, bytes] = {}
    notes: Sequence[tuple[str, str]] = ()


class Lesson(Protocol):
    """What a run learns."""

    network: nn.Module
    """On the run's device, in the mode in which it learns."""

    def losses(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Parts of the loss, weighted, and their sum `total`."""

    def validate(self, kept: nn.Module, seen: Seen) -> Validation:
        """Try a copy of the network, which may be changed, with the weights that are to be saved; in evaluation mode.

        `seen` is called with the number of samples that have been looked at, 0 first, and that of all.
        """


class Told(TypedDict, total=False):
    """Who is told of a run.

    report  called with every line of the log as it is written
    tick    called after every step with its number and that of all, and where a run goes on
    seen    called while it is validated: how many of the held-out samples are done, 0 first, and how many there are
    tell    called with what should be known: what is left out of the data, steps that are skipped
    board   write for TensorBoard as well
    """

    report: Report | None
    tick: Seen | None
    seen: Seen | None
    tell: Callable[[str], None] | None
    board: bool


def run(
    teach: Callable[[torch.device], Lesson], recipe: AnyRecipe, samples: SampleList, out: Path, problems: Problems, **told: Unpack[Told]
) -> Path:
    """Do a run, or go on with one that was interrupted.

    Args:
        teach: makes the lesson; the same one every time.
        recipe: how long, how quickly, how many samples at once.
        samples: what it learns from.
        out: folder of the run; made if need be.
        problems: of the data, so far; what cannot be read on the way is added.
        told: who is told.

    Returns:
        The weights file.

    Raises:
        BadData: an `out` that holds another recipe's run, or something that is not finite (`Guard`).
        SightlineError: a process that reads data has died.
    """
    torch.set_num_threads(recipe.threads)
    with joined() as world, one_thread_for_pictures():
        state = _Run(teach(world.device), recipe, out, world)
        if world.is_first:
            describe(out, recipe, {"machine": platform.processor() or platform.machine(), "device": world.device.type})
        state.resume()
        if world.is_first:
            if state.step:
                problems.recall(out)
            problems.write(out)
        board = Board(out, state.step) if told.get("board") and world.is_first else None
        log = Log(out if world.is_first else None, told.get("report"), told.get("tell"), board, state.noted)
        with closing(log):
            _take_steps(state, samples, problems, log, told)
    return state.weights


def _take_steps(state: _Run, samples: SampleList, problems: Problems, log: Log, told: Told) -> None:
    """All steps that are left, with a validation of what was learnt now and then."""
    recipe, world = state.recipe, state.world
    for line in problems.lines():
        log.tell(line)
    if recipe.precision == "float16" and world.device.type == "cpu":
        log.tell("most processors compute float16 many times as slowly as float32; --precision float32 or bfloat16 may be quicker here")
    tick, seen = told.get("tick") or _nobody, told.get("seen") or _nobody
    if state.step:
        tick(state.step, recipe.steps)
    if world.is_first and state.step == recipe.steps and not state.weights.is_file():  # it was done, and somebody has moved its weights
        _validate(state, log, problems, seen)
    with one_line_where_a_reader_dies(), closing(Feed(samples, recipe, world, state.step, problems, log)) as batches:
        while state.step < recipe.steps:
            figures = state.learn(batches, log)
            tick(state.step, recipe.steps)
            if figures and (state.step % LOG_EVERY == 0 or state.step in (1, recipe.steps)):
                log.write({"step": state.step, **figures, **batches.pace(), "rate": rate_at(recipe.optim, state.step, recipe.steps)})
            if state.step % recipe.save_every == 0 or state.step == recipe.steps:
                for others in world.gathered(problems.bad):
                    log.note(list(others.items()), problems)
                if world.is_first:
                    _validate(state, log, problems, seen)


def _nobody(_done: int, _all: int) -> None:
    """Who is told where nobody asks."""


def _validate(state: _Run, log: Log, problems: Problems, seen: Seen) -> None:
    """Validate what was learnt, and save it."""
    found = state.lesson.validate(copy.deepcopy(state.mean).eval(), seen)
    log.write({"step": state.step, **found.figures})
    log.note(found.notes, problems)
    problems.write(state.out)  # before what a run goes on from
    state.save(found)


class _Run:
    """What changes during a run, and its files."""

    def __init__(self, lesson: Lesson, recipe: AnyRecipe, out: Path, world: World) -> None:
        self.lesson, self.recipe, self.out, self.world = lesson, recipe, out, world
        self.weights = out / f"{recipe.name}.safetensors"
        self.step = self.skipped = 0
        self.noted: set[str] = set()
        self.network = lesson.network
        self.mean = copy.deepcopy(self.network)
        self.optimiser = make_optimiser(self.network, recipe.optim)
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=recipe.precision == "float16")

    def learn(self, batches: Iterator[Batch], log: Log) -> dict[str, float]:
        """One step down the gradient of the passes' samples; the running mean follows. The losses; none where the step was skipped."""
        recipe = self.recipe
        set_rates(self.optimiser, recipe.optim, self.step, recipe.steps)
        self.optimiser.zero_grad(set_to_none=True)
        figures: dict[str, Tensor] = {}
        names: list[str] = []
        trouble: Trouble | None = None
        for i in range(recipe.passes):
            batch = next(batches)
            names += batch.names
            torch.manual_seed((recipe.seed * recipe.steps + self.step) * recipe.passes + i)
            with watching(self.network, active=recipe.guard.activations) as all_finite:
                losses = self.lesson.losses(batch, self.step)
            if not self.world.agreed(bool(losses["total"].isfinite()) and all_finite()):
                trouble = trouble or in_modules(self.network, lambda batch=batch: self.lesson.losses(batch, self.step), batch.names)  # type: ignore[misc]  # a default binds the loop's
                trouble = trouble or Trouble("loss", "", tuple(batch.names))
                continue
            self.scaler.scale(losses["total"] / recipe.passes).backward()  # type: ignore[no-untyped-call]  # torch
            figures = {name: figures.get(name, 0.0) + value.detach() / recipe.passes for name, value in losses.items()}
        trouble = trouble or self._descend(names)
        self.step += 1
        if trouble is not None:
            self._skip(trouble, log)
            return {}
        self.skipped = 0
        return dict(zip(figures, self.world.mean(figures.values()), strict=True))

    def _descend(self, names: Sequence[str]) -> Trouble | None:
        """Go down the gradients; nothing changes where one is not finite."""
        self.world.average_(self.network)
        self.scaler.unscale_(self.optimiser)
        learning = [value for value in self.network.parameters() if value.grad is not None]
        trouble = None
        if not nn.utils.clip_grad_norm_(learning, self.recipe.optim.clip).isfinite():
            trouble = in_gradients(self.network, names) or Trouble("gradient", "", tuple(names))
        else:
            self.scaler.step(self.optimiser)
            self._follow()
        self.scaler.update()
        return trouble

    def _follow(self) -> None:
        """The running mean after a step."""
        keep = min(self.recipe.optim.mean, (self.step + 1) / (self.step + 11))  # young means forget quickly
        with torch.no_grad():
            for average, value in zip(self.mean.parameters(), self.network.parameters(), strict=True):
                average.lerp_(value, 1 - keep)
            for statistic, now in zip(self.mean.buffers(), self.network.buffers(), strict=True):
                statistic.copy_(now)

    def _skip(self, trouble: Trouble, log: Log) -> None:
        """A step that changed nothing: reported, and too many of them are an error. Half precision finds its scale by such steps."""
        if trouble.what == "gradient" and self.scaler.is_enabled() and self.scaler.get_scale() >= 1:
            log.write({"step": self.step, "scale": self.scaler.get_scale()})
            return
        self.skipped += 1
        told = f"step {self.step}: {trouble}"
        if self.recipe.guard.then == "stop" or self.skipped > self.recipe.guard.most:
            raise BadData(f"{told}; lower the rate, use bfloat16 or float32, or let the guard skip such steps. The last save is kept.")
        log.tell(told)

    def save(self, found: Validation) -> None:
        """Write the weights, what goes with them, and the state to go on from: all of them or none."""
        state = io.BytesIO()
        content = {name: getattr(self, name).state_dict() for name in ("network", "mean", "optimiser", "scaler")}
        torch.save({"step": self.step, "skipped": self.skipped, **content}, state)
        more = {self.out / name: content for name, content in found.more.items()}
        write_whole({self.weights: found.weights, **more, self.out / "state.pt": state.getvalue()})

    def resume(self) -> None:
        """Go on where the folder's last save ends, if there is one; what was logged after it is forgotten."""
        if (self.out / "state.pt").is_file():
            state = self._saved()
            self.step, self.skipped = state["step"], state.get("skipped", 0)
            for name in ("network", "mean", "optimiser", "scaler"):
                getattr(self, name).load_state_dict(state.get(name, {}))
        if self.world.is_first:
            remove_parts(self.out)
            self.noted = rewind(self.out, self.step)

    def _saved(self) -> dict[str, Any]:
        path = self.out / "state.pt"
        wrong = f"{path} is damaged; remove it to begin the run again, or choose another --output."
        if not zipfile.is_zipfile(path):
            raise BadData(wrong)
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.world.device, weights_only=True)
        except (RuntimeError, EOFError, UnpicklingError) as error:
            raise BadData(wrong) from error
        return state
