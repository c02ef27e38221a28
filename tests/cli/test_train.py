from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from sightline.cli import main
from sightline.train import PRETRAINING, RECIPES, Pretraining, Recipe

Asked: TypeAlias = tuple[Recipe | Pretraining, tuple[Path, ...], Path]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What `fit` and `pretrain` were asked for, instead of the training itself."""
    asked: list[Asked] = []

    def train(
        recipe: Recipe | Pretraining,
        data: tuple[Path, ...],
        out: Path,
        *,
        report: Callable[[Mapping[str, float]], None],
        on_bad: str,
        tick: Callable[[int, int], None],
        tell: Callable[[str], None],
        seen: Callable[[int, int], None],
        board: bool,
    ) -> Path:
        tell("skipped [/a]/b.jpg: it is [red]broken")
        assert on_bad == "skip"
        assert not board
        tick(1, recipe.steps)
        seen(0, recipe.validation_pairs)
        seen(recipe.validation_pairs, recipe.validation_pairs)
        asked.append((recipe, data, out))
        report({"step": 50, "total": 1.25})
        return out / f"{recipe.name}.safetensors"

    monkeypatch.setattr("sightline.train.fit", train)
    monkeypatch.setattr("sightline.train.pretrain", train)
    return asked


def test_a_recipe_is_trained(runs: list[Asked], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "kestrel-nano", "--data", str(tmp_path), "--output", str(tmp_path / "run")]) == 0
    assert runs == [(RECIPES["kestrel-nano"](), (tmp_path,), tmp_path / "run")]
    printed = capsys.readouterr()
    assert "step 50  total 1.25" in printed.out
    assert "kestrel-nano.safetensors" in printed.out
    assert printed.err == "skipped [/a]/b.jpg: it is [red]broken\nstep 1: looking at where it finds the target in 640 held-out pairs\n"


def test_a_trial_has_fewer_steps(runs: list[Asked], tmp_path: Path) -> None:
    assert main(["train", "kestrel-nano", "--data", str(tmp_path), "--output", str(tmp_path), "--steps", "7"]) == 0
    assert runs[0][0].steps == 7


@pytest.mark.parametrize(
    "words,every,pairs",
    [
        (["--steps", "2", "--batch", "4"], 50, 8),
        (["--steps", "200", "--batch", "1"], 50, 50),
        (["--steps", "1001"], 101, 640),
        (["--steps", "1001", "--save-every", "7"], 7, 224),
        (["--batch", "1", "--save-every", "7"], 7, 640),
        ([], 500, 640),
    ],
    ids=["trial", "few samples", "tenths", "asked for", "whole run, asked for", "whole run"],
)
def test_a_trial_saves_now_and_then_and_looks_at_no_more_held_out_pairs_than_it_learnt_from_meanwhile(
    words: list[str], every: int, pairs: int, runs: list[Asked], tmp_path: Path
) -> None:
    assert main(["train", "kestrel-nano", "--data", str(tmp_path), "--output", str(tmp_path), *words]) == 0
    assert (runs[0][0].save_every, runs[0][0].validation_pairs) == (every, pairs)


@pytest.mark.parametrize("name", ["ostrack-b256", "mtr"])
def test_what_changes_the_result_is_changed_in_the_recipe(name: str, runs: list[Asked], tmp_path: Path) -> None:
    words = [
        "--seed",
        "7",
        "--batch",
        "8",
        "--passes",
        "2",
        "--precision",
        "bfloat16",
        "--overfit",
        "4",
        "--guard",
        "skip",
        "--workers",
        "0",
    ]
    assert main(["train", name, "--data", "a", "--output", str(tmp_path), *words]) == 0
    recipe = runs[0][0]
    assert (recipe.seed, recipe.batch, recipe.passes, recipe.precision, recipe.overfit, recipe.workers) == (7, 8, 2, "bfloat16", 4, 0)
    assert recipe.guard.then == "skip"


def test_parameters_can_be_frozen_or_be_the_only_ones_that_learn(runs: list[Asked], tmp_path: Path) -> None:
    assert main(["train", "ostrack-b256", "--data", "a", "--output", str(tmp_path), "--freeze", "blocks.0.*"]) == 0
    assert main(["train", "ostrack-b256", "--data", "a", "--output", str(tmp_path), "--only", "head.*"]) == 0
    frozen, only = (asked[0].optim.rates for asked in runs)
    assert (frozen[0].pattern, frozen[0].factor) == ("blocks.0.*", 0)
    assert [(rate.pattern, rate.factor) for rate in only[:2]] == [("head.*", 1), ("*", 0)]


def test_a_recipe_without_a_teacher_learns_the_boxes_of_one(runs: list[Asked], tmp_path: Path) -> None:
    assert main(["train", "ostrack-b256", "--data", "a", "--output", str(tmp_path), "--teacher", "t.onnx"]) == 0
    recipe = runs[0][0]
    assert isinstance(recipe, Recipe)
    assert recipe.distil is not None
    assert (recipe.distil.teacher, recipe.distil.box) == (Path("t.onnx"), 5.0)


def test_folders_of_data_start_and_teacher_are_handed_on(runs: list[Asked], tmp_path: Path) -> None:
    words = ["--data", "a", "b", "--start", "s.onnx", "--teacher", "t.onnx"]
    assert main(["train", "kestrel-nano", *words, "--output", str(tmp_path)]) == 0
    recipe, data, _ = runs[0]
    assert data == (Path("a"), Path("b"))
    assert recipe.start == Path("s.onnx")
    assert isinstance(recipe, Recipe)
    assert recipe.distil is not None
    assert recipe.distil.teacher == Path("t.onnx")


def test_an_encoder_is_pre_trained(runs: list[Asked], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "mat", "--data", "a", "b", "--output", str(tmp_path), "--steps", "3", "--start", "mae.pth"]
    assert main(words) == 0
    assert runs == [(replace(PRETRAINING["mat"](), steps=3, save_every=50, start=Path("mae.pth")), (Path("a"), Path("b")), tmp_path)]
    assert f"--start {tmp_path / 'mat.safetensors'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments,told",
    [
        (["kestral-nano"], "perhaps you meant kestrel-nano"),
        (["zzz"], "dropmae"),
        (["kestrel-nano", "--steps", "0"], "--steps is 0"),
        (["mtr", "--steps", "0"], "--steps is 0"),
        (["kestrel-nano", "--workers", "-1"], "--workers is -1; expected at least 0"),
        (["kestrel-nano", "--save-every", "0"], "--save-every is 0; expected at least 1"),
        (["kestrel-nano", "--seed", "-1"], "--seed is -1; expected at least 0"),
        (["mtr", "--teacher", "t.onnx"], "leave --teacher out"),
    ],
    ids=["recipe", "all recipes", "steps", "steps of a pre-training", "workers", "saves", "seed", "teacher"],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *arguments, "--data", str(tmp_path), "--output", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr().err
    assert told in printed
    assert printed.count("\n") == 1


def test_a_folder_without_data_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "kestrel-nano", "--data", str(tmp_path), "--output", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert not (tmp_path / "run").exists()
