from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from sightline.train.targets import heatmap_target

SHARE = st.floats(0.0625, 0.875, width=32)


@given(SHARE, SHARE, SHARE, SHARE)
def test_the_map_is_one_at_the_cell_nearest_to_the_centre_and_nowhere_above(cx: float, cy: float, w: float, h: float) -> None:
    target = heatmap_target(torch.tensor([[cx - w / 2, cy - h / 2, w, h]]), 16)[0]
    row, column = divmod(int(target.argmax()), 16)
    assert float(target.max()) == 1.0
    assert (target == 1).sum() == 1
    assert abs(column - cx * 16) <= 0.5 + 1e-4
    assert abs(row - cy * 16) <= 0.5 + 1e-4


@given(SHARE, SHARE)
def test_the_map_falls_off_alike_on_both_sides(w: float, h: float) -> None:
    target = heatmap_target(torch.tensor([[0.5 - w / 2, 0.5 - h / 2, w, h]]), 16)[0]
    inner = target[1:, 1:]  # around cell 8, its middle
    assert torch.equal(inner, inner.flip(0))
    assert torch.equal(inner, inner.flip(1))


def test_larger_boxes_have_wider_maps() -> None:
    small, large = heatmap_target(torch.tensor([[0.45, 0.45, 0.1, 0.1], [0.2, 0.2, 0.6, 0.6]]), 16)
    assert large.sum() > small.sum()


def test_a_centre_on_the_far_border_marks_no_cell() -> None:
    target = heatmap_target(torch.tensor([[0.9, 0.9, 0.2, 0.2]]), 16)
    assert target.max() < 1
