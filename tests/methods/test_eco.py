"""ECO over features that need no network: it follows, it learns, and it forgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline import zoo
from sightline.box import Box, iou
from sightline.engines import Array, Role
from sightline.frame import Frame
from sightline.methods.eco import EcoMethod
from sightline.spec import Spec

PUBLISHED = zoo.find("eco-resnet18")
QUICK = replace(
    PUBLISHED.arch,
    shallow=replace(PUBLISHED.arch.shallow, width=3),
    deep=replace(PUBLISHED.arch.deep, width=3),
    first=(5, 5),
    augment=replace(PUBLISHED.arch.augment, rotations=(10.0, -10.0), dropouts=()),
    slots=18,
    every=2,
)
LONG = 12


@dataclass(frozen=True)
class Colours:
    """A session that gives the mean colours of cells as features."""

    spec: Spec

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset({"describe"})

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        assert role == "describe"
        crops = arrays["search"] / 127.5 - 1
        batch, num, side = crops.shape[:3]

        def cells(stride: int) -> NDArray[np.float32]:
            parts = crops.reshape(batch, num, side // stride, stride, side // stride, stride, 3)
            means: NDArray[np.float32] = parts.mean(axis=(3, 5)).transpose(0, 1, 4, 2, 3).astype(np.float32)
            return means

        return {"shallow": cells(4), "deep": cells(16)}


METHOD = EcoMethod(Colours(replace(PUBLISHED, arch=QUICK)))


def frames(*, step: tuple[float, float] = (3.0, 2.0), growth: float = 1.0) -> tuple[list[Frame], list[Box]]:
    """A coloured pattern that moves (and grows) over a background, both of noise, with its boxes."""
    draws = np.random.default_rng(0)
    pattern = draws.integers(0, 256, (6, 8, 3), np.uint8)
    ground = draws.integers(96, 160, (60, 80, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    pictures, boxes = [], []
    for i in range(LONG):
        w, h = round(48 * growth**i), round(36 * growth**i)
        x, y = round(60 + step[0] * i), round(80 + step[1] * i)
        picture = ground.copy()
        rows, columns = np.arange(h) * 6 // h, np.arange(w) * 8 // w
        picture[y : y + h, x : x + w] = pattern[rows[:, np.newaxis], columns]
        pictures.append(Frame(picture, i))
        boxes.append(Box(x, y, w, h))
    return pictures, boxes


def test_a_moving_pattern_is_followed() -> None:
    pictures, boxes = frames()
    state = METHOD.begin(pictures[0], boxes[0])
    for picture, box in zip(pictures[1:], boxes[1:], strict=True):
        [(state, estimate)] = METHOD.advance([picture], [state])
        assert estimate.box.centre == pytest.approx(box.centre, abs=2.0)
        assert estimate.score > 0.02  # a response of 1 is what filters are taught
    assert iou(np.array([estimate.box]), np.array([box]))[0] > 0.8


def test_what_grows_is_given_a_larger_box_of_the_same_aspect() -> None:
    pictures, boxes = frames(step=(0.0, 0.0), growth=1.03)
    state = METHOD.begin(pictures[0], boxes[0])
    for picture in pictures[1:]:
        [(state, _)] = METHOD.advance([picture], [state])
    assert state.box.w == pytest.approx(boxes[-1].w, rel=0.12)
    assert state.box.w > 1.15 * boxes[0].w
    assert state.box.w / state.box.h == pytest.approx(48 / 36)


def test_no_more_samples_are_kept_than_there_are_slots() -> None:
    pictures, boxes = frames()
    state = METHOD.begin(pictures[0], boxes[0])
    num_first = len(state.learned["deep"].samples)
    assert num_first < QUICK.slots
    for i, picture in enumerate(pictures[1:], start=1):
        [(state, _)] = METHOD.advance([picture], [state])
        for learned in state.learned.values():
            assert len(learned.samples) == min(num_first + i, QUICK.slots)
            assert learned.weights.sum() == pytest.approx(1, abs=1e-5)
            assert (learned.weights[: len(learned.samples)] > 0).all()


def test_filters_change_every_other_frame_and_the_first_ones_stay_with_their_state() -> None:
    pictures, boxes = frames()
    states = [METHOD.begin(pictures[0], boxes[0])]
    before = states[0].learned["deep"].filters.copy()
    for picture in pictures[1:4]:
        [(state, _)] = METHOD.advance([picture], [states[-1]])
        states.append(state)
    changed = [not np.array_equal(one.learned["deep"].filters, other.learned["deep"].filters) for one, other in pairwise(states)]
    assert changed == [False, True, False]
    np.testing.assert_array_equal(states[0].learned["deep"].filters, before)


def test_a_target_that_is_lost_keeps_a_size_and_a_place_near_the_frame() -> None:
    pictures, boxes = frames()
    empty = Frame(np.full((240, 320, 3), 128, np.uint8))
    state = METHOD.begin(pictures[0], boxes[0])
    for _ in range(60):
        [(state, estimate)] = METHOD.advance([empty], [state])
    x, y, w, h = estimate.box
    assert min(w, h) >= 10 - 1e-6
    assert (w <= 320, h <= 240) == (True, True)
    assert -0.81 * w <= x <= 320
    assert -0.81 * h <= y <= 240


def test_the_answer_is_centred_on_a_target_that_lies_between_pixels() -> None:
    pictures, boxes = frames()
    state = METHOD.begin(pictures[0], boxes[0]._replace(x=boxes[0].x + 0.4, y=boxes[0].y - 0.3))
    [(state, _)] = METHOD.advance([pictures[0]], [state])
    assert state.box.centre == pytest.approx((boxes[0].centre[0] + 0.4, boxes[0].centre[1] - 0.3), abs=1.2)  # as published: whole pixels
