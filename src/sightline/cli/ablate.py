"""`sightline ablate`: variants of a training run, each with several seeds, in one table."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sightline.cli.arguments import check_folder, numbers, optional
from sightline.cli.extras import needing
from sightline.cli.loading import set_threads
from sightline.cli.pools import check_numbers, choose_pool
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.train.ablate import Study

__all__ = ["ablate"]


def ablate(
    study: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STUDY|FILE.py")],
    /,
    *,
    data: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR [DIR ...]")],
    output: Annotated[Path, tyro.conf.arg(metavar="DIR", aliases=["-o"])],
    seeds: Annotated[str | None, optional("N,...")] = None,
    steps: Annotated[int | None, optional("N")] = None,
    workers: Annotated[int | None, optional("N")] = None,
    ray: Annotated[str | None, optional("ADDRESS")] = None,
) -> None:
    """Train every variant of a study with every seed, and print one table with mean and spread of their figures.

    Studies of one's own are Python files: STUDY = sightline.train.ablate.Study(...). What is done stays done: the table is written after every run, and the same command
    again goes on. Runs that fail are listed below the table, and the exit code is 2. Needs torch: pip install 'sightline[train]'.

    Example: sightline ablate mask-ratio --data data --output runs/mask-ratio

    Args:
        study: mask-ratio, pretraining-data, blocks, patch, size, head, backbone-rate or prompts, at a size for one processor; or the path of a grid file.
        data: folders, as for `sightline train`.
        output: folder for all runs and for table.md, table.csv and runs.json.
        seeds: of every variant, instead of the study's own.
        steps: of every run and pre-training, for a trial; then figures are of no more held-out pairs than a run has learnt from (the table says of how many).
        workers: processes, each with one run at a time. One where not given.
        ray: spread the runs over a Ray cluster, as `sightline eval` does; every machine has to see --data and --output.
    """
    check_numbers(workers, 1)
    if steps is not None and steps < 1:
        raise SightlineError(f"--steps is {steps}; expected at least 1, or leave it out.")
    check_folder(output, "--output")
    with needing("train", "an ablation"):
        from sightline.train.ablate import ablate as run

        chosen = _find(study)
        chosen = chosen if steps is None else chosen.shortened(steps)
        chosen = chosen if seeds is None else replace(chosen, seeds=tuple(numbers("--seeds", seeds, least=0)))
        folder = output.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        prepare = functools.partial(set_threads, 1, torch_too=True)
        pool = choose_pool(workers, ray, prepare, shared=tuple(path.resolve() for path in data), written=folder)
        table = run(chosen, data, folder, pool=pool, report=lambda line: print(line, flush=True))
    print(f"\n{table.markdown()}\nwritten: {output / 'table.md'}, table.csv and runs.json")
    if table.failed:
        raise SightlineError(f"{len(table.failed)} of {len(chosen.variants) * len(chosen.seeds)} runs failed; the table is of the others.")


def _find(name: str) -> Study:
    """A study of ours, or that of a file."""
    from sightline.train.ablate import read_study
    from sightline.train.studies import STUDIES

    if name in STUDIES:
        return STUDIES[name]()
    if not name.endswith(".py"):
        raise SightlineError(f"there is no study called {name!r}; expected one of {', '.join(STUDIES)}, or a file FILE.py.")
    return read_study(Path(name))
