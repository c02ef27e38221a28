"""The training loop: one file, read top to bottom.

    fit(recipe, data, out)

writes into `out`: `<name>.safetensors` (with the spec inside), `log.jsonl` (losses and validations), `run.json` (recipe, versions,
commit), `samples.png` (crops that it learns from), `data-report.json` (what was left out) and `state.pt`, from which an interrupted run
goes on as if it had not been. Several processes, started by torchrun, share the samples of every step.
"""

from __future__ import annotations

import copy
import io
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sightline import models, zoo
from sightline.errors import BadData, BadSpec
from sightline.models.checkpoint import packed_weights
from sightline.spec import Spec
from sightline.train.data import OnBad, Problems, Split, open_data
from sightline.train.distil import Teacher, distil_parts, open_teacher, own_parts
from sightline.train.folder import Report, append, describe, rewind
from sightline.train.forward import Answer, answer
from sightline.train.guard import Trouble, in_gradients, in_modules, watching
from sightline.train.objectives import OBJECTIVES, Heard, weighted
from sightline.train.pairs import Pairs, read_tracks
from sightline.train.parallel import World, joined
from sightline.train.recipe import Augment, Recipe
from sightline.train.samples import Batch, PairSamples, Samples, collate
from sightline.train.schedules import keep_at, make_optimiser, rate_at, set_rates
from sightline.train.show import Board, write_samples
from sightline.train.start import take_over_
from sightline.train.validate import answers
from sightline.weights import write_whole

__all__ = ["Report", "fit", "held_out_pairs", "network_of", "samples_for"]

LOG_EVERY = 50
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def fit(
    recipe: Recipe,
    data: Path | Sequence[Path],
    out: Path,
    *,
    report: Report | None = None,
    on_bad: OnBad = "skip",
    tick: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
    board: bool = False,
) -> Path:
    """Train a network, or go on with a run that was interrupted.

    Args:
        recipe: what to do.
        data: a folder of data, or several (`sightline.train.data.open_data`).
        out: folder of the run; made if need be.
        report: called with every line of the log as it is written.
        on_bad: "skip": data that cannot be read is left out and reported; "stop": it is an error.
        tick: called after every step with its number and that of all.
        tell: called with what should be known: what is left out of the data, steps that are skipped.
        board: write for TensorBoard as well.

    Returns:
        The weights file.

    Raises:
        BadData: the data, an `out` that holds another recipe's run, or something that is not finite (`Guard`).
        WeightsMissing, WeightsMismatch, BadSpec: start or teacher cannot be used, or a recipe that makes no sense.
    """
    torch.set_num_threads(recipe.threads)
    spec, folders, problems = recipe.network or zoo.find(recipe.name), [data] if isinstance(data, Path) else list(data), Problems(on_bad)
    if recipe.objective not in OBJECTIVES:
        raise BadSpec(f"there is no objective called {recipe.objective!r}; expected one of {', '.join(OBJECTIVES)}.")
    samples, held_out = (samples_for(recipe, spec, folders, split, problems) for split in ("train", "val"))
    with joined() as world:
        run = _Run(recipe, spec, out, world)
        if world.is_first:
            describe(out, recipe, {"machine": platform.processor() or platform.machine(), "device": world.device.type})
            problems.write(out)
        run.resume()
        log = _Log(out if world.is_first else None, report, tell, Board(out) if board and world.is_first else None)
        for line in problems.lines():
            log.tell(line)
        batches = _Feed(samples, recipe, run, problems, log)
        while run.step < recipe.steps:
            figures = run.learn(batches)
            if figures and (run.step % LOG_EVERY == 0 or run.step == recipe.steps):
                log.write({"step": run.step, **figures, **batches.pace(), "rate": rate_at(recipe.optim, run.step, recipe.steps)})
            if world.is_first and (run.step % recipe.save_every == 0 or run.step == recipe.steps):
                kept = run.kept()
                log.write({"step": run.step, **answers(kept, held_out, spec).figures()})
                run.save(kept)
                problems.write(out)
            if tick is not None:
                tick(run.step, recipe.steps)
        log.close()
    return run.weights


