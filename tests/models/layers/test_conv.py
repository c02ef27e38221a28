"""Convolutional blocks hold to what they stand for."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402  # after the check for torch

from sightline.models.layers.conv import CrossNorm  # noqa: E402


def test_the_norm_over_channels_is_torchs_own() -> None:
    torch.manual_seed(0)
    maps = torch.randn(2, 7, 5, 4)
    theirs = functional.local_response_norm(maps, 5, alpha=0.5, beta=0.75, k=2.0)
    torch.testing.assert_close(CrossNorm(5, alpha=0.5, beta=0.75, offset=2.0)(maps), theirs)
