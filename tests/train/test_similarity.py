from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from sightline.errors import SightlineError
from sightline.methods.network import NetworkMethod
from sightline.models.session import untrained
from sightline.scene import Scene, render
from sightline.train.similarity import Example, cka, layers_of, recorded, similarity
from sightline.zoo import SPECS
from tests.fakes import FakeSession

RNG = np.random.default_rng(0)


def test_rotated_and_scaled_representations_are_the_same() -> None:
    a = RNG.normal(size=(40, 12))
    turn, _ = np.linalg.qr(RNG.normal(size=(12, 12)))
    assert cka(a, 3.0 * a @ turn + 5.0) == pytest.approx(1.0)


def test_unrelated_representations_have_nothing_in_common_however_wide_they_are() -> None:
    values = [cka(RNG.normal(size=(40, 2000)), RNG.normal(size=(40, 3000))) for _ in range(10)]
    assert abs(np.mean(values)) < 0.05  # with the biased estimator 0.98


def test_it_is_the_estimator_of_the_paper() -> None:
    a, b = RNG.normal(size=(9, 3)), RNG.normal(size=(9, 5))
    b[:, :3] += a

    def hsic(k: np.ndarray, m: np.ndarray) -> float:  # Song et al. 2012, equation 5, term by term, without centring
        n, one = len(k), np.ones(len(k))
        k, m = (gram - np.diag(np.diag(gram)) for gram in (k, m))
        return float(
            (np.trace(k @ m) + one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3))
        )

    k, m = a @ a.T, b @ b.T
    assert cka(a, b) == pytest.approx(hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m)))


def test_a_layer_that_never_changes_is_like_nothing() -> None:
    assert np.isnan(cka(np.ones((8, 3)), RNG.normal(size=(8, 3))))


def test_blocks_and_stages_are_the_layers_and_a_pattern_names_others() -> None:
    block = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    network = nn.ModuleDict(
        {"blocks": nn.ModuleList([nn.Sequential(block, nn.Linear(2, 2)), nn.Bilinear(2, 2, 2)]), "head": nn.Linear(2, 2)}
    )
    assert list(layers_of(network)) == ["blocks.0.0", "blocks.0.1", "blocks.1"]
    assert list(layers_of(network, r"head|blocks\.\d")) == ["blocks.0", "blocks.1", "head"]


def test_hooks_are_gone_afterwards() -> None:
    layer = nn.Linear(2, 2)
    with recorded({"it": layer}) as seen:
        layer(torch.zeros(1, 2))
    assert seen["it"].shape == (1, 2)
    seen.clear()
    layer(torch.zeros(1, 2))
    assert not seen


@pytest.fixture(scope="module")
def examples() -> Sequence[Example]:
    shots = [list(render(Scene(seed=seed, num_frames=2, size=(160, 120)))) for seed in range(6)]
    return [Example(first.frame, first.box, then.frame) for first, then in shots]


def method(seed: int) -> NetworkMethod:
    spec = SPECS["kestrel-nano"]
    return NetworkMethod(untrained(spec, seed=seed))


def test_a_network_is_like_itself_and_unlike_another_in_its_blocks(examples: Sequence[Example]) -> None:
    same, other = similarity(method(0), method(0), examples), similarity(method(0), method(1), examples)
    assert same.rows == same.columns
    assert np.diag(same.values) == pytest.approx(np.ones(len(same.rows)))
    assert "blocks.0" in other.rows
    assert np.nanmean(np.diag(other.values)) < 0.999


def test_what_cannot_be_compared_is_said(examples: Sequence[Example]) -> None:
    with pytest.raises(SightlineError, match="3 examples are too few"):
        similarity(method(0), method(0), examples[:3])
    with pytest.raises(SightlineError, match="does not run in torch"):
        similarity(NetworkMethod(FakeSession()), method(0), examples)
    with pytest.raises(SightlineError, match="none that runs matches 'nothing'"):
        similarity(method(0), method(0), examples, pattern="nothing")
