from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sightline.errors import BadData, SightlineError
from sightline.fleet import Here, Processes
from sightline.train.ablate import Run, Study, Variant, ablate, read_study, tables
from sightline.train.pretrain.recipe import Pretraining, mtr_nano
from sightline.train.recipe import Data
from sightline.train.studies import STUDIES
from tests.train.made import RECIPE, make_data

ENCODER = replace(mtr_nano(), steps=1, batch=2, validation_pairs=4, save_every=1, workers=0, data=Data(shares=()))
ONE = replace(RECIPE, steps=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


def study(**variants: Variant) -> Study:
    return Study("mask ratio", variants, seeds=(0, 1))


def test_a_table_has_means_and_spreads_over_seeds() -> None:
    runs = [
        Run("a", 0, {"iou": 0.5, "params_m": 1.0}),
        Run("a", 1, {"iou": 0.7, "params_m": 1.0}),
        Run("b", 0, {"iou": 0.4, "params_m": 2.0}),
        Run("b", 1, problem="it diverged"),
    ]
    table = tables("ratio", runs)
    assert table.columns == ("iou", "params_m")
    assert (table.rows["a"]["iou"].mean, table.rows["a"]["iou"].spread) == pytest.approx((0.6, 0.1414), abs=1e-4)
    assert (table.rows["b"]["iou"].spread, table.rows["b"]["iou"].count) == (None, 1)
    shown = table.markdown()
    assert "| a | 0.6000 ± 0.1414 | 1.0000 ± 0.0000 |" in shown
    assert "| b | 0.4000 | 2.0000 |" in shown
    assert "over 1 to 2 seeds" in shown
    assert "FAILED: b, seed 1: it diverged" in shown
    assert list(csv.reader(table.csv().splitlines()))[1] == ["a", "iou", "0.6", "0.141421", "2"]


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two variants of one pre-training, one of another, one without."""
    out = tmp_path_factory.mktemp("study")
    pre, less = ENCODER, replace(ENCODER, ratio=0.4)
    made = study(none=Variant(ONE), once=Variant(ONE, pre), twice=Variant(replace(ONE, batch=4), pre), less=Variant(ONE, less))
    assert not ablate(made, [data], out, pool=Here()).failed
    return out


def test_variants_share_the_run_of_their_pretraining(done: Path) -> None:
    assert len(list((done / "pretrain").iterdir())) == 2 * 2
    assert len(list((done / "runs").iterdir())) == 4 * 2
    started = json.loads((done / "runs" / "once-1" / "run.json").read_text())["recipe"]
    assert started["seed"] == 1
    assert json.loads((Path(started["start"]).parent / "run.json").read_text())["recipe"]["seed"] == 1


def test_every_run_is_in_the_table(done: Path) -> None:
    rows = (done / "table.md").read_text().splitlines()
    assert rows[0].startswith(
        "| mask ratio | IoU | IoU of a box in the middle | IoU > 0.5 | presence | reconstruction loss | params, M | MACs, M |"
    )
    assert [row.split("|")[1].strip() for row in rows[2:6]] == ["none", "once", "twice", "less"]
    assert len(json.loads((done / "runs.json").read_text())) == 8


def test_what_is_done_is_not_done_again(done: Path, data: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*.safetensors")}
    again = study(none=Variant(ONE), once=Variant(ONE, ENCODER))
    ablate(again, [data], done, pool=Here())
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*.safetensors")} == before


class StopError(Exception):
    pass


def test_the_table_is_written_after_every_run_and_loses_none_when_a_study_goes_on(data: Path, tmp_path: Path) -> None:
    made, tables_then = study(a=Variant(ONE), b=Variant(replace(ONE, batch=4))), []

    def look(line: str, last: str = "") -> None:
        tables_then.append((tmp_path / "table.md").read_text())
        assert len(json.loads((tmp_path / "runs.json").read_text())) == ended(tables_then[-1])
        if line == last:
            raise StopError

    def ended(table: str) -> int:
        found = re.search(r"NOT WHOLE: (\d) of 4 runs", table)
        return int(found[1]) if found else 4

    with pytest.raises(StopError):
        ablate(made, [data], tmp_path, pool=Here(), report=partial(look, last="b, seed 0: done"))
    (tmp_path / ".table.md.1.part").write_text("half of")
    whole = ablate(made, [data], tmp_path, pool=Here(), report=look)
    assert [ended(table) for table in tables_then] == [1, 2, 3, 3, 3, 3, 4]
    assert tables_then[-1] == whole.markdown()
    assert "| b | " not in tables_then[1]
    assert not list(tmp_path.glob(".*"))


def test_figures_of_a_run_that_was_asked_for_something_else_are_not_taken_over(data: Path, tmp_path: Path) -> None:
    ablate(study(a=Variant(ONE)), [data], tmp_path, pool=Here())
    (tmp_path / "runs").rename(tmp_path / "away")
    then: list[int] = []
    others = study(a=Variant(replace(ONE, batch=4)))
    ablate(others, [data], tmp_path, pool=Here(), report=lambda _: then.append(len(json.loads((tmp_path / "runs.json").read_text()))))
    assert then == [1, 2]


def test_processes_whose_runs_have_processes_that_load_give_the_same_figures(data: Path, tmp_path: Path) -> None:
    alone = ablate(study(a=Variant(ONE)), [data], tmp_path / "alone", pool=Here())
    loading = study(a=Variant(replace(ONE, workers=1)))
    assert ablate(loading, [data], tmp_path / "two", pool=Processes(2)) == alone


def test_a_run_that_fails_is_told_and_the_others_go_on(data: Path, tmp_path: Path) -> None:
    table = ablate(
        study(good=Variant(ONE), lost=Variant(ONE, replace(ENCODER, ratio=1.0)), bad=Variant(replace(ONE, objective="nothing"))),
        [data],
        tmp_path,
        pool=Here(),
    )
    assert [(run.variant, run.seed) for run in table.failed] == [("lost", 0), ("lost", 1), ("bad", 0), ("bad", 1)]
    assert table.failed[0].problem.startswith("its pre-training: ")
    assert "no objective called 'nothing'" in table.failed[2].problem
    assert table.rows["good"]["iou"].count == 2


def test_nothing_to_compare_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="no variants or no seeds"):
        ablate(Study("empty", {}), [data], tmp_path, pool=Here())


@pytest.mark.parametrize(
    "text,told", [("STUDY = 1", "has no STUDY"), ("x = nowhere", "does not run: NameError"), (None, "is no Python file")]
)
def test_a_grid_file_that_is_none_is_refused(text: str | None, told: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "grid.py").write_text(text)
    with pytest.raises(BadData, match=told):
        read_study(tmp_path / "grid.py")


@pytest.mark.parametrize("name", STUDIES)
def test_a_step_of_every_variant_of_every_study_runs(name: str, data: Path, tmp_path: Path) -> None:
    whole = STUDIES[name]().shortened(1)
    small: dict[str, Variant] = {}
    for label, variant in whole.variants.items():
        recipe = replace(variant.recipe, batch=2, validation_pairs=2, workers=0)
        before: Pretraining | None = variant.pretraining
        if before is not None:
            before = replace(before, batch=2, validation_pairs=2, workers=0, data=replace(before.data, shares=()))
        small[label] = Variant(recipe, before)
    table = ablate(replace(whole, variants=small, seeds=(0,)), [data], tmp_path, pool=Here())
    assert not table.failed
    assert list(table.rows) == list(whole.variants)


def test_a_trial_looks_at_no_more_held_out_pairs_than_it_learns_from(data: Path, tmp_path: Path) -> None:
    whole = study(a=Variant(replace(RECIPE, batch=4, validation_pairs=640), replace(ENCODER, validation_pairs=64)))
    trial = whole.shortened(2).variants["a"]
    assert trial.pretraining is not None
    assert (trial.recipe.steps, trial.recipe.validation_pairs) == (2, 8)
    assert (trial.pretraining.steps, trial.pretraining.validation_pairs) == (2, 4)
    assert whole.shortened(1000).variants["a"].recipe.validation_pairs == 640
    table = ablate(whole.shortened(2), [data], tmp_path, pool=Here())
    assert table.rows["a"]["pairs"].mean == 8
    assert "Mean ± standard deviation over 2 seeds, on 8 held-out pairs of the data." in table.markdown()
