"""Ablations: variants of a run, each with several seeds, in one table.

    STUDY = Study(
        "mask ratio",
        {f"{ratio:.0%}": Variant(base, replace(mtr_nano(), ratio=ratio)) for ratio in (0.4, 0.6, 0.8)},
    )

A variant is a recipe, and a pre-training before it where it has one. Variants that share a pre-training share its run. The folder of a study
holds `pretrain/` and `runs/`, a folder for each run, and `table.md`, `table.csv`, `runs.json`, written whenever a run has ended; what is there is
not done again.
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
from typing import TypeAlias

from sightline import zoo
from sightline.errors import BadData, SightlineError
from sightline.fleet import Lost, Pool
from sightline.models.count import size_of
from sightline.train.pretrain.recipe import Pretraining
from sightline.train.pretrain.run import pretrain
from sightline.train.recipe import Recipe
from sightline.train.tracker import fit
from sightline.train.trial import cut_short
from sightline.weights import remove_parts, write_whole

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


Due: TypeAlias = tuple[str, Variant, int]  # label, what it is, seed


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
        """The same study with so few steps, and no more held-out pairs than a run learns from: does everything run?"""
        variants = {
            label: Variant(cut_short(one.recipe, steps, steps), one.pretraining and cut_short(one.pretraining, steps, steps))
            for label, one in self.variants.items()
        }
        return replace(self, variants=variants)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a study. `figures` are those of its last validation; empty where it failed, and `problem` says why.

    `recipe` is a digest of all that it was asked to do: figures of another run under the same name are not taken for its own.
    """

    variant: str
    seed: int
    figures: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """Mean and standard deviation over seeds, and how many there were; no deviation of one."""

    mean: float
    spread: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of a study: a row for each variant, in its order; a column for each figure that any has.

    `ended` runs are in it, those of `failed` among them, and `waiting` are not yet.
    """

    name: str
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Cell]]
    failed: tuple[Run, ...]
    ended: int
    waiting: int = 0

    def markdown(self) -> str:
        """For people."""
        counts = sorted({cell.count for row in self.rows.values() for cell in row.values()})
        head = [self.name, *(HEADINGS.get(name, name) for name in self.columns)]
        lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for label, row in self.rows.items():
            lines.append(f"| {label} | {' | '.join(_shown(row.get(name)) for name in self.columns)} |")
        pairs = sorted({round(row["pairs"].mean) for row in self.rows.values() if "pairs" in row})
        held_out = f"{' to '.join(map(str, pairs))} held-out pairs" if pairs else "the held-out pairs"
        lines += ["", f"Mean ± standard deviation over {' to '.join(map(str, counts or [0]))} seeds, on {held_out} of the data."]
        if self.waiting:
            lines.append(f"NOT WHOLE: {self.ended} of {self.ended + self.waiting} runs are in it; the same command goes on.")
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
    """Do all runs of a study that are not done, and write its table after each.

    Args:
        study: what to compare.
        data: folders to train on, as for `fit`.
        out: folder of the study; made if need be.
        pool: where the runs run.
        report: called with a line for each run that has ended, when it is in the table.

    Raises:
        BadData: `out` holds another study.
        SightlineError: there is no run to do.
    """
    if not study.variants or not study.seeds:
        raise SightlineError(f"the study {study.name!r} has no variants or no seeds; expected at least one of both.")
    folders, out = [folder.resolve() for folder in data], out.resolve()
    remove_parts(out)
    due = [(label, variant, seed) for label, variant in study.variants.items() for seed in study.seeds]
    encoders = {_digest(one): one for _, variant, seed in due if (one := _seeded(variant.pretraining, seed)) is not None}
    lost = _pretrained(encoders, folders, out, pool, report)
    record = _Record(study.name, due, out)
    able = []
    for number, (label, variant, seed) in enumerate(due):
        if (problem := lost.get(_key(variant.pretraining, seed))) is not None:
            record.add(number, Run(label, seed, problem=f"its pre-training: {problem}"))
        else:
            able.append(number)
    with contextlib.closing(pool.map(partial(_fit, data=folders, out=out), [due[i] for i in able])) as results:
        for place, result in results:
            label, _, seed = due[able[place]]
            run = Run(label, seed, problem=result.reason) if isinstance(result, Lost) else result
            record.add(able[place], run)
            report(f"{label}, seed {seed}: {run.problem or 'done'}")
    return record.table()


def _pretrained(
    encoders: Mapping[str, Pretraining], data: Sequence[Path], out: Path, pool: Pool, report: Callable[[str], None]
) -> dict[str, str]:
    """Do all pre-trainings that are not done; what went wrong with which."""
    lost: dict[str, str] = {}
    names = list(encoders)
    with contextlib.closing(pool.map(partial(_pretrain, data=data, out=out), list(encoders.values()))) as results:
        for number, problem in results:
            if problem is not None:
                lost[names[number]] = problem.reason if isinstance(problem, Lost) else problem
            report(f"pre-training {names[number][:8]}: {lost.get(names[number], 'done')}")
    return lost


class _Record:
    """What is known of the runs of a study, and its files, which are written whenever one has ended.

    When a study goes on, figures of runs that had ended before are there from the beginning, so that the table never loses any.

    Args:
        name: of the study.
        due: all its runs.
        out: its folder.
    """

    def __init__(self, name: str, due: Sequence[Due], out: Path) -> None:
        self._name, self._out, self._count = name, out, len(due)
        before = {(run.variant, run.seed, run.recipe): run for run in _written(out / "runs.json") if not run.problem}
        found = ((number, before.get((label, seed, _identity(variant, seed)))) for number, (label, variant, seed) in enumerate(due))
        self._runs = {number: run for number, run in found if run is not None}

    def add(self, number: int, run: Run) -> None:
        """A run has ended."""
        self._runs[number] = run
        table = self.table()
        everything = json.dumps([dataclasses.asdict(run) for run in self._in_order()], indent=1)
        files = {"table.md": table.markdown(), "table.csv": table.csv(), "runs.json": everything}
        write_whole({self._out / name: text.encode() for name, text in files.items()})

    def table(self) -> Table:
        """The table of the runs that have ended."""
        return tables(self._name, self._in_order(), waiting=self._count - len(self._runs))

    def _in_order(self) -> list[Run]:
        return [self._runs[number] for number in sorted(self._runs)]


def _written(path: Path) -> list[Run]:
    """The runs of a `runs.json`; none where it cannot be read, since their folders have all that is in it."""
    try:
        return [Run(**run) for run in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def tables(name: str, runs: Sequence[Run], *, waiting: int = 0) -> Table:
    """Means and spreads of runs that have ended; so many more are to come."""
    rows: dict[str, dict[str, Cell]] = {}
    for label in dict.fromkeys(run.variant for run in runs):
        mine = [run.figures for run in runs if run.variant == label and not run.problem]
        found: dict[str, Cell] = {}
        for figure in dict.fromkeys(key for figures in mine for key in figures):
            values = [figures[figure] for figures in mine if figure in figures]
            found[figure] = Cell(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))
        rows[label] = found
    columns = tuple(name for name in SHOWN if any(name in row for row in rows.values()))
    return Table(name, columns, rows, tuple(run for run in runs if run.problem), ended=len(runs), waiting=waiting)


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


def _fit(item: Due, *, data: Sequence[Path], out: Path) -> Run:
    """Do one run, or find it done."""
    label, variant, seed = item
    recipe, before, identity = replace(variant.recipe, seed=seed), _seeded(variant.pretraining, seed), _identity(variant, seed)
    figures: dict[str, float] = {}
    if before is not None:
        folder = out / "pretrain" / _digest(before)[:12]
        recipe = replace(recipe, start=folder / f"{before.name}.safetensors")
        figures |= _last(folder, ("held_out",))
    folder = out / "runs" / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', label).strip('-') or 'run'}-{seed}"
    try:
        fit(recipe, data, folder)
    except SightlineError as error:
        return Run(label, seed, problem=str(error), recipe=identity)
    size = size_of(recipe.network or zoo.find(recipe.name))
    figures |= _last(folder, ("iou", "middle", "success", "presence_auc", "pairs"))
    return Run(label, seed, {**figures, "params_m": size.parameters / 1e6, "macs_m": size.macs / 1e6}, recipe=identity)


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


def _identity(variant: Variant, seed: int) -> str:
    """What a run does, before and in its training."""
    return _digest(replace(variant.recipe, seed=seed))[:12] + _key(variant.pretraining, seed)[:12]


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    return f"{cell.mean:.4f}" if cell.spread is None else f"{cell.mean:.4f} ± {cell.spread:.4f}"
