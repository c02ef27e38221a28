"""How quickly samples are made, how quickly a network learns from them, how long it waits, and how much memory all that takes.

    python benchmarks/loading.py DATA [--recipes NAME ...] [--output FILE.json]

DATA is what `sightline train --data` takes. Needs less than five minutes, and a machine that does nothing else. Three tables, for each recipe:

- what a sample costs one process that reads, by stage;
- samples per second of one and of two such processes with nobody to wait for;
- steps per second of the network alone, its samples in memory, and of the whole loop with 0, 1 and 2 workers; the share of the time in which the
  loop has no samples to learn from; the most memory that the trainer had, and its workers, and how much of a worker's is not shared.

Every measurement of the loop is a process of its own, and rounds take turns, so that other load falls on all rows; medians are told. The network
has one thread, and so has every worker. A GPU is used where torch finds one. Batches are smaller than the recipes' (`TRIALS`): with as many
samples in a step as a recipe has, memory grows and the shares stay.
"""

from __future__ import annotations

import json
import multiprocessing
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import cv2
import torch
import tyro
from torch.utils.data import DataLoader

from sightline import __version__, zoo
from sightline.engines.cores import num_cores
from sightline.measure.sensors import resident_mb
from sightline.region import BentRegion, Region
from sightline.train import PRETRAINING, RECIPES, Pretraining, Recipe, augment, fit, pretrain
from sightline.train import tracker as of_trackers
from sightline.train.data import Problems, Shot, Stored
from sightline.train.pretrain import run as of_encoders
from sightline.train.samples import Handed, Sample, SampleList, collate

TRIALS = {"kestrel-nano": (8, 12), "merlin": (8, 10), "merlin-whole": (8, 6), "mtr-nano": (8, 12), "ostrack-b256": (1, 4)}  # batch, steps
STAGES: Mapping[str, Sequence[tuple[object, str]]] = {
    "read and decode": ((Stored, "read"), (Shot, "read"), (Shot, "read_second")),
    "crop": ((Region, "take"), (BentRegion, "take"), (Region, "padding"), (BentRegion, "padding")),
    "augment": tuple((augment, name) for name in ("disturb", "grey", "brighter", "cover", "paste", "moved", "mirrored")),
}
REST = "draws, boxes"
STACKED = "stacked"


@dataclass(frozen=True)
class Trial:
    """One run: a recipe's name, how many samples and steps, and how many workers; None: samples are in memory."""

    recipe: str
    batch: int
    steps: int
    workers: int | None
    data: Path


class Kept:
    """The first samples of a list, made once, over and over."""

    def __init__(self, samples: SampleList, num: int) -> None:
        self.samples = [samples[i] for i in range(num)]
        self.num = len(samples)

    def __len__(self) -> int:
        return self.num

    def __getitem__(self, i: int) -> Sample:
        return self.samples[i % len(self.samples)]


def recipe_of(trial: Trial) -> Recipe | Pretraining:
    """The recipe of a trial, without files that not everybody has."""
    asked: dict[str, Any] = {
        "batch": trial.batch, "passes": 1, "steps": trial.steps, "save_every": trial.steps, "workers": trial.workers or 0, "start": None,
        "validation_pairs": 8,
    }  # fmt: skip
    if trial.recipe in PRETRAINING:
        return replace(PRETRAINING[trial.recipe](), **asked)
    return replace(RECIPES[trial.recipe](), **asked, distil=None, start_share=0.0)


def samples_of(recipe: Recipe | Pretraining, data: Path) -> SampleList:
    """What a recipe learns from."""
    if isinstance(recipe, Pretraining):
        return of_encoders.samples_for(recipe, [data], "train", Problems())
    return of_trackers.samples_for(recipe, zoo.find(recipe.name), [data], "train", Problems())


