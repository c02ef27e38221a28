from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from sightline.models.layers.orders import Order, join, partition, split, unpartition  # noqa: E402  # after the check for torch

ORDERS: tuple[Order, ...] = ("direct", "template-central", "partition")


@given(st.integers(1, 9), st.integers(0, 40), st.sampled_from(ORDERS))
def test_a_line_of_tokens_comes_apart_as_it_was_joined_whatever_is_left_of_the_search(side: int, num_search: int, order: Order) -> None:
    template, search = torch.randn(2, side * side, 3), torch.randn(2, num_search, 3)
    apart = split(join(template, search, order), side * side, order)
    assert torch.equal(apart[0], template)
    assert torch.equal(apart[1], search)


def test_the_template_stands_in_the_middle_of_the_search_tokens() -> None:
    line = join(torch.tensor([[10, 11]]), torch.arange(5).unsqueeze(0), "template-central")
    assert line.tolist() == [[0, 1, 10, 11, 2, 3, 4]]


def test_the_lower_half_of_a_template_moves_to_the_right_of_the_upper_half() -> None:
    assert partition(torch.arange(16).unsqueeze(0)).tolist() == [[0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15]]


def test_an_odd_template_gets_a_row_of_zeros_on_top() -> None:
    moved = partition(torch.arange(1, 10).unsqueeze(0))
    assert moved.tolist() == [[0, 0, 0, 4, 5, 6, 1, 2, 3, 7, 8, 9]]
    assert unpartition(moved, 3).tolist() == [list(range(1, 10))]
