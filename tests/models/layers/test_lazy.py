from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the check for torch
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from sightline.models.layers.decode import decode_center  # noqa: E402
from sightline.models.layers.heads import CenterBoxHead, CenterHead  # noqa: E402
from sightline.models.layers.lazy import find_center  # noqa: E402
from tests.models.stir import stirred  # noqa: E402

SIDE = 16


@pytest.mark.parametrize("kind", [CenterHead, CenterBoxHead])
def test_the_box_is_that_of_the_whole_maps_wherever_the_largest_response_is(kind: type[CenterHead | CenterBoxHead]) -> None:
    head = stirred(kind(6, 16)).double().eval()
    grid = torch.randn(SIDE * SIDE, 6, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    window = torch.eye(SIDE * SIDE, dtype=torch.float64).reshape(SIDE * SIDE, 1, SIDE, SIDE)  # the largest in every cell once
    with torch.inference_mode():
        box, score = find_center(head, grid, window)  # type: ignore[arg-type]  # as it was made
        expected_box, expected_score = decode_center(head(grid), window)
    torch.testing.assert_close(box, expected_box, atol=1e-12, rtol=0)
    torch.testing.assert_close(score, expected_score, atol=0, rtol=0)


def test_most_of_the_work_of_two_towers_is_saved() -> None:
    head: nn.Module = CenterHead(8, 16).eval()
    grid, window = torch.randn(1, 8, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE)

    def work(call: Callable[[], object]) -> int:
        with FlopCounterMode(display=False) as counter:
            call()
        return int(counter.get_total_flops())

    def dense() -> tuple[Tensor, Tensor]:
        return decode_center(head(grid), window)

    assert work(lambda: find_center(head, grid, window)) < 0.5 * work(dense)  # type: ignore[arg-type]  # as it was made
