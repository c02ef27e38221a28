from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sightline import box as in_numpy  # noqa: E402  # after the check for torch
from sightline.models.layers import boxes as in_torch  # noqa: E402


@pytest.mark.parametrize("name", in_torch.__all__)
def test_a_conversion_in_torch_is_the_one_of_its_name_in_numpy(name: str) -> None:
    given = np.random.default_rng(0).normal(size=(3, 5, 4))
    expected = getattr(in_numpy, name)(given)
    np.testing.assert_allclose(getattr(in_torch, name)(torch.from_numpy(given)).numpy(), expected, atol=1e-12)