@contextmanager
def timed(stages: Mapping[str, Sequence[tuple[object, str]]]) -> Iterator[dict[str, float]]:
    """Seconds that are spent in some functions while the context lasts, by stage; one that calls another does not count that one's."""
    spent = dict.fromkeys(stages, 0.0)
    inner: list[float] = []

    def watched(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            inner.append(0.0)
            began = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                taken = time.perf_counter() - began
                spent[stage] += taken - inner.pop()
                if inner:
                    inner[-1] += taken

        return call

    with ExitStack() as stack:
        for stage, functions in stages.items():
            for owner, name in functions:
                stack.enter_context(mock.patch.object(owner, name, watched(getattr(owner, name), stage)))
        yield spent


def stage_costs(samples: SampleList, num: int) -> dict[str, float]:
    """Milliseconds of a sample, by stage."""
    for i in range(8):
        samples[i]
    with timed(STAGES) as spent:
        began = time.perf_counter()
        made = [samples[i] for i in range(num)]
        whole = time.perf_counter() - began
    began = time.perf_counter()
    for start in range(0, num, 8):
        collate(made[start : start + 8])
    stacked = time.perf_counter() - began
    costs = {**spent, REST: whole - sum(spent.values()), STACKED: stacked}
    return {stage: seconds / num * 1e3 for stage, seconds in costs.items()}


def pace(samples: SampleList, workers: int, num: int) -> float:
    """Samples per second with nobody to wait for, the first batches (in which workers start) not counted."""
    loader: DataLoader[Any] = DataLoader(
        Handed(samples),  # type: ignore[arg-type]  # has what a Dataset has
        batch_size=8,
        num_workers=workers,
        sampler=range(num),
        collate_fn=Handed.collate,
        prefetch_factor=2,
    )
    batches = iter(loader)
    for _ in range(4 * workers):  # what is made before anybody asks
        next(batches)
    began = time.perf_counter()
    made = sum(len(batch.names) for batch in batches)
    return made / (time.perf_counter() - began)


def measure(trial: Trial) -> dict[str, float]:
    """Do a run, in a process of its own."""
    recipe = recipe_of(trial)
    ticks: list[float] = []
    found: dict[str, float] = {}

    def report(line: Mapping[str, float]) -> None:
        if "waiting" in line and line["step"] == trial.steps:
            taken = time.perf_counter() - ticks[0]
            found.update(steps_per_second=(trial.steps - 1) / taken, waiting=line["waiting"], **worker_memory())

    told: dict[str, Any] = {"report": report, "tick": lambda *_: ticks.append(time.perf_counter())}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if trial.workers is None:
            kept = Kept(samples_of(recipe, trial.data), trial.batch)
            for module in (of_trackers, of_encoders):
                stack.enter_context(mock.patch.object(module, "samples_for", return_value=kept))
        if isinstance(recipe, Pretraining):
            pretrain(recipe, trial.data, Path(folder), **told)
        else:
            fit(recipe, trial.data, Path(folder), **told)
    if trial.workers is None:  # it was watched on all that is in memory, which takes more
        return found
    return {**found, "trainer_mb": resident_mb("VmHWM") or float("nan")}


def worker_memory() -> dict[str, float]:
    """Of the largest worker, in 2^20 bytes: the most that it had, and what of it is its own and not shared with the trainer."""
    most, own = [], []
    for child in multiprocessing.active_children():
        folder = Path("/proc") / str(child.pid)
        if not (folder / "smaps_rollup").is_file():
            continue
        most.append(_kilobytes(folder / "status", "VmHWM:"))
        own.append(_kilobytes(folder / "smaps_rollup", "Private_Dirty:", "Private_Clean:"))
    return {"worker_mb": max(most) / 1024, "worker_own_mb": max(own) / 1024} if most else {}


def _kilobytes(table: Path, *names: str) -> int:
    return sum(int(line.split()[1]) for line in table.read_text().splitlines() if line.startswith(names))


def trials(names: Sequence[str], data: Path) -> list[Trial]:
    """Those of some recipes, all kinds of one after another."""
    kinds: tuple[int | None, ...] = (None, 0, 1, 2)
    return [Trial(name, *TRIALS.get(name, (8, 12)), workers, data) for name in names for workers in kinds]


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure over rounds."""
    return {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}


def tables(figures: Mapping[str, Any]) -> str:
    """For people."""
    stages = [*STAGES, REST, STACKED]
    lines = ["| ms of one sample | " + " | ".join(stages) + " | all | samples/s of one worker | of two |", "|---" * (len(stages) + 4) + "|"]
    for name, row in figures["recipes"].items():
        costs = [row["stages_ms"][stage] for stage in stages]
        cells = [f"{cost:.2f}" for cost in (*costs, sum(costs))] + [f"{row['samples_per_second'][count]:.0f}" for count in ("1", "2")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| steps/s | batch | network alone | 0 workers | waits | 1 worker | waits | 2 workers | waits |", "|---" * 9 + "|"]
    for name, row in figures["recipes"].items():
        runs = row["runs"]
        loops = [f"{runs[count]['steps_per_second']:.2f} | {runs[count]['waiting']:.0%}" for count in ("0", "1", "2")]
        lines.append(f"| {name} | {row['batch']} | {runs['alone']['steps_per_second']:.2f} | {' | '.join(loops)} |")
    lines += ["", "| most memory, MB | trainer, 0 workers | trainer, 2 workers | a worker | of that its own |", "|---" * 5 + "|"]
    for name, row in figures["recipes"].items():
        none, two = row["runs"]["0"], row["runs"]["2"]
        worker = [f"{two[key]:.0f}" if key in two else "-" for key in ("worker_mb", "worker_own_mb")]
        lines.append(f"| {name} | {none['trainer_mb']:.0f} | {two['trainer_mb']:.0f} | {' | '.join(worker)} |")
    return "\n".join(lines) + "\n"


def _others(output: Path, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Rows that are there already, of the same machine and versions."""
    before = json.loads(output.read_text(encoding="utf-8")) if output.is_file() else {}
    return dict(before["recipes"]) if machine.items() <= before.items() else {}


def main(
    data: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    recipes: tuple[str, ...] = tuple(TRIALS),
    rounds: int = 1,
    samples: int = 160,
    output: Path = Path("benchmarks/results/loading.json"),
) -> None:
    """Measure, print the tables, and write them.

    Args:
        data: folder of data.
        recipes: whose samples and networks; rows of others stay as they are.
        rounds: of all runs.
        samples: made by one process for its stages, and by others for their pace.
        output: all figures; the tables lie beside it, as .md.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)  # as the loop does
    machine = {
        "machine": platform.machine(),
        "cores": num_cores(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "torch": torch.__version__,
        "sightline": __version__,
    }
    rows: dict[str, Any] = {}
    for name in recipes:
        batch, steps = TRIALS.get(name, (8, 12))
        recipe = recipe_of(Trial(name, batch, steps, 0, data))
        made = samples_of(replace(recipe, steps=1000), data)
        paces = {str(count): round(pace(made, count, samples * 2), 1) for count in (1, 2)}
        costs = {stage: round(cost, 3) for stage, cost in stage_costs(made, samples).items()}
        rows[name] = {"batch": batch, "stages_ms": costs, "samples_per_second": paces}
    asked = [trial for _ in range(rounds) for trial in trials(recipes, data)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        found = list(pool.map(measure, asked))
    for name in recipes:
        runs: dict[str, list[dict[str, float]]] = {}
        for trial, figures in zip(asked, found, strict=True):
            if trial.recipe == name:
                runs.setdefault("alone" if trial.workers is None else str(trial.workers), []).append(figures)
        rows[name]["runs"] = {count: medians(measured) for count, measured in runs.items()}
    everything = {**machine, "recipes": _others(output, machine) | rows}
    text = tables(everything)
    print(text)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    output.with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    tyro.cli(main)