class _Run:
    """What changes during a run, and its files."""

    def __init__(self, recipe: Recipe, spec: Spec, out: Path, world: World) -> None:
        self.recipe, self.spec, self.out, self.world = recipe, spec, out, world
        self.weights = out / f"{recipe.name}.safetensors"
        self.step = self.skipped = 0
        self.objective = OBJECTIVES[recipe.objective]
        torch.manual_seed(recipe.seed)
        self.network = network_of(spec)
        if recipe.start is not None:
            take_over_(self.network, recipe.start)
        self.network.to(world.device).train()
        if recipe.norms == "kept":
            _still_norms(self.network)
        self.mean = copy.deepcopy(self.network)
        self.origin = copy.deepcopy(self.network) if recipe.start_share else None
        self.optimiser = make_optimiser(self.network, recipe.optim)
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=recipe.precision == "float16")
        self.teacher: Teacher | None = None if recipe.distil is None else open_teacher(recipe.distil, spec, world.device)

    def learn(self, batches: _Feed) -> dict[str, float]:
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
                losses = self._losses(batch)
            if not self.world.agreed(bool(losses["total"].isfinite()) and all_finite()):
                trouble = trouble or in_modules(self.network, lambda batch=batch: self._losses(batch), batch.names)  # type: ignore[misc]  # a default binds the loop's
                trouble = trouble or Trouble("loss", "", tuple(batch.names))
                continue
            self.scaler.scale(losses["total"] / recipe.passes).backward()  # type: ignore[no-untyped-call]  # torch
            figures = {name: figures.get(name, 0.0) + value.detach() / recipe.passes for name, value in losses.items()}
        trouble = trouble or self._descend(names)
        self.step += 1
        if trouble is not None:
            self._skip(trouble, batches.log)
            return {}
        self.skipped = 0
        return dict(zip(figures, self.world.mean(figures.values()), strict=True))

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        """All parts of the loss, weighted, and their `total`, over all search crops."""
        recipe = self.recipe
        arrays = {name: value.to(self.world.device, non_blocking=True) for name, value in batch.arrays.items()}
        listen = (*self.objective.listen, *(own_parts(recipe.distil) if recipe.distil else ()))
        keep = keep_at(recipe.keep, self.step, recipe.steps)
        with torch.autocast(self.world.device.type, DTYPES.get(recipe.precision), enabled=recipe.precision in DTYPES):
            said = answer(self.network, self.spec, arrays, tuple(dict.fromkeys(listen)), keep)
        taught = self.teacher.answers(arrays) if self.teacher is not None else [None] * len(said)
        parts: dict[str, Tensor] = {}
        for place, (own, theirs) in enumerate(zip(said, taught, strict=True)):
            for name, value in self._parts(own, theirs, arrays, place).items():
                parts[name] = parts[name] + value if name in parts else value
        return {"total": torch.stack(list(parts.values())).sum(), **parts}

    def _parts(self, own: Answer, theirs: Answer | None, arrays: dict[str, Tensor], place: int) -> dict[str, Tensor]:
        """The weighted parts of one search crop."""
        recipe = self.recipe
        given = {name: value[:, place] for name, value in arrays.items() if not name.startswith(("template", "target"))}
        box, present = given["box"], given["present"]
        parts = self.objective.parts(Heard(self.network, self.spec, own.said, own.heard, box, present > 0, given))
        weights = {name: float(getattr(recipe.loss, name)) for name in parts}
        taught = distil_parts(own, theirs, box, present, recipe.distil) if theirs is not None and recipe.distil is not None else {}
        return weighted(parts, weights) | taught

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

    def _skip(self, trouble: Trouble, log: _Log) -> None:
        """A step that changed nothing: reported, and too many of them are an error. Half precision finds its scale by such steps."""
        if trouble.what == "gradient" and self.scaler.is_enabled() and self.scaler.get_scale() >= 1:
            log.write({"step": self.step, "scale": self.scaler.get_scale()})
            return
        self.skipped += 1
        told = f"step {self.step}: {trouble}"
        if self.recipe.guard.then == "stop" or self.skipped > self.recipe.guard.most:
            raise BadData(f"{told}; lower the rate, use bfloat16 or float32, or let the guard skip such steps. The last save is kept.")
        log.tell(told)

    def kept(self) -> nn.Module:
        """What is saved: the running mean of the weights, drawn towards those that the run started from.

        A mean of a pre-trained and a fine-tuned network is often better than both, away from the data of the fine-tuning.
        Wortsman et al., CVPR 2022, arXiv:2109.01903.
        """
        kept = copy.deepcopy(self.mean)
        if self.origin is not None:
            with torch.no_grad():
                for value, first in zip(kept.parameters(), self.origin.parameters(), strict=True):
                    value.lerp_(first, self.recipe.start_share)
        return kept.eval()

    def save(self, kept: nn.Module) -> None:
        """Write the weights and the state to go on from: both or none."""
        state = io.BytesIO()
        content = {name: getattr(self, name).state_dict() for name in ("network", "mean", "optimiser", "scaler")}
        torch.save({"step": self.step, "skipped": self.skipped, **content}, state)
        write_whole({self.weights: packed_weights(kept, self.spec), self.out / "state.pt": state.getvalue()})

    def resume(self) -> None:
        """Go on where the folder's last save ends, if there is one; what was logged after it is forgotten."""
        if (self.out / "state.pt").is_file():
            state = torch.load(self.out / "state.pt", map_location=self.world.device, weights_only=True)
            self.step, self.skipped = state["step"], state.get("skipped", 0)
            for name in ("network", "mean", "optimiser", "scaler"):
                getattr(self, name).load_state_dict(state.get(name, {}))
        if self.world.is_first:
            rewind(self.out, self.step)


def network_of(spec: Spec) -> nn.Module:
    """An untrained network of a spec, as it is trained: with one scale of the search crop instead of several. Its tensors are the same."""
    if len(spec.search.scales) > 1 and hasattr(spec.arch, "scales"):
        spec = replace(spec, arch=replace(spec.arch, scales=(1.0,)))
    network = models.build(spec)
    if not hasattr(network, "step"):
        raise BadSpec(f"{spec.name} cannot be trained: its network only describes crops, and filters are learned while tracking.")
    return network


