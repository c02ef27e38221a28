from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sightline
from sightline.box import iou
from sightline.errors import BadBox
from sightline.mark import box_from_mask, box_from_point
from sightline.methods.network import NetworkMethod
from sightline.scene import Scene, render
from sightline.tracker import Tracker
from tests.fakes import FakeSession, brightest

SIDES = st.integers(1, 20)


@given(st.integers(0, 30), st.integers(0, 20), SIDES, SIDES, st.sampled_from(["tight", "moments"]))
def test_a_filled_rectangle_is_its_own_box(x: int, y: int, w: int, h: int, fit: str) -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[y : y + h, x : x + w] = 255
    assert box_from_mask(mask, fit=fit) == pytest.approx((x, y, w, h))  # type: ignore[arg-type]  # one of the two


def test_a_stray_pixel_stretches_the_tight_box_and_hardly_the_other() -> None:
    mask = np.zeros((100, 100), bool)
    mask[40:60, 40:60] = True
    mask[0, 0] = True
    assert box_from_mask(mask) == (0, 0, 60, 60)
    assert box_from_mask(mask, fit="moments") == pytest.approx((40, 40, 20, 20), abs=2)


@pytest.mark.parametrize("mask", [np.zeros((5, 5)), np.zeros((5, 5, 3)), np.zeros(())], ids=["empty", "three channels", "a number"])
def test_what_marks_nothing_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(BadBox, match="mask"):
        box_from_mask(mask)


def test_a_blob_is_found_from_a_point_in_it() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:70, 60:110] = 255
    box = box_from_point(Tracker(NetworkMethod(FakeSession(step=brightest))), image, (84, 56))
    assert iou(np.array(box), np.array([60, 40, 50, 30])) > 0.8


def test_the_tracker_that_answers_keeps_its_own_target() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[40:70, 60:110] = 255
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)))
    tracker.init(image, (60, 40, 50, 30))
    box_from_point(tracker, image, (20, 20))
    assert iou(np.array(tracker.update(image).box), np.array([60, 40, 50, 30])) > 0.9


@pytest.mark.parametrize("point", [(-1, 5), (5, 120), (160, 5), (float("nan"), 5)])
def test_a_point_outside_the_picture_is_refused(point: tuple[float, float]) -> None:
    with pytest.raises(BadBox, match=r"outside the 160x120 frame"):
        box_from_point(Tracker(NetworkMethod(FakeSession())), np.zeros((120, 160, 3), np.uint8), point)


def test_the_tracker_in_the_package_finds_rendered_objects_from_points() -> None:
    tracker = sightline.load("kestrel-nano", threads=1)
    overlaps = []
    for seed in range(12):
        shot = next(iter(render(Scene(seed=seed, num_frames=1))))
        box = box_from_point(tracker, shot.frame, (shot.box[0] + shot.box[2] / 2, shot.box[1] + shot.box[3] / 2))
        overlaps.append(float(iou(np.array(box), np.array(shot.box))))
    assert np.mean(overlaps) > 0.4
    assert np.median(overlaps) > 0.5
