from __future__ import annotations

import cv2
import numpy as np
import pytest

from sightline.box import Box
from sightline.mask import Mask
from sightline.placement import region_around
from sightline.region import part_of
from sightline.spec import Crop

SIZE = (100, 80)  # of a frame


def test_a_mask_lies_in_its_part_of_the_frame_and_nowhere_else() -> None:
    shown = Mask(np.ones((10, 10), np.float32), Box(20, 30, 40, 20)).shows(SIZE)
    rows, columns = np.nonzero(shown)
    assert shown.shape == (80, 100)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == pytest.approx(
        (30, 50, 20, 60), abs=3
    )  # of a cell of 4 x 2 pixels
    assert shown[33:47, 24:56].all()


def test_a_mask_may_lie_partly_outside_the_frame() -> None:
    pasted = Mask(np.ones((10, 10), np.float32), Box(-20, -10, 40, 40)).paste(SIZE)
    assert pasted.dtype == np.float32
    assert pasted[:25, :15].min() == 1.0
    assert not pasted[:, 25:].any()


@pytest.mark.parametrize("above,num", [pytest.param(0.5, 2, id="higher half"), pytest.param(0.15, 4, id="all but the lowest")])
def test_pixels_count_where_their_value_is_above_the_threshold(above: float, num: int) -> None:
    values = np.repeat(np.array([[0.1, 0.2, 0.4, 0.6, 0.8]], np.float32), 5, axis=0)
    mask = Mask(np.kron(values, np.ones((20, 20), np.float32)), Box(0, 0, 100, 100), above)
    assert mask.shows((100, 100)).mean() == pytest.approx(num / 5, abs=0.03)


def drawn(*rectangles: tuple[tuple[float, float], tuple[float, float], float]) -> Mask:
    """A mask of a whole frame with rectangles: centre, size, angle in degrees."""
    picture = np.zeros((SIZE[1], SIZE[0]), np.float32)
    for rectangle in rectangles:
        cv2.fillPoly(picture, [np.round(cv2.boxPoints(rectangle)).astype(np.int32)], 1.0)
    return Mask(picture, Box(0, 0, *SIZE))


def test_corners_lie_around_a_turned_target() -> None:
    turned = ((50.0, 40.0), (40.0, 16.0), 30.0)
    corners = drawn(turned).corners(SIZE)
    assert corners is not None
    expected = cv2.boxPoints(turned)
    distances = np.linalg.norm(corners[:, None] - expected[None], axis=2)
    assert distances.min(axis=1).max() < 2.5
    assert sorted(distances.argmin(axis=1).tolist()) == [0, 1, 2, 3]


def test_the_largest_part_is_the_target_and_crumbs_are_none() -> None:
    corners = drawn(((20.0, 20.0), (12.0, 12.0), 0.0), ((70.0, 50.0), (30.0, 20.0), 0.0)).corners(SIZE)
    assert corners is not None
    np.testing.assert_allclose(corners.mean(axis=0), (70, 50), atol=1.5)
    assert drawn(((20.0, 20.0), (8.0, 8.0), 0.0)).corners(SIZE) is None
    assert drawn().corners(SIZE) is None


def test_a_part_of_a_crop_is_mapped_by_the_pixels_that_were_cut() -> None:
    region = region_around(Box(40, 30, 21, 17), Crop(rule="context-floor", factor=2.0, size=64), SIZE)
    whole = part_of(region, np.array([0.5, 0.5, 1.0, 1.0]))
    assert whole.centre == pytest.approx((50.5, 38.5))
    assert (whole.w, whole.h) == (region.width, region.height)
    assert part_of(region, np.array([0.25, 0.75, 0.5, 0.5])) == pytest.approx((whole.x, whole.y + whole.h / 2, whole.w / 2, whole.h / 2))
