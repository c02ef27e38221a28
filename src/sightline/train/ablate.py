"""Ablations: variants of a run, each with several seeds, in one table.

    STUDY = Study(
        "mask ratio",
        {f"{ratio:.0%}": Variant(base, replace(mtr_nano(), ratio=ratio)) for ratio in (0.4, 0.6, 0.8)},
    )

A variant is a recipe, and a pre-training before it where it has one. Variants that share a pre-training share its run. The folder of a study
holds `pretrain/` and `runs/`, a folder for each run, and `table.md`, `table.csv`, `runs.json`; what is there is not done again.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import importlib.util
import io
import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from sightline import zoo
from sightline.errors import BadData, SightlineError
from sightline.fleet import Lost, Pool
from sightline.models.count import size_of
from sightline.train.pretrain.recipe import Pretraining
from sightline.train.pretrain.run import pretrain
from sightline.train.recipe import Recipe
from sightline.train.tracker import fit
from sightline.weights import write_whole

__all__ = ["Cell", "Run", "Study", "Table", "Variant", "ablate", "read_study", "tables"]

SHOWN = ("iou", "middle", "success", "presence_auc", "held_out", "params_m", "macs_m")
HEADINGS = {
    "iou": "IoU",
    "middle": "IoU of a box in the middle",
    "success": "IoU > 0.5",
    "presence_auc": "presence",
    "held_out": "reconstruction loss",
    "params_m": "params, M",
    "macs_m": "MACs, M",
}


@dataclass(frozen=True, slots=True)
class Variant:
    """A row of the table: one run for each seed, whose seed replaces that of the recipes."""

    recipe: Recipe
    pretraining: Pretraining | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """What is compared.

    Attributes:
        name: above the table.
        variants: by what the first column says.
        seeds: of every variant; one gives no spread.
    """

    name: str
    variants: Mapping[str, Variant]
    seeds: tuple[int, ...] = (0, 1, 2)

    def shortened(self, steps: int) -> Study:
        """The same study with so few steps: does everything run?"""
        return replace(
            self,
            variants={
                label: Variant(
                    replace(one.recipe, steps=steps, save_every=steps),
                    one.pretraining and replace(one.pretraining, steps=steps, save_every=steps),
                )
                for label, one in self.variants.items()
            },
        )


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a study. `figures` are those of its last validation; empty where it failed, and `problem` says why."""

    variant: str
    seed: int
    figures: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """Mean and standard deviation over seeds, and how many there were; no deviation of one."""

    mean: float
    spread: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of a study: a row for each variant, in its order; a column for each figure that any has."""

    name: str
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Cell]]
    failed: tuple[Run, ...]

    def markdown(self) -> str:
        """For people."""
        counts = sorted({cell.count for row in self.rows.values() for cell in row.values()})
        head = [self.name, *(HEADINGS.get(name, name) for name in self.columns)]
        lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for label, row in self.rows.items():
            lines.append(f"| {label} | {' | '.join(_shown(row.get(name)) for name in self.columns)} |")
        lines += ["", f"Mean ± standard deviation over {' to '.join(map(str, counts or [0]))} seeds, on the held-out pairs of the data."]
        lines += [f"FAILED: {run.variant}, seed {run.seed}: {run.problem}" for run in self.failed]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """For programs: variant, figure, mean, spread (empty of one seed), seeds."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["variant", "figure", "mean", "spread", "seeds"])
        for label, row in self.rows.items():
            for name, cell in row.items():
                writer.writerow([label, name, f"{cell.mean:.6g}", "" if cell.spread is None else f"{cell.spread:.6g}", cell.count])
        return text.getvalue()


