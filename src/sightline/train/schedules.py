"""What changes in the course of a run: the learning rate, which parameters learn, how many tokens stay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from sightline.errors import BadSpec
from sightline.models.layers.eliminate import keep_rate
from sightline.train.recipe import Keep, Optim, Rate

__all__ = ["keep_at", "make_optimiser", "rate_at", "set_rates"]


def rate_at(optim: Optim, step: int, steps: int) -> float:
    """Learning rate of a step: up in a line, then down as `Optim.schedule` says."""
    if step < optim.warmup:
        return optim.rate * (optim.warm_from + (1 - optim.warm_from) * (step + 1) / optim.warmup)
    done = (step - optim.warmup) / max(1, steps - optim.warmup)
    if optim.schedule == "cosine":
        return optim.last + (optim.rate - optim.last) * 0.5 * (1 + math.cos(math.pi * done))
    if optim.schedule == "exponential":
        return float(optim.rate * (optim.last / optim.rate) ** done)
    return optim.rate * optim.drop ** sum(step >= share * steps for share in optim.drops)


def keep_at(keep: Keep | None, step: int, steps: int) -> float | None:
    """The share of search tokens that stays at eliminations; None: the network's own. Ye et al., ECCV 2022 (OSTrack)."""
    if keep is None:
        return None
    epoch = int(step / max(1, steps) * keep.epochs)
    return keep_rate(epoch, base=keep.base, start=keep.since, warm=keep.warm)


def make_optimiser(network: nn.Module, optim: Optim) -> torch.optim.Optimizer:
    """Over all parameters that ever learn; the others get no gradient. Each group remembers its `factor` and `since` (`set_rates`).

    Raises:
        BadSpec: a rate is for parameters that are not there, or nothing learns.
    """
    names = [name for name, _ in network.named_parameters()]
    for rate in optim.rates:
        if not any(fnmatchcase(name, rate.pattern) for name in names):
            raise BadSpec(f"no parameter is called {rate.pattern!r}; there are {names[0]}, ..., {names[-1]}.")
    groups: dict[tuple[float, float, float], list[nn.Parameter]] = {}
    for name, value in network.named_parameters():
        row = _row(name, optim.rates)
        if row.factor == 0:
            value.requires_grad_(False)
            continue
        plain = optim.decay_vectors or value.squeeze().ndim > 1
        groups.setdefault((row.factor, row.since, optim.decay * row.decay if plain else 0.0), []).append(value)
    if not groups:
        raise BadSpec("no parameter learns: all rates are 0.")
    listed: list[dict[str, Any]] = [
        {"params": values, "factor": factor, "since": since, "weight_decay": decay} for (factor, since, decay), values in groups.items()
    ]
    if optim.kind == "sgd":
        return torch.optim.SGD(listed, lr=optim.rate, momentum=optim.momentum)
    return (torch.optim.AdamW if optim.kind == "adamw" else torch.optim.Adam)(listed, lr=optim.rate, betas=optim.betas)


def set_rates(optimiser: torch.optim.Optimizer, optim: Optim, step: int, steps: int) -> None:
    """Give every group its rate of a step; groups that do not learn yet have the rate 0."""
    rate = rate_at(optim, step, steps)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"] if step >= group["since"] * steps else 0.0


def _row(name: str, rates: Sequence[Rate]) -> Rate:
    """The first row whose pattern fits a parameter's name."""
    return next((row for row in rates if fnmatchcase(name, row.pattern)), Rate(pattern="*"))
