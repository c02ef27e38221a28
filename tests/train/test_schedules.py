from __future__ import annotations

import pytest
import torch
from torch import nn

from sightline.errors import BadSpec
from sightline.train.recipe import Keep, Optim, Rate
from sightline.train.schedules import keep_at, make_optimiser, rate_at, set_rates


def test_the_rate_goes_up_in_a_line_and_down_as_the_schedule_says() -> None:
    cosine = Optim(rate=1.0, warmup=10, last=0.1)
    assert rate_at(cosine, 0, 110) == pytest.approx(0.1)
    assert rate_at(cosine, 9, 110) == 1.0
    assert rate_at(cosine, 60, 110) == pytest.approx(0.55)
    assert rate_at(cosine, 110, 110) == pytest.approx(0.1)
    drops = Optim(rate=1.0, warmup=0, schedule="drops", drops=(0.5, 0.8))
    assert [rate_at(drops, step, 100) for step in (49, 50, 79, 80)] == pytest.approx([1.0, 0.1, 0.1, 0.01])
    falling = Optim(rate=1e-2, last=1e-4, warmup=0, schedule="exponential")
    assert rate_at(falling, 50, 100) == pytest.approx(1e-3)
    assert rate_at(Optim(rate=1.0, warmup=10, warm_from=0.2), 0, 100) == pytest.approx(0.28)


def test_groups_learn_at_their_own_rate_from_their_own_time_on() -> None:
    network = nn.ModuleDict({"backbone": nn.Linear(2, 2), "head": nn.Linear(2, 2), "frozen": nn.Linear(2, 2)})
    rates = (Rate(pattern="frozen.*", factor=0.0), Rate(pattern="backbone.*", factor=0.1, since=0.5))
    optim = Optim(rate=1.0, warmup=0, schedule="drops", drops=(), rates=rates, decay=0.3, decay_vectors=False)
    optimiser = make_optimiser(network, optim)
    names = {id(value): name for name, value in network.named_parameters()}

    def at(step: int) -> dict[str, float]:
        set_rates(optimiser, optim, step, 10)
        return {names[id(value)]: group["lr"] for group in optimiser.param_groups for value in group["params"]}

    assert at(0) == {"backbone.weight": 0.0, "backbone.bias": 0.0, "head.weight": 1.0, "head.bias": 1.0}
    assert at(5)["backbone.weight"] == pytest.approx(0.1)
    assert not network["frozen"].weight.requires_grad
    assert {group["weight_decay"] for group in optimiser.param_groups} == {0.0, 0.3}


def test_a_rate_for_nothing_and_rates_of_zero_for_all_are_errors() -> None:
    with pytest.raises(BadSpec, match="no parameter is called 'neck"):
        make_optimiser(nn.Linear(2, 2), Optim(rate=1.0, rates=(Rate(pattern="neck.*"),)))
    with pytest.raises(BadSpec, match="no parameter learns"):
        make_optimiser(nn.Linear(2, 2), Optim(rate=1.0, rates=(Rate(pattern="*", factor=0.0),)))


def test_tokens_stay_until_the_warm_up_of_eliminations_and_then_leave() -> None:
    keep = Keep(since=20, warm=80, epochs=300)
    assert keep_at(keep, 0, 3000) == 1.0
    assert keep_at(keep, 200, 3000) == 1.0
    assert keep_at(keep, 600, 3000) == pytest.approx(0.85)
    assert keep_at(keep, 3000, 3000) == pytest.approx(0.7)
    assert keep_at(None, 5, 10) is None


def test_an_optimiser_of_each_kind_goes_downhill() -> None:
    for kind in ("adamw", "adam", "sgd"):
        layer = nn.Linear(1, 1)
        optim = Optim(rate=0.05, kind=kind, warmup=0)
        optimiser = make_optimiser(layer, optim)
        losses = []
        for _ in range(5):
            loss = (layer(torch.ones(1, 1)) - 3).square().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]
