from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate import masks


def square(x: int, y: int, side: int) -> np.ndarray:
    mask = np.zeros((60, 80), dtype=bool)
    mask[y : y + side, x : x + side] = True
    return mask


EMPTY = np.zeros((60, 80), dtype=bool)


def test_a_mask_agrees_with_itself() -> None:
    assert (masks.region_j(square(5, 5, 20), square(5, 5, 20)), masks.boundary_f(square(5, 5, 20), square(5, 5, 20))) == (1, 1)


def test_nothing_agrees_with_nothing_and_with_nothing_else() -> None:
    for measure in (masks.region_j, masks.boundary_f):
        assert measure(EMPTY, EMPTY) == 1
        assert measure(EMPTY, square(5, 5, 20)) == 0
        assert measure(square(5, 5, 20), EMPTY) == 0


def test_a_boundary_forgives_one_pixel_at_this_size_and_not_three() -> None:
    assert masks.boundary_f(square(6, 5, 20), square(5, 5, 20)) == 1
    assert masks.boundary_f(square(8, 8, 20), square(5, 5, 20)) < 0.5


def test_void_pixels_count_for_neither() -> None:
    both = square(5, 5, 20) | square(50, 30, 10)
    assert masks.region_j(both, square(5, 5, 20)) < 1
    assert masks.region_j(both, square(5, 5, 20), void=square(50, 30, 10)) == 1


def test_the_edge_of_the_image_is_no_boundary() -> None:
    assert not masks.boundary(np.ones((6, 8), dtype=bool)).any()


def test_decay_is_what_the_first_quarter_has_over_the_last() -> None:
    found = masks.statistics(np.array([1.0, 1, 0.6, 0.6, 0.6, 0.6, 0.4, 0.4]))
    assert found == pytest.approx((0.65, 0.75, np.mean([1, 1, 0.6]) - np.mean([0.6, 0.4, 0.4])))


def test_masks_of_two_sizes_are_refused() -> None:
    with pytest.raises(BadData, match="masks have shapes"):
        masks.region_j(EMPTY, EMPTY[:10])
