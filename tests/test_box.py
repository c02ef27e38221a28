from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.box import Box, cxcywh_from_xywh, iou, xywh_from_cxcywh, xywh_from_xyxy, xyxy_from_xywh
from sightline.errors import BadBox

coordinates = st.floats(-1e4, 1e4)
sizes = st.floats(0.5, 1e4)
boxes = st.builds(Box, coordinates, coordinates, sizes, sizes)


@given(boxes)
def test_a_box_survives_every_other_notation(box: Box) -> None:
    array = np.array([box])
    np.testing.assert_allclose(xywh_from_xyxy(xyxy_from_xywh(array)), array, atol=1e-8)
    np.testing.assert_allclose(xywh_from_cxcywh(cxcywh_from_xywh(array)), array, atol=1e-8)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_between_0_and_1(a: Box, b: Box) -> None:
    forward, backward = iou(np.array(a), np.array(b)), iou(np.array(b), np.array(a))
    assert forward == pytest.approx(backward, abs=1e-12)
    assert 0.0 <= forward <= 1.0


@given(boxes)
def test_a_box_overlaps_itself_wholly(box: Box) -> None:
    assert iou(np.array(box), np.array(box)) == pytest.approx(1.0)


def test_overlap_of_half_covered_boxes_is_a_third() -> None:
    assert iou(np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 2, 2])) == pytest.approx(1 / 3)


def test_overlap_broadcasts_one_box_against_many() -> None:
    assert iou(np.array([0.0, 0, 2, 2]), np.array([[0.0, 0, 2, 2], [5, 5, 1, 1]])) == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize(
    "box,says",
    [
        pytest.param((1, 2, 3), "3 numbers", id="three numbers"),
        pytest.param((1, 2, 0, 4), "no area", id="no width"),
        pytest.param((1, 2, 5, -4), "no area", id="negative height"),
        pytest.param((float("nan"), 2, 3, 4), "not finite", id="nan"),
        pytest.param((0, 0, float("inf"), 4), "not finite", id="infinite"),
        pytest.param((640, 2, 3, 4), "outside the 640x480 frame", id="right of the frame"),
        pytest.param((-30, 2, 30, 4), "outside the 640x480 frame", id="left of the frame"),
        pytest.param(("a", 2, 3, 4), "not four numbers", id="text"),
        pytest.param(7, "not four numbers", id="one number"),
        pytest.param((0.2, 0.3, 0.5, 0.7), "not in fractions", id="fractions of the frame"),
        pytest.param((0, 0, 1e300, 1e300), "far larger than the 640x480 frame", id="without bounds"),
    ],
)
def test_a_box_that_marks_nothing_is_refused(box: tuple[float, ...], says: str) -> None:
    with pytest.raises(BadBox, match=says):
        Box.checked(box, 640, 480)


def test_a_box_partly_outside_the_frame_is_taken_as_it_is() -> None:
    assert Box.checked(np.array([-5, 470, 30, 30]), 640, 480) == Box(-5.0, 470.0, 30.0, 30.0)
