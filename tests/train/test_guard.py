from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sightline.errors import BadData
from sightline.models.checkpoint import read_tensors
from sightline.models.kestrel import Kestrel
from sightline.train import fit
from sightline.train.guard import in_gradients, in_modules, watching
from sightline.train.recipe import Guard
from tests.train.made import RECIPE, make_data

GUARDED = replace(RECIPE, guard=Guard(then="skip", activations=True))


class Overflowing(nn.Module):
    """The second of three layers divides by what is 0 in the sample with a 0."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Identity(), nn.Identity()
        self.middle = Inverse()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(self.first(x)))  # type: ignore[no-any-return]  # nn.Module calls are Any


class Inverse(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 1 / x


def test_the_module_and_the_sample_are_named() -> None:
    network = Overflowing()
    given = torch.tensor([[1.0, 2.0], [3.0, 0.0], [4.0, 5.0]])
    trouble = in_modules(network, lambda: network(given), ["a", "b", "c"])
    assert trouble is not None
    assert (trouble.what, trouble.where, trouble.samples) == ("activation", "middle", ("b",))
    assert str(trouble) == "the activation of middle is not finite, for b"


def test_what_is_finite_is_no_trouble() -> None:
    network = Overflowing()
    assert in_modules(network, lambda: network(torch.ones(2, 2)), ["a", "b"]) is None
    assert in_gradients(network, ["a"]) is None


def test_an_activation_is_noticed_even_where_the_loss_is_finite() -> None:
    network = Overflowing()
    with watching(network, active=True) as all_finite:
        loss = network(torch.tensor([0.0, 1.0]))[1]
    assert loss.isfinite()
    assert not all_finite()
    with watching(network, active=False) as all_finite:
        network(torch.zeros(1))
    assert all_finite()


def test_the_parameter_whose_gradient_is_not_finite_is_named() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    network(torch.ones(1, 2)).sum().backward()
    gradient = network.get_parameter("1.weight").grad
    assert gradient is not None
    gradient[0, 0] = torch.nan
    trouble = in_gradients(network, ["a", "b"])
    assert trouble is not None
    assert (trouble.what, trouble.where) == ("gradient", "1.weight")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps, counted by calls, in which the network's last norm says something infinite; to be filled."""
    steps: list[int] = []
    calls = [0]
    plain = Kestrel.read_search

    def read(self: Kestrel, *given: object) -> Tensor:
        found: Tensor = plain(self, *given)  # type: ignore[arg-type]  # as given
        if self.training:
            calls[0] += 1
            if calls[0] in steps or -1 in steps:
                self.norm(torch.full_like(found, torch.inf))
                return found * torch.inf
        return found

    monkeypatch.setattr(Kestrel, "read_search", read)
    return steps


def test_a_step_that_is_not_finite_stops_the_run_and_names_the_module(data: Path, tmp_path: Path, broken: list[int]) -> None:
    broken += [-1]
    with pytest.raises(BadData, match=r"step 1: the activation of norm is not finite, for pair 0, pair 1; lower the rate"):
        fit(RECIPE, data, tmp_path)


def test_a_step_that_is_not_finite_is_skipped_and_noted(data: Path, tmp_path: Path, broken: list[int]) -> None:
    broken += [1, 2]  # the second call looks for the module
    weights = fit(GUARDED, data, tmp_path)
    assert all(bool(value.isfinite().all()) for value in read_tensors(weights).values())
    assert "step 1: the activation of norm is not finite" in (tmp_path / "notes.txt").read_text()
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["step"] == 2


def test_too_many_skipped_steps_are_an_error(data: Path, tmp_path: Path, broken: list[int]) -> None:
    broken += [-1]
    with pytest.raises(BadData, match="step 2"):
        fit(replace(GUARDED, guard=Guard(then="skip", most=1)), data, tmp_path)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_too(precision: str, data: Path, tmp_path: Path) -> None:
    def watch(line: Mapping[str, float]) -> None:
        assert all(value == value for value in line.values())

    weights = fit(replace(RECIPE, precision=precision, steps=3), data, tmp_path, report=watch)  # type: ignore[arg-type]  # one of the names
    notes = tmp_path / "notes.txt"
    if not torch.cuda.is_available():
        assert (notes.is_file() and "compute float16" in notes.read_text()) == (precision == "float16")
    assert all(bool(value.isfinite().all()) for value in read_tensors(weights).values())
