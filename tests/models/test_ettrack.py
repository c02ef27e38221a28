"""E.T.Track: kernels that follow the picture."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402  # after the check for torch

from sightline import models, zoo  # noqa: E402
from sightline.models.ettrack import ExemplarLayer  # noqa: E402
from tests.models.stir import stirred  # noqa: E402


def layer(temperature: float = 2.0) -> ExemplarLayer:
    made = stirred(ExemplarLayer(6, 3, exemplars=3, query_width=5, hidden=8, temperature=temperature).eval())
    assert isinstance(made, ExemplarLayer)
    return made


def test_the_network_has_the_parameters_that_its_authors_construct() -> None:
    with torch.device("meta"):
        network = models.build(zoo.find("ettrack"))
    assert sum(parameter.numel() for parameter in network.parameters()) == 9_047_221


def test_different_pictures_are_given_different_kernels() -> None:
    torch.manual_seed(0)
    shares = layer().weigh(torch.randn(2, 6, 4, 4) + torch.tensor([-2.0, 2.0]).reshape(2, 1, 1, 1))
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2))
    assert (shares[0] - shares[1]).abs().max() > 0.05


def test_a_high_temperature_mixes_all_exemplars_alike() -> None:
    shares = layer(1e6).weigh(torch.randn(1, 6, 4, 4))
    torch.testing.assert_close(shares, torch.full((1, 3), 1 / 3), atol=1e-4, rtol=0.0)


def test_the_mixture_of_kernels_is_convolved_as_one_kernel() -> None:
    torch.manual_seed(0)
    made, x = layer(), torch.randn(1, 6, 5, 5)
    [share] = made.weigh(x)
    depth = sum(part * kernels.reshape(6, 1, 3, 3) for part, kernels in zip(share, made.depth_kernels, strict=True))
    mix = sum(part * kernels.reshape(6, 6, 1, 1) for part, kernels in zip(share, made.mix_kernels, strict=True))
    y = made.squeeze(torch.relu(made.depth_norm(functional.conv2d(x, depth, padding=1, groups=6))))
    y = torch.relu(made.mix_norm(functional.conv2d(y, mix))) + x
    tokens = made.norm1(y.permute(0, 2, 3, 1))
    tokens = made.norm2(tokens + made.down(torch.relu(made.up(tokens))))
    torch.testing.assert_close(made(x), tokens.permute(0, 3, 1, 2), atol=1e-5, rtol=1e-5)
