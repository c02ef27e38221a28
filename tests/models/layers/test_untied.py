from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sightline.models.layers.untied import pair_index  # noqa: E402  # after the check for torch

GRIDS = ((2, 2), (4, 4))


@pytest.mark.parametrize("queries,keys,shape,num", [((0,), (0,), (4, 4), 9), ((0,), (1,), (4, 16), 25), ((1,), (0,), (16, 4), 25)])
def test_one_grid_that_reads_another_has_a_number_for_every_distance(
    queries: tuple[int, ...], keys: tuple[int, ...], shape: tuple[int, int], num: int
) -> None:
    index = pair_index(GRIDS, queries, keys)
    assert index.shape == shape
    np.testing.assert_array_equal(np.unique(index), np.arange(num))


def test_numbers_rise_with_the_rows_and_then_the_columns_that_a_query_lies_behind_its_key() -> None:
    index = pair_index(GRIDS, (0,), (1,))
    assert index[0, 15] == 0  # three rows and three columns before it
    assert index[1, 15] == 1
    assert index[3, 0] == 24


def test_without_a_choice_all_grids_hold_keys() -> None:
    assert pair_index(GRIDS, (1,)).shape == (16, 20)