def _still_norms(network: nn.Module) -> None:
    """Batch norms use the statistics that they have, and keep them."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


class _Feed(Iterator[Batch]):
    """This process's batches, from a step on; how long they are waited for; what could not be read goes into the report."""

    def __init__(self, samples: Samples | PairSamples, recipe: Recipe, run: _Run, problems: Problems, log: _Log) -> None:
        self.recipe, self.problems, self.log, self.world = recipe, problems, log, run.world
        self.size = run.world.share(recipe.batch, recipe.passes)
        loader: DataLoader[Any] = DataLoader(
            samples,  # type: ignore[arg-type]  # has what a Dataset has
            batch_size=self.size,
            sampler=_Order(self, run.step),
            num_workers=recipe.workers,
            prefetch_factor=4 if recipe.workers else None,
            collate_fn=collate,
            pin_memory=run.world.device.type == "cuda",
        )
        self.loader, self.waited, self.is_first = loader, 0.0, True
        self.batches: Iterator[Batch] = iter(())  # workers begin with the first batch: a run that is done needs none
        self.began = self.counted = time.perf_counter()

    def __next__(self) -> Batch:
        asked = time.perf_counter()
        if self.is_first:
            self.batches = iter(self.loader)
        batch = next(self.batches)
        self.waited += time.perf_counter() - asked
        for name, why in batch.notes:
            if name not in self.problems.bad:
                self.log.tell(f"skipped {name}: {why}")
            self.problems.add(name, why)
        if self.is_first:
            self.log.samples(batch)
            self.is_first, self.waited, self.counted = False, 0.0, time.perf_counter()  # until now workers were starting
        return batch

    def pace(self) -> dict[str, float]:
        """Seconds since the start of this process, and the share of those since its first batch in which there was no data."""
        now = time.perf_counter()
        return {"seconds": now - self.began, "waiting": self.waited / max(now - self.counted, 1e-9)}


@dataclass(frozen=True, slots=True)
class _Order:
    """Numbers of the samples of one process: sample i belongs to step i // batch, whoever runs it and whenever it was interrupted."""

    feed: _Feed
    first: int

    def __iter__(self) -> Iterator[int]:
        recipe, size, world = self.feed.recipe, self.feed.size, self.feed.world
        for step in range(self.first, recipe.steps):
            for part in range(recipe.passes):
                start = step * recipe.batch + (part * world.size + world.rank) * size
                yield from (i % recipe.overfit if recipe.overfit else i for i in range(start, start + size))

    def __len__(self) -> int:
        recipe = self.feed.recipe
        return (recipe.steps - self.first) * recipe.passes * self.feed.size


@dataclass(frozen=True, slots=True)
class _Log:
    """Where the first process writes; the others have no folder, and write nothing."""

    out: Path | None
    report: Report | None
    teller: Callable[[str], None] | None
    board: Board | None

    def write(self, line: dict[str, float]) -> None:
        if self.out is not None:
            append(self.out, line, self.report)
            if self.board is not None:
                self.board.figures(line)

    def tell(self, text: str) -> None:
        if self.out is not None:
            with (self.out / "notes.txt").open("a", encoding="utf-8") as file:
                file.write(text + "\n")
            if self.teller is not None:
                self.teller(text)

    def samples(self, batch: Batch) -> None:
        if self.out is not None:
            write_samples(self.out, batch.arrays)
            if self.board is not None:
                self.board.samples(batch.arrays, 0)

    def close(self) -> None:
        if self.board is not None:
            self.board.close()


def samples_for(recipe: Recipe, spec: Spec, folders: Sequence[Path], split: Split, problems: Problems) -> Samples | PairSamples:
    """The samples to learn from; or those to watch: fixed, of the validation split, mildly disturbed where the recipe's are pairs."""
    is_train = split == "train"
    data = recipe.data if is_train else recipe.validation
    seed, count = (recipe.seed, recipe.steps * recipe.batch) if is_train else (1, recipe.validation_pairs)
    opened = open_data(folders, data.shares, split, problems)
    data = replace(data, shares=opened.shares)
    if data.draw == "any":
        chances = recipe.augment if is_train else Augment(occluder=0.05)
        return PairSamples(Pairs(opened.tracks, data, chances, template=spec.template, search=spec.search, seed=seed, count=count))
    return Samples(opened.tracks, data, recipe.augment if is_train else None, spec, seed=seed, count=count, on_bad=problems.on_bad)


def held_out_pairs(recipe: Recipe, spec: Spec, folders: Sequence[Path]) -> Pairs:
    """The pairs that a recipe of pairs watches, of folders with an index."""
    tracks = [track for folder in folders for track in read_tracks(folder, "val")]
    return Pairs(
        tracks, recipe.validation, Augment(occluder=0.05), template=spec.template, search=spec.search, seed=1, count=recipe.validation_pairs
    )
