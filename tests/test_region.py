from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sightline.box import Box
from sightline.errors import BadSpec
from sightline.placement import CLIP_RULES, CROP_RULES, REPORT_RULES, SEEK_RULES, START_RULES, clip, crop_for, region_around
from sightline.region import Region
from sightline.spec import COPIED, Crop, CropRule, Zoom

FRAME = (320, 240)
boxes = st.builds(Box, st.floats(-50, 330), st.floats(-50, 250), st.floats(0.5, 400), st.floats(0.5, 300))
crops = st.builds(Crop, rule=st.sampled_from(sorted(CROP_RULES)), factor=st.sampled_from([1.0, 2.0, 4.0]), size=st.sampled_from([32, 63]))


@given(boxes, st.sampled_from([1.4, 5.0]))
def test_what_is_stretched_outward_holds_the_whole_of_it_and_less_than_a_pixel_more(box: Box, factor: float) -> None:
    region = region_around(box, Crop(rule="stretch-outward", factor=factor, size=32), FRAME)
    exact = Box(box.centre[0] - factor * box.w / 2, box.centre[1] - factor * box.h / 2, factor * box.w, factor * box.h)
    for start, length, cut, cut_length in ((exact.x, exact.w, region.x, region.width), (exact.y, exact.h, region.y, region.height)):
        assert Fraction(start) - 1 < cut <= start + 1e-6  # exact: a float rounds -1.0000000000000002 - 1 to -2
        assert start + length - 1e-6 <= cut + cut_length < start + length + 1 + 1e-6
    assert region.frame == (region.x, region.y, region.width, region.height)


def test_a_box_that_stays_inside_is_cut_at_the_frame_and_at_least_three_pixels_wide() -> None:
    assert clip(Box(-5.5, 10.25, 20, 30), "inside", FRAME) == pytest.approx((0, 10.25, 14.5, 30))
    assert clip(Box(50, 50, 0.5, 0.25), "inside", FRAME) == pytest.approx((50, 50, 3, 3))


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


@given(boxes, crops.filter(lambda crop: crop.rule not in {"sides", "stretch-outward"} and not crop.rule.startswith("patch")))
def test_the_box_lies_in_the_middle_of_its_own_crop(box: Box, crop: Crop) -> None:
    assert region_around(box, crop, FRAME).to_crop(box)[:2] == pytest.approx([0.5, 0.5], abs=1e-6)


@given(boxes, crops.filter(lambda crop: not crop.rule.startswith("patch")))
def test_what_is_cut_lies_where_boxes_are_mapped_to_within_the_rounding(box: Box, crop: Crop) -> None:
    region = region_around(box, crop, FRAME)
    cut = (region.x, region.y, region.x + region.width, region.y + region.height)
    exact = (region.frame.x, region.frame.y, region.frame.x + region.frame.w, region.frame.y + region.frame.h)
    assert cut == pytest.approx(exact, abs=1.6)


@given(boxes, crops, st.sampled_from(["patch", "patch-mostly", "patch-round"]))
def test_a_patch_lies_where_boxes_are_mapped_to_within_the_pixels_it_leaves_out(box: Box, crop: Crop, rule: CropRule) -> None:
    region = region_around(box, replace(crop, rule=rule), FRAME)
    assert isinstance(region, Region)
    cut = (region.x, region.y, region.x + region.width, region.y + region.height)
    exact = (region.frame.x, region.frame.y, region.frame.x + region.frame.w, region.frame.y + region.frame.h)
    assert cut == pytest.approx(exact, abs=2.5 * region.stride)


def test_sides_keep_no_aspect_and_are_cut_toward_zero() -> None:
    region = region_around(Box(3, 40, 21, 10), Crop(rule="sides", factor=0.2, size=128), FRAME)
    assert (region.x, region.y, region.width, region.height) == (-1, 38, 29, 14)
    assert region.frame == Box(-1, 38, 29, 14)
    assert region.to_frame(np.array([0.5, 0.5, 1.0, 1.0])) == pytest.approx((-1, 38, 29, 14))
    assert region.take(np.zeros((240, 320, 3), np.uint8)).shape == (128, 128, 3)