def ablate(study: Study, data: Sequence[Path], out: Path, *, pool: Pool, report: Callable[[str], None] = lambda _: None) -> Table:
    """Do all runs of a study that are not done, and write its table.

    Args:
        study: what to compare.
        data: folders to train on, as for `fit`.
        out: folder of the study; made if need be.
        pool: where the runs run.
        report: called with a line for each run that has ended.

    Raises:
        BadData: `out` holds another study.
        SightlineError: there is no run to do.
    """
    if not study.variants or not study.seeds:
        raise SightlineError(f"the study {study.name!r} has no variants or no seeds; expected at least one of both.")
    folders = [folder.resolve() for folder in data]
    wanted = [_seeded(variant.pretraining, seed) for variant in study.variants.values() for seed in study.seeds]
    encoders = {_digest(one): one for one in wanted if one is not None}
    lost: dict[str, str] = {}
    names = list(encoders)
    work = partial(_pretrain, data=folders, out=out.resolve())
    with contextlib.closing(pool.map(work, list(encoders.values()))) as results:
        for number, problem in results:
            if problem is not None:
                lost[names[number]] = problem.reason if isinstance(problem, Lost) else problem
            report(f"pre-training {names[number][:8]}: {lost.get(names[number], 'done')}")
    due = [(label, variant, seed) for label, variant in study.variants.items() for seed in study.seeds]
    runs: list[Run] = [Run(label, seed) for label, _, seed in due]
    able = [i for i, (_, one, seed) in enumerate(due) if _key(one.pretraining, seed) not in lost]
    for i in set(range(len(due))) - set(able):
        runs[i] = replace(runs[i], problem=f"its pre-training: {lost[_key(due[i][1].pretraining, due[i][2])]}")
    with contextlib.closing(pool.map(partial(_fit, data=folders, out=out.resolve()), [due[i] for i in able])) as results:
        for number, result in results:
            i = able[number]
            runs[i] = replace(runs[i], problem=result.reason) if isinstance(result, Lost) else result
            report(f"{runs[i].variant}, seed {runs[i].seed}: {runs[i].problem or 'done'}")
    table = tables(study.name, runs)
    everything = json.dumps([dataclasses.asdict(run) for run in runs], indent=1)
    write_whole(
        {out / "table.md": table.markdown().encode(), out / "table.csv": table.csv().encode(), out / "runs.json": everything.encode()}
    )
    return table


def tables(name: str, runs: Sequence[Run]) -> Table:
    """Means and spreads of finished runs."""
    rows: dict[str, dict[str, Cell]] = {}
    for label in dict.fromkeys(run.variant for run in runs):
        mine = [run.figures for run in runs if run.variant == label and not run.problem]
        found: dict[str, Cell] = {}
        for figure in dict.fromkeys(key for figures in mine for key in figures):
            values = [figures[figure] for figures in mine if figure in figures]
            found[figure] = Cell(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))
        rows[label] = found
    columns = tuple(name for name in SHOWN if any(name in row for row in rows.values()))
    return Table(name, columns, rows, tuple(run for run in runs if run.problem))


def read_study(path: Path) -> Study:
    """The `STUDY` of a Python file.

    Raises:
        BadData: the file cannot be read, does not run, or has none.
    """
    found = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or found is None or found.loader is None:
        raise BadData(f"{path} is no Python file; expected one that says STUDY = sightline.train.ablate.Study(...).")
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except Exception as error:
        raise BadData(f"{path} does not run: {type(error).__name__}: {error}.") from error
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise BadData(f"{path} has no STUDY; expected STUDY = sightline.train.ablate.Study(...).")
    return study


def _pretrain(recipe: Pretraining, *, data: Sequence[Path], out: Path) -> str | None:
    """Do one pre-training, or find it done; what went wrong is returned."""
    try:
        pretrain(recipe, data, out / "pretrain" / _digest(recipe)[:12])
    except SightlineError as error:
        return str(error)
    return None


def _fit(item: tuple[str, Variant, int], *, data: Sequence[Path], out: Path) -> Run:
    """Do one run, or find it done."""
    label, variant, seed = item
    recipe, before = replace(variant.recipe, seed=seed), _seeded(variant.pretraining, seed)
    figures: dict[str, float] = {}
    if before is not None:
        folder = out / "pretrain" / _digest(before)[:12]
        recipe = replace(recipe, start=folder / f"{before.name}.safetensors")
        figures |= _last(folder, ("held_out",))
    folder = out / "runs" / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', label).strip('-') or 'run'}-{seed}"
    try:
        fit(recipe, data, folder)
    except SightlineError as error:
        return Run(label, seed, problem=str(error))
    size = size_of(recipe.network or zoo.find(recipe.name))
    figures |= _last(folder, ("iou", "middle", "success", "presence_auc"))
    return Run(label, seed, {**figures, "params_m": size.parameters / 1e6, "macs_m": size.macs / 1e6})


def _last(folder: Path, names: Sequence[str]) -> dict[str, float]:
    """The figures of the last line of a run's log that has any of them."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    found: dict[str, float] = next((line for line in reversed(lines) if any(name in line for name in names)), {})
    return {name: found[name] for name in names if name in found}


def _seeded(recipe: Pretraining | None, seed: int) -> Pretraining | None:
    return None if recipe is None else replace(recipe, seed=seed)


def _digest(recipe: Recipe | Pretraining) -> str:
    return hashlib.sha256(json.dumps(dataclasses.asdict(recipe), default=str, sort_keys=True).encode()).hexdigest()


def _key(recipe: Pretraining | None, seed: int) -> str:
    """Which pre-training a run needs; empty for none."""
    return "" if recipe is None else _digest(replace(recipe, seed=seed))


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    return f"{cell.mean:.4f}" if cell.spread is None else f"{cell.mean:.4f} ± {cell.spread:.4f}"
