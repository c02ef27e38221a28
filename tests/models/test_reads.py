"""Which arrays a network is given."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the check for torch

from sightline import models  # noqa: E402


class Named(nn.Module):
    def step(self, search: Tensor, kernel: Tensor) -> dict[str, Tensor]:
        return {"box": search + kernel}


class AnyState(nn.Module):
    def step(self, search: Tensor, **state: Tensor) -> dict[str, Tensor]:
        return {"box": search + state["keys0"]}


@pytest.mark.parametrize("network,reads", [pytest.param(Named(), False, id="named"), pytest.param(AnyState(), True, id="any state")])
def test_state_that_is_not_named_goes_to_networks_that_take_any(network: nn.Module, reads: bool) -> None:
    assert models.reads(network, "step", "search")
    assert models.reads(network, "step", "keys0") is reads