def test_inclusive_squares_differ_in_how_a_half_is_rounded() -> None:
    box = Box(92, 92, 16, 16)  # its square is 32 pixels wide, from 83.5
    floor, even = (region_around(box, Crop(rule=rule, factor=1.0, size=16), FRAME) for rule in ("context-floor", "context-round"))
    assert (floor.x, floor.width) == (84, 32)
    assert (even.x, even.width) == (84, 32)
    moved = box._replace(x=93)
    floor, even = (region_around(moved, Crop(rule=rule, factor=1.0, size=16), FRAME) for rule in ("context-floor", "context-round"))
    assert (floor.x, even.x) == (85, 84)


def test_a_small_target_is_searched_larger_at_the_same_scale() -> None:
    crop = Crop(rule="context-round", factor=256 / 127, size=256, small=(0.004, 288))
    assert crop_for(Box(10, 10, 40, 40), crop, FRAME) == crop
    larger = crop_for(Box(10, 10, 17, 18), crop, FRAME)
    assert larger.size == 288
    assert larger.factor / larger.size == pytest.approx(crop.factor / crop.size)


@given(boxes)
def test_whole_boxes_lie_in_the_frame(box: Box) -> None:
    x, y, w, h = START_RULES["whole"](box, FRAME)
    assert all(value == round(value) for value in (x, y, w, h))
    assert w >= 3
    assert h >= 3
    assert x >= 0
    assert y >= 0
    assert x + w <= FRAME[0]
    assert y + h <= FRAME[1]


