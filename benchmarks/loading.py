"""How quickly samples are made, by the number of workers, and how long a network waits for them.

    python benchmarks/loading.py DATA [--recipe NAME] [--workers 0 1 2] [--samples N] [--json FILE]

DATA is what `sightline train --data` takes. Two figures for each number of workers: samples per second with nobody to wait for, and the
share of the time in which a network, trained on the same processor, has no data. For the second the network is the recipe's own, at
one thread. Rows are interleaved over several rounds, so that other load on the machine falls on all of them; medians are reported.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch.utils.data import DataLoader

from sightline import __version__, zoo
from sightline.train import RECIPES, Recipe, fit
from sightline.train.data import Problems
from sightline.train.samples import SampleList, collate
from sightline.train.tracker import samples_for

ROUNDS = 3


def pace(samples: SampleList, workers: int, batch: int) -> float:
    """Samples per second, the first batch (in which workers start) not counted."""
    loader: DataLoader[object] = DataLoader(
        samples,  # type: ignore[arg-type]  # has what a Dataset has
        batch_size=batch,
        num_workers=workers,
        sampler=range(len(samples)),
        collate_fn=collate,
        prefetch_factor=4 if workers else None,
    )
    batches = iter(loader)
    next(batches)
    began = time.perf_counter()
    num = sum(len(given.names) for given in batches)
    return num / (time.perf_counter() - began)


def waiting(recipe: Recipe, data: Path, workers: int, steps: int) -> tuple[float, float]:
    """The share of the time in which there is no data, and steps per second."""
    lines: list[dict[str, float]] = []
    trial = replace(recipe, steps=steps, workers=workers, save_every=steps, validation_pairs=recipe.batch)
    with tempfile.TemporaryDirectory() as folder:
        fit(trial, data, Path(folder), report=lambda line: lines.append(dict(line)))
    [line] = [line for line in lines if "waiting" in line]
    return line["waiting"], steps / line["seconds"]


def main(
    data: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    recipe: str = "kestrel-nano",
    workers: tuple[int, ...] = (0, 1, 2),
    batch: int = 8,
    samples: int = 160,
    steps: int = 12,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Measure.

    Args:
        data: folder of data.
        recipe: whose samples.
        workers: numbers of processes that read.
        batch: samples of a step.
        samples: made for one measurement.
        steps: of the network for one measurement.
        json_file: where figures are written as well.
    """
    torch.set_num_threads(1)
    chosen = replace(RECIPES[recipe](), batch=batch, start=None, distil=None, start_share=0.0, steps=samples // batch)
    made = samples_for(chosen, zoo.find(chosen.name), [data], "train", Problems())
    rows: dict[int, list[tuple[float, float, float]]] = {count: [] for count in workers}
    for _ in range(ROUNDS):
        for count in workers:
            rows[count].append((pace(made, count, batch), *waiting(chosen, data, count, steps)))
    print(f"{'workers':>7} {'samples/s':>10} {'waiting':>8} {'steps/s':>8}   {recipe}, batch {batch}")
    figures = {}
    for count, measured in rows.items():
        per_second, share, step_rate = (statistics.median(values) for values in zip(*measured, strict=True))
        figures[count] = {"samples_per_second": round(per_second, 1), "waiting": round(share, 3), "steps_per_second": round(step_rate, 2)}
        print(f"{count:>7} {per_second:>10.1f} {share:>8.1%} {step_rate:>8.2f}")
    if json_file is not None:
        machine = {"machine": platform.machine(), "cores": os.cpu_count(), "torch": torch.__version__, "sightline": __version__}
        json_file.write_text(
            json.dumps({"recipe": recipe, "batch": batch, **machine, "workers": figures}, indent=1) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    tyro.cli(main)
