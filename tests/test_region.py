from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.box import Box
from sightline.region import CROP_RULES, clip, region_around
from sightline.spec import Crop, CropRule

FRAME = (320, 240)
boxes = st.builds(Box, st.floats(-50, 330), st.floats(-50, 250), st.floats(0.5, 400), st.floats(0.5, 300))
crops = st.builds(Crop, rule=st.sampled_from(sorted(CROP_RULES)), factor=st.sampled_from([1.0, 2.0, 4.0]), size=st.sampled_from([32, 63]))


@given(boxes, boxes, crops)
def test_a_box_survives_the_way_into_the_crop_and_back(box: Box, other: Box, crop: Crop) -> None:
    region = region_around(box, crop, FRAME)
    assert region.to_frame(region.to_crop(other)) == pytest.approx(other, abs=1e-6)


@given(boxes, crops)
def test_a_crop_has_its_size_wherever_it_lies(box: Box, crop: Crop) -> None:
    image = np.zeros((FRAME[1], FRAME[0], 3), np.uint8)
    region = region_around(box, crop, FRAME)
    assert region.take(image).shape == (crop.size, crop.size, 3)
    assert region.padding().shape == (crop.size, crop.size)


@given(boxes, crops)
def test_the_box_lies_in_the_middle_of_its_own_crop(box: Box, crop: Crop) -> None:
    assert region_around(box, crop, FRAME).to_crop(box)[:2] == pytest.approx([0.5, 0.5], abs=1e-6)


@given(boxes)
def test_a_clipped_box_lies_in_the_frame_and_is_not_tiny(box: Box) -> None:
    x, y, w, h = clip(box, "margin", FRAME)
    assert w >= 10
    assert h >= 10
    assert x >= 0
    assert y >= 0
    assert x + w <= FRAME[0] + 1e-9
    assert y + h <= FRAME[1] + 1e-9


@pytest.mark.parametrize("rule", sorted(CROP_RULES))
def test_a_crop_far_outside_shows_only_the_fill_colour(rule: CropRule) -> None:
    image = np.full((240, 320, 3), 200, np.uint8)
    region = region_around(Box(5000, -4000, 20, 20), Crop(rule=rule, factor=2.0, size=16), FRAME, fill=(7.0, 8.0, 9.0))
    assert (region.take(image) == (7, 8, 9)).all()
    assert region.padding().all()


def test_the_last_column_of_a_frame_is_never_read_by_the_published_rule() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[:, -1] = 255
    region = region_around(Box(272, 88, 32, 32), Crop(factor=2.0, size=64), FRAME)
    assert region.x + region.side > 319
    assert region.take(image).max() == 0


def test_taking_a_crop_leaves_the_frame_alone_and_gives_a_new_array() -> None:
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    before = image.copy()
    crop = region_around(Box(100, 100, 32, 32), Crop(factor=2.0, size=64), FRAME).take(image)
    crop[:] = 0
    np.testing.assert_array_equal(image, before)