@pytest.mark.parametrize(
    "box,expected",
    [
        ((10.5, 11.5, 20.5, 21.5), (10, 12, 20, 22)),  # half to even
        ((-5, 10, 20, 20), (0, 10, 20, 20)),
        ((310, 10, 20, 20), (310, 10, 10, 20)),
        ((318, 10, 20, 1), (317, 10, 3, 3)),
        ((400, -50, 20, 2), (317, 0, 3, 3)),
    ],
    ids=["inside", "over the left edge", "over the right edge", "at the right edge", "outside"],
)
def test_a_whole_box_is_rounded_and_pushed_inside(box: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert clip(Box(*box), "whole", FRAME) == expected


@given(boxes)
def test_a_box_clipped_by_its_centre_may_reach_over_the_edge_but_not_leave(box: Box) -> None:
    clipped = CLIP_RULES["centre"](box, FRAME)
    cx, cy = clipped.centre
    assert -1e-9 <= cx <= FRAME[0] + 1e-9
    assert -1e-9 <= cy <= FRAME[1] + 1e-9
    assert 10 <= clipped.w <= FRAME[0]
    assert 10 <= clipped.h <= FRAME[1]


def test_a_start_half_a_pixel_early_and_a_report_with_its_corner_inside() -> None:
    assert START_RULES["half-pixel"](Box(10, 20, 30, 40), FRAME) == (9.5, 19.5, 30, 40)
    assert REPORT_RULES["corner"](Box(-4, 20, 30, 40), FRAME) == (0, 20, 30, 40)


@given(boxes)
def test_a_clipped_box_lies_in_the_frame_and_is_not_tiny(box: Box) -> None:
    x, y, w, h = clip(box, "margin", FRAME)
    assert w >= 10
    assert h >= 10
    assert x >= 0
    assert y >= 0
    assert x + w <= FRAME[0] + 1e-9
    assert y + h <= FRAME[1] + 1e-9


@pytest.mark.parametrize("rule", sorted(set(CROP_RULES) - {"patch-mostly"}))  # which is moved inside
def test_a_crop_far_outside_shows_only_the_fill_colour(rule: CropRule) -> None:
    image = np.full((240, 320, 3), 200, np.uint8)
    region = region_around(Box(5000, -4000, 20, 20), Crop(rule=rule, factor=2.0, size=16), FRAME, fill=(7.0, 8.0, 9.0))
    assert (region.take(image) == (7, 8, 9)).all()
    assert region.padding().all()


@given(
    st.builds(Box, st.floats(-300, 330), st.floats(-300, 250), st.floats(1, 330), st.floats(1, 250)),
    st.sampled_from([16, 32, 63, 64]),
    st.sampled_from(["stretch-outward", "ceil-area"]),
    st.sampled_from([1, -1]),
)
def test_a_cut_that_is_not_copied_gives_the_same_crop_within_1(box: Box, size: int, rule: CropRule, channels: int) -> None:
    image: Any = np.random.default_rng(0).integers(0, 256, (FRAME[1], FRAME[0], 3), np.uint8)[..., ::channels]
    crop, fill = Crop(rule=rule, factor=5.0, size=size), (10.3, 120.5, 250.8)
    copied, read = (region_around(box, replace(crop, copied=most), FRAME, fill) for most in (10**9, size * size))
    assume(min(read.width, read.height) >= size)  # a smaller one is never of more pixels than are copied
    np.testing.assert_allclose(read.take(image).astype(int), copied.take(image).astype(int), rtol=0, atol=1)


@given(
    st.builds(Box, st.floats(-300, 330), st.floats(-300, 250), st.floats(1, 330), st.floats(1, 250)),
    st.sampled_from([16, 32, 63, 64]),
    st.sampled_from(["stretch-outward", "ceil-area"]),
)
def test_what_is_not_copied_changes_no_bit_of_a_crop(box: Box, size: int, rule: CropRule) -> None:
    image = np.random.default_rng(0).integers(0, 256, (FRAME[1], FRAME[0], 3), np.uint8)
    region = region_around(box, Crop(rule=rule, factor=5.0, size=size), FRAME, fill=(10.3, 120.5, 250.8))
    assert isinstance(region, Region)
    whole: Any = cv2.resize(region.cut(image), (size, size), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(region.take(image), whole)


@pytest.mark.parametrize("copied", [COPIED, 64 * 64])
def test_a_much_larger_cut_that_lies_partly_outside_is_never_made(monkeypatch: pytest.MonkeyPatch, copied: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    region = region_around(Box(0, 0, 200, 200), Crop(rule="stretch-outward", factor=5.0, size=64, copied=copied), FRAME)
    crop = region.take(image)
    monkeypatch.delattr(Region, "cut")
    np.testing.assert_array_equal(region.take(image), crop)


def test_the_last_column_of_a_frame_is_never_read_by_the_published_rule() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[:, -1] = 255
    region = region_around(Box(272, 88, 32, 32), Crop(factor=2.0, size=64), FRAME)
    assert region.x + region.width > 319
    assert region.take(image).max() == 0


def test_taking_a_crop_leaves_the_frame_alone_and_gives_a_new_array() -> None:
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    before = image.copy()
    crop = region_around(Box(100, 100, 32, 32), Crop(factor=2.0, size=64), FRAME).take(image)
    crop[:] = 0
    np.testing.assert_array_equal(image, before)


def test_what_lies_outside_keeps_its_exact_colour_where_the_crop_is_padded_after_resizing() -> None:
    crop = Crop(rule="context-ceil", factor=1.5, size=64, border="first-mean", pixels="float32", padded="after")
    image = np.full((40, 60, 3), 200, np.uint8)
    taken = region_around(Box(0, 0, 10, 10), crop, (60, 40), fill=(10.25, 20.5, 30.75)).take(image)
    assert taken.dtype == np.float32
    assert taken.shape == (64, 64, 3)
    assert set(map(tuple, np.unique(taken.reshape(-1, 3), axis=0).tolist())) == {(10.25, 20.5, 30.75), (200.0, 200.0, 200.0)}  # no blend


def test_pixels_as_floats_are_not_rounded_by_the_resizing() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    whole, exact = (
        region_around(Box(10, 10, 10, 10), Crop(factor=2.0, size=64, pixels=pixels), (60, 40)).take(image)
        for pixels in ("uint8", "float32")
    )
    assert whole.dtype == np.uint8
    assert exact.dtype == np.float32
    assert 0 < np.abs(exact - whole).max() <= 1
    assert (exact % 1 > 0).any()


def test_a_square_of_whole_pixels_is_mapped_about_its_exact_centre() -> None:
    region = region_around(Box(20.3, 10, 10, 10), Crop(rule="context-ceil", factor=0.5, size=64), (60, 40))
    assert (region.x, region.y, region.width, region.height) == (15, 5, 20, 20)
    assert region.frame == pytest.approx((15.3, 5, 20, 20))


@given(boxes, st.integers(20, 64))
def test_a_crop_aligned_at_its_ends_shows_the_frame_where_boxes_say(box: Box, size: int) -> None:
    crop = Crop(rule="context-exact", factor=1.5, size=size, border="first-mean", pixels="float32", padded="aligned")
    columns = np.tile(np.arange(256, dtype=np.uint8)[:, np.newaxis], (FRAME[1], 1, 3))
    region = region_around(box, crop, (256, FRAME[1]), fill=(1000.0, 0.0, 0.0))
    taken = region.take(columns)[..., 0]
    expected = region.frame.x + (np.arange(size) + 0.5) * region.frame.w / size - 0.5
    shown = (taken < 1000) & (expected >= 0) & (expected <= 255)
    pixel = max(1.0, region.frame.w / size)
    assert np.abs(taken - expected)[shown].max(initial=0) <= 2 * pixel  # ends are cut off to whole pixels of crop and frame
    outside = (expected < -2 * pixel) | (expected > 255 + 2 * pixel)
    assert (taken[:, outside] == 1000).all()


@given(boxes, st.integers(20, 64))
def test_a_crop_on_the_grid_shows_the_frame_where_boxes_say(box: Box, size: int) -> None:
    crop = Crop(rule="context-exact", factor=1.5, size=size, border="first-mean", pixels="float32", padded="grid")
    columns = np.tile(np.arange(256, dtype=np.uint8)[:, np.newaxis], (FRAME[1], 1, 3))
    region = region_around(box, crop, (256, FRAME[1]), fill=(1000.0, 0.0, 0.0))
    taken = region.take(columns)[..., 0]
    expected = region.frame.x + (np.arange(size) + 0.5) * region.frame.w / size - 0.5
    shown = taken < 1000
    np.testing.assert_array_equal(shown, ~region.padding())
    clipped = np.clip(expected, region.x, region.x + region.width - 1)
    assert np.abs(taken - clipped)[shown].max(initial=0) <= 0.01  # float32: up to 255 in steps of 1.5e-5, and their products
    # the last rows and columns that are shown may lie outside by less than one of them
    pixel = max(1.0, region.frame.w / size)
    outside = (expected < -0.5 - pixel) | (expected > 255.5 + pixel)
    assert not shown[:, outside].any()


def test_a_crop_on_the_grid_that_shows_nothing_of_the_frame_is_filled() -> None:
    crop = Crop(rule="context-exact", factor=0.5, size=32, border="first-mean", pixels="float32", padded="grid")
    region = region_around(Box(900, 40, 20, 20), crop, FRAME, fill=(1.5, 2.5, 3.5))
    assert (region.take(np.zeros((FRAME[1], FRAME[0], 3), np.uint8)) == (1.5, 2.5, 3.5)).all()
    assert region.padding().all()


def test_a_box_in_the_frame_is_what_can_be_seen_of_it_or_the_one_before() -> None:
    seek, report, before = SEEK_RULES["frame"], REPORT_RULES["frame"], Box(5, 5, 5, 5)
    assert seek(Box(-10, 20, 30, 300), before, FRAME) == report(Box(-10, 20, 30, 300), FRAME) == (0, 20, 20, 220)
    assert seek(Box(400, 20, 30, 30), before, FRAME) == before
    assert report(Box(400, 20, 30, 30), FRAME) == (320, 20, 0, 30)


def test_a_box_to_seek_from_lies_inside_or_is_the_one_before() -> None:
    inside, before = SEEK_RULES["inside"], Box(5, 5, 5, 5)
    assert inside(Box(-10, 20, 30, 300), before, FRAME) == (0.5, 20, 19.5, 219.5)
    assert inside(Box(400, 20, 30, 30), before, FRAME) == before
    assert inside(Box(100, 20, 0, 30), before, FRAME) == before
    assert SEEK_RULES["none"](Box(400, 20, 30, 30), before, FRAME) == (400, 20, 30, 30)


bent = crops.map(lambda crop: replace(crop, zoom=Zoom(), pixels="float32"))
zooms = st.builds(Zoom, factor=st.floats(1, 4), cells=st.integers(2, 20), bandwidth=st.floats(1, 500))
corners = st.tuples(*[st.floats(0, 1)] * 4)


@given(boxes, corners, crops, zooms)
def test_a_box_survives_the_way_out_of_a_bent_crop_and_back(box: Box, xyxy: tuple[float, ...], crop: Crop, zoom: Zoom) -> None:
    region = region_around(box, replace(crop, zoom=zoom), FRAME)
    x1, y1, x2, y2 = xyxy
    unit = np.array([(x1 + x2) / 2, (y1 + y2) / 2, abs(x2 - x1), abs(y2 - y1)])
    mapped = region.to_frame(unit)
    assert region.to_crop(mapped) == pytest.approx(unit, abs=1e-6)
    assert region.to_frame(region.to_crop(mapped)) == pytest.approx(mapped, abs=1e-6)


@given(boxes, bent)
def test_a_bent_crop_has_its_size_wherever_it_lies(box: Box, crop: Crop) -> None:
    image = np.full((FRAME[1], FRAME[0], 3), 200, np.uint8)
    region = region_around(box, crop, FRAME)
    taken, padded = region.take(image), region.padding()
    assert taken.shape == (crop.size, crop.size, 3)
    assert padded.shape == (crop.size, crop.size)
    assert taken[~padded] == pytest.approx(200)


@given(boxes, bent)
def test_a_bent_crop_covers_what_an_even_one_covers(box: Box, crop: Crop) -> None:
    region, even = region_around(box, crop, FRAME), region_around(box, replace(crop, zoom=None), FRAME)
    whole = np.array([0.5, 0.5, 1, 1])
    assert region.to_frame(whole) == pytest.approx(even.to_frame(whole), abs=1e-6)
    assert (region.x, region.y, region.width, region.height) == (even.x, even.y, even.width, even.height)
    assert region.frame == even.frame
    assert region.size == even.size


def test_a_bent_crop_shows_the_target_larger_and_where_boxes_are_mapped_to() -> None:
    box = Box(130, 90, 60, 48)
    image = np.zeros((FRAME[1], FRAME[0], 3), np.uint8)
    image[90:138, 130:190] = 255
    sides = {}
    for zoom in (None, Zoom(factor=1.5)):
        region = region_around(box, Crop(factor=5.0, size=256, pixels="float32", zoom=zoom), FRAME)
        rows, columns = np.nonzero(region.take(image)[..., 0] > 127)
        seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 256
        cx, cy, w, h = region.to_crop(box)
        assert seen == pytest.approx([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], abs=1.5 / 256)
        sides[zoom] = np.array([w, h])
    larger = sides[Zoom(factor=1.5)] / sides[None]
    assert (larger > 1.2).all()
    assert (larger < 1.5).all()


def test_a_zoom_of_one_is_an_even_crop_in_which_the_middle_of_a_pixel_counts() -> None:
    image = np.random.default_rng(0).integers(0, 255, (FRAME[1], FRAME[0], 3), np.uint8)
    crop = Crop(factor=4.0, size=96, zoom=Zoom(factor=1.0), pixels="float32")
    region = region_around(Box(148, 108, 24, 24), crop, FRAME)
    np.testing.assert_allclose(region.take(image), image[72:168, 112:208], atol=1e-3)


def test_a_bent_crop_of_whole_numbers_is_rounded() -> None:
    image = np.random.default_rng(0).integers(0, 255, (FRAME[1], FRAME[0], 3), np.uint8)
    whole, exact = (
        region_around(Box(100, 100, 40, 20), Crop(factor=4.0, size=64, zoom=Zoom(), pixels=pixels), FRAME).take(image)
        for pixels in ("uint8", "float32")
    )
    assert whole.dtype == np.uint8
    assert exact.dtype == np.float32
    np.testing.assert_array_equal(whole, np.rint(exact))


@pytest.mark.parametrize("change", [{"factor": 0.9}, {"cells": 1}, {"bandwidth": 0.0}], ids=str)
def test_a_zoom_that_folds_or_has_no_cells_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(BadSpec, match="expected at least 1"):
        Zoom(**change)  # type: ignore[arg-type]  # one field of each kind


@pytest.mark.parametrize("rule", ["patch", "patch-mostly", "patch-round"])
@pytest.mark.parametrize("box", [Box(-40, -30, 20, 20), Box(90, 50, 60, 60), Box(0, 0, 100, 80), Box(300, 200, 900, 900)], ids=str)
def test_a_patch_is_made_of_pixels_of_the_frame_alone(rule: CropRule, box: Box) -> None:
    image = np.full((80, 100, 3), 7, np.uint8)
    region = region_around(box, Crop(rule=rule, factor=5.0, size=32, padded="edge", pixels="float32"), (100, 80))
    crop = region.take(image)
    assert crop.shape == (32, 32, 3)
    np.testing.assert_allclose(crop, 7, atol=1e-4)


def test_a_wide_patch_reads_every_other_pixel() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[::2, ::2] = 100
    region = region_around(Box(90.5, 90.5, 20, 20), Crop(rule="patch", factor=5.0, size=40, padded="edge", pixels="float32"), (200, 200))
    np.testing.assert_allclose(region.take(image), 100, atol=1e-4)


@pytest.mark.parametrize(
    "box,size,shown",
    [
        pytest.param(Box(0, 0, 50, 50), 240, 240.0, id="225 pixels are shown as they are"),
        pytest.param(Box(0, 0, 45, 45), 208, 208.0, id="202.5 pixels too"),
        pytest.param(Box(0, 0, 10, 10), 208, 208 * 45 / 200, id="few pixels are enlarged"),
        pytest.param(Box(0, 0, 200, 50), 240, 240 * 450 / 250, id="many are made fewer"),
    ],
)
def test_a_fitted_crop_is_an_odd_number_of_cells(box: Box, size: int, shown: float) -> None:
    crop = crop_for(box, Crop(rule="patch-round", factor=4.5, size=240, fitted=(200, 250, 16)), FRAME)
    assert crop.size == size
    assert crop.factor * np.sqrt(box.w * box.h) == pytest.approx(shown)


def test_a_cornered_crop_has_the_corners_of_its_rectangle_in_the_middles_of_its_outermost_pixels() -> None:
    image = np.tile(np.arange(200, dtype=np.uint8), (100, 1))[..., np.newaxis].repeat(3, axis=2)
    crop = Crop(rule="stretch", factor=2.0, size=41, padded="corners", pixels="float32")
    region = region_around(Box(60.25, 40, 20, 10), crop, (200, 100))
    assert tuple(region.frame) == pytest.approx((50.25, 35, 40, 20))
    np.testing.assert_allclose(region.take(image)[20, :, 0], np.arange(50.25, 90.5), atol=0.02)


def test_sides_are_kept_between_a_few_pixels_and_the_frame_about_their_middle() -> None:
    assert clip(Box(10, 10, 2, 3000), "sides", FRAME) == pytest.approx((9, 10 + 1500 - 120, 4, 240))


def test_a_cornered_crop_is_that_of_the_whole_frame() -> None:
    image: Any = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8), (0, 0), 2)
    for x, y, side in ((30.3, 20.7, 25.2), (-12.4, -8.1, 40.0), (100.5, 75.2, 60.9), (-300.0, 10.0, 20.0), (500.0, 500.0, 30.0)):
        region = Region(0, 0, 1, 1, 41, Box(x, y, side, side), (120, 90), (9.0, 90.0, 200.0), "float32", "corners")
        scale = 40 / side
        matrix = np.array([[scale, 0, -scale * x], [0, scale, -scale * y]])
        whole: Any = cv2.warpAffine(image.astype(np.float32), matrix, (41, 41), borderMode=cv2.BORDER_CONSTANT, borderValue=region.fill)
        np.testing.assert_allclose(region.take(image), whole, atol=0.05)  # coordinates are float32 there: the larger, the rougher
