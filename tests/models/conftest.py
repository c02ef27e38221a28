"""Untrained networks are the same in every run and order of the tests."""

import pytest


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Start torch's generator anew for each test: an unlucky draw may put two cells so near that rounding picks the box."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
