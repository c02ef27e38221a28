from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from sightline.errors import BadSpec  # noqa: E402  # after the check for torch
from sightline.models.layers.decode import target_corners  # noqa: E402
from sightline.models.litetrack import LiteTrack, build  # noqa: E402
from sightline.zoo.litetrack import Arch  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SMALL = Arch(depth=3, mixing=2, width=32, heads=2, head_width=16)


def made(arch: Arch = SMALL) -> LiteTrack:
    torch.manual_seed(0)
    network = stirred(build(arch)).eval()
    assert isinstance(network, LiteTrack)
    return network


def template(batch: int = 1) -> Any:
    return torch.randint(0, 256, (batch, 128, 128, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def test_the_state_holds_keys_and_values_of_the_mixing_blocks_only() -> None:
    with torch.inference_mode():
        state = made().init(template(2), torch.tensor([[0.5, 0.5, 0.4, 0.6]]).repeat(2, 1))
    assert {name: tuple(value.shape) for name, value in state.items()} == {"keys": (2, 2, 2, 64, 16), "values": (2, 2, 2, 64, 16)}


def test_the_shape_of_the_target_reaches_the_template() -> None:
    network = made()
    with torch.inference_mode():
        wide, high = (network.init(template(), torch.tensor([[0.5, 0.5, *size]]))["keys"] for size in ((0.7, 0.3), (0.3, 0.7)))
    assert (wide - high).abs().max() > 1e-4


def test_the_target_is_told_by_corners_half_a_pixel_up_and_left() -> None:
    corners = target_corners(torch.tensor([[0.5, 0.5, 0.25, 0.75]]), 128)
    torch.testing.assert_close(corners * 128, torch.tensor([[47.5, 15.5, 79.5, 111.5]]))


@pytest.mark.parametrize("mixing", [0, 4])
def test_a_number_of_mixing_blocks_that_cannot_be_is_refused(mixing: int) -> None:
    with pytest.raises(BadSpec, match="of 3 blocks mix"):
        build(replace(SMALL, mixing=mixing))
