from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.box import iou
from sightline.errors import BadData
from sightline.evaluate.regions import corners_of, raster_overlap, raster_overlap_old

SIZE = (40, 30)
numbers = st.integers(-10, 45)
boxes = st.builds(lambda x, y, w, h: np.array([x, y, w, h], dtype=float), numbers, numbers, st.integers(2, 20), st.integers(2, 20))


def region(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


INSIDE = region(10, 10, 0, 0)  # moves any of them into an image of 100 x 100


@given(boxes)
def test_a_box_and_its_mask_are_the_same_region(box: np.ndarray) -> None:
    mask = np.zeros(SIZE[::-1], dtype=bool)
    x, y, w, h = box.astype(int)
    mask[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = True
    if min(mask.any(axis=0).sum(), mask.any(axis=1).sum()) > 1:  # one row or column inside the image is not counted, as published
        assert raster_overlap(box, mask, SIZE) == 1.0


@given(boxes, boxes)
def test_whole_boxes_inside_the_image_overlap_as_geometry_has_it(a: np.ndarray, b: np.ndarray) -> None:
    a, b = a + INSIDE, b + INSIDE
    assert raster_overlap(a, b, (100, 100)) == pytest.approx(float(iou(a, b)))


@given(boxes, boxes)
def test_the_older_rule_counts_one_pixel_more_each_way(a: np.ndarray, b: np.ndarray) -> None:
    a, b = a + INSIDE, b + INSIDE
    grown = float(iou(a + region(0, 0, 1, 1), b + region(0, 0, 1, 1)))
    touching = not float(iou(a, b))  # boxes that share an edge only: no common area, and left at that
    assert raster_overlap_old(a, b, (100, 100)) == pytest.approx(0.0 if touching else grown)


@given(boxes, boxes)
def test_overlap_does_not_depend_on_the_order(a: np.ndarray, b: np.ndarray) -> None:
    assert raster_overlap(a, b, SIZE) == raster_overlap(b, a, SIZE)
    np.testing.assert_equal(raster_overlap_old(a, b, SIZE), raster_overlap_old(b, a, SIZE))


def test_a_polygon_covers_its_edges_and_corners() -> None:
    triangle = region(0, 0, 4, 0, 0, 4)
    mask = np.tri(5, dtype=bool)[::-1]
    assert raster_overlap(triangle, mask, SIZE) == 1.0


def test_numbers_are_rounded_half_to_even_before_they_are_counted() -> None:
    assert raster_overlap(region(0.5, 1.5, 10, 10), region(0, 2, 10, 10), SIZE) == 1.0


def test_a_code_has_no_overlap_by_the_newer_rule_and_no_number_by_the_older() -> None:
    assert raster_overlap(region(1), region(5, 5, 10, 10), SIZE) == 0.0
    assert np.isnan(raster_overlap_old(region(1), region(5, 5, 10, 10), SIZE))


def test_two_empty_regions_agree() -> None:
    assert raster_overlap(region(0, 0, 0, 0), region(0, 0, 0, 0), SIZE) == 1.0
    assert np.isnan(raster_overlap_old(region(3, 3, 0, 5), region(3, 3, 0, 5), SIZE))


def test_what_lies_outside_the_image_does_not_count() -> None:
    assert raster_overlap(region(-10, 0, 20, 10), region(0, 0, 10, 10), SIZE) == 1.0
    assert raster_overlap(region(-30, 0, 10, 10), region(-30, 0, 10, 10), SIZE) == 0.0


def test_numbers_that_are_no_region_are_refused() -> None:
    with pytest.raises(BadData, match="a region of 5 numbers"):
        corners_of(region(1, 2, 3, 4, 5))
