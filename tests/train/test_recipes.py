from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch

from sightline import models, zoo
from sightline.models.checkpoint import load, read_tensors, rename, save_weights
from sightline.spec import Spec
from sightline.train import RECIPES, fit
from sightline.train.objectives import OBJECTIVES
from sightline.train.recipe import Distil, Recipe
from tests.models.stir import stirred
from tests.models.test_families import QUIET, SMALL
from tests.train.data import made

NOT_TRAINED = {"atom", "dimp", "tomp", "eco"}  # filters are learned by solvers inside them: docs/how-to/train.md


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences of one camera, and LasHeR's of two."""
    root = tmp_path_factory.mktemp("data")
    made.own(root / "mine", 3, num=7)
    made.cameras(root / "both" / "lasher", "2ndrunningboy", "visible", "infrared", ["init.txt"], num=8)
    return root


def small(spec: Spec) -> Spec:
    """The spec with a network of next to no size, and one template less than it has where there are many."""
    changes = {name: value for name, value in SMALL[spec.family].items() if hasattr(spec.arch, name)}
    if spec.family == "nanotrack":
        changes = {}
    if spec.family == "ostrack" and not spec.arch.eliminate:
        changes |= {"eliminate": (), "keep": ()}
    if spec.name.startswith("mixvit"):
        changes |= {"widths": (64,), "depths": (1,), "heads": (2,)}
    if spec.name.endswith("-pyramid"):
        changes = {}
    return replace(spec, arch=replace(spec.arch, **changes))


def short(recipe: Recipe) -> Recipe:
    """Two steps of two samples."""
    drawn = replace(recipe.data, shortest=2)
    optim = replace(recipe.optim, warmup=0)
    changes = {
        "optim": optim,
        "precision": "float32",
        "steps": 2,
        "batch": 2,
        "workers": 0,
        "validation_pairs": 2,
        "save_every": 2,
        "data": drawn,
        "validation": drawn,
    }
    return replace(recipe, **changes)  # type: ignore[arg-type]  # names of fields


def prepared(name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Recipe, Path, Spec]:
    """A recipe made short, its data, and the spec of its network made small."""
    recipe = short(RECIPES[name]())
    spec = small(zoo.find(recipe.name))
    monkeypatch.setitem(zoo.SPECS, recipe.name, spec)
    torch.manual_seed(0)
    network = stirred(models.build(spec))
    for pattern, factor in QUIET.get(spec.family, {}).items():
        for key, value in network.named_parameters():
            if fnmatchcase(key, pattern):
                value.data *= factor
    save_weights(network, spec, tmp_path / "start.safetensors")
    recipe = replace(recipe, start=tmp_path / "start.safetensors", distil=None)
    return recipe, data / ("both" if "extra" in spec.feed else "mine"), spec


def one_of_each() -> list[str]:
    """A recipe of every function that makes some: others differ in sizes and lengths."""
    first: dict[object, str] = {}
    for name, make in RECIPES.items():
        first.setdefault((getattr(make, "func", make), name.endswith(("-score", "-extra", "-motion"))), name)
    return list(first.values())


@pytest.mark.parametrize("name", one_of_each())
def test_two_steps_of_every_recipe_change_what_it_says_that_learns(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, folder, _ = prepared(name, data, tmp_path, monkeypatch)
    weights = fit(recipe, folder, tmp_path / "run")
    network, spec = load(weights)
    assert spec.name == recipe.name
    before, after = read_tensors(tmp_path / "start.safetensors"), read_tensors(weights)
    moved = {
        key
        for key in after
        if not torch.equal(before[key], after[key]) and not key.endswith(("running_mean", "running_var", "num_batches_tracked"))
    }
    assert moved
    assert all(bool(value.isfinite().all()) for value in after.values())
    learns = {
        key: next((rate.factor for rate in recipe.optim.rates if fnmatchcase(key, rate.pattern)), 1.0) > 0
        for key, _ in network.named_parameters()
    }
    ours = {rename(key, models.FAMILIES[spec.family].KEYS) for key in moved}
    assert not {key for key in ours if not learns.get(key, True)}


def test_the_rates_of_every_recipe_are_of_parameters_that_its_network_has() -> None:
    for name, make in RECIPES.items():
        recipe = make()
        with torch.device("meta"):
            names = [key for key, _ in models.FAMILIES[zoo.find(recipe.name).family].build(zoo.find(recipe.name).arch).named_parameters()]
        unused = [rate.pattern for rate in recipe.optim.rates if not any(fnmatchcase(key, rate.pattern) for key in names)]
        assert not unused, name
        assert recipe.objective in OBJECTIVES, name
        assert recipe.steps > 0, name


def test_every_family_is_trained_but_those_whose_filters_are_solved_for() -> None:
    trained = {zoo.find(make().name).family for make in RECIPES.values()}
    assert set(models.FAMILIES) - trained == NOT_TRAINED


def test_any_tracker_teaches_its_box(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, folder, _ = prepared("efficienttrack-faf-c128-d3", data, tmp_path, monkeypatch)
    recipe = replace(recipe, distil=Distil(teacher=tmp_path / "start.safetensors", box=2.0))
    fit(recipe, folder, tmp_path / "run")
    assert "distil_box" in (tmp_path / "run" / "log.jsonl").read_text()
