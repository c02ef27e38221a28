from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sightline.box import Box
from sightline.engines import Array
from sightline.engines.state import HARD, LOST, NORMAL, UNCERTAIN
from sightline.errors import BadSpec
from sightline.frame import Frame
from sightline.methods.filters import correlate
from sightline.methods.online import Learner, OnlineMethod
from sightline.spec import Augment, Crop, Learning
from sightline.tracker import MultiTracker, Tracker, method_of
from tests.fakes import SPEC, FakeSession

CELLS, SIDE = 18, 72
CROP = Crop(rule="patch", factor=5.0, size=SIDE, pixels="float32", padded="edge")
AUGMENT = Augment(shifts=((0.6, 0.6), (-0.6, -0.6)), flip=True, blurs=((1.0, 2.0),), rotations=(20.0,), wander=0.3, dropouts=(0.3,))
CONJUGATE = Learning(solver="gauss-newton", slots=12, first=(10, 10), later=5, every=3, hard=5, augment=AUGMENT)
STEEPEST = Learning(solver="steepest-descent", slots=12, first=(10,), later=2, every=3, hard=1, augment=AUGMENT)
BOTH = pytest.mark.parametrize("learning", [CONJUGATE, STEEPEST], ids=lambda learning: learning.solver)


def features(pixels: Array) -> Array:
    """(B, S, S, 3) to (B, 3, G, G): colours of cells, none of them zero on average."""
    batch = pixels.shape[0]
    cells: Array = pixels.reshape(batch, CELLS, SIDE // CELLS, CELLS, SIDE // CELLS, 3).mean(axis=(2, 4)) / 255 - 0.3
    return np.moveaxis(cells, 3, 1).astype(np.float32)


def wanted(boxes: Array, learning: Learning) -> dict[str, Array]:
    """Labels of boxes (B, 4), and for steepest descent on how much each cell counts."""
    rows, columns = np.mgrid[:CELLS, :CELLS] + 0.5
    away = (rows - boxes[:, 1, None, None] * CELLS - 0.5) ** 2 + (columns - boxes[:, 0, None, None] * CELLS - 0.5) ** 2
    label = np.exp(-away / 2).astype(np.float32)
    if learning.solver == "gauss-newton":
        return {"label": label}
    return {"label": label, "mask": (away < 9).astype(np.float32), "spatial": np.ones_like(label)}


def session(learning: Learning, flags: Mapping[int, int] | None = None) -> FakeSession:
    """A network whose features are colours; it says a flag at the frames (counted from 1) where `flags` has one."""
    start = np.random.default_rng(0)
    kernel, projection = start.normal(size=(1, 3, 4, 4)) * 0.01, start.normal(size=(1, 3, 3))
    frames = iter(range(1, 10**6))

    def init(arrays: Mapping[str, Array]) -> dict[str, Array]:
        batch = len(arrays["template"])
        first = {"kernel": kernel, "projection": projection} if learning.solver == "gauss-newton" else {"kernel": kernel}
        scalars = {"rate": np.array([0.9]), "ridge": np.array([0.01])} if learning.solver == "steepest-descent" else {}
        repeated = {name: np.repeat(value, batch, axis=0).astype(np.float32) for name, value in {**first, **scalars}.items()}
        return {**repeated, "sample": features(arrays["template"]), **wanted(arrays["target"], learning)}

    def step(arrays: Mapping[str, Array]) -> dict[str, Array]:
        sample = features(arrays["search"])
        if "projection" in arrays:
            sample = np.einsum("bcd,bdhw->bchw", arrays["projection"], sample)
        responses = np.concatenate(
            [correlate(one[None], kernel, (CELLS, CELLS)) for one, kernel in zip(sample, arrays["kernel"], strict=True)]
        )
        best = [np.unravel_index(one.argmax(), one.shape) for one in responses]
        centre = np.array([(column, row) for row, column in best]) / CELLS
        boxes = np.concatenate([centre, arrays["prior"][:, 2:]], axis=1).astype(np.float32)
        flag = np.full(len(boxes), (flags or {}).get(next(frames), 0), np.float32)
        learned = {f"next.{name}": value for name, value in ({"sample": sample} | wanted(boxes, learning)).items()}
        return {"box": boxes, "score": responses.max(axis=(1, 2)), "next.flag": flag, **learned}

    spec = replace(SPEC, template=CROP, search=CROP, feed=("target", "prior"), method="online", learning=learning, clip="near")
    return FakeSession(spec=spec, init=init, step=step)


def frame(x: float, y: float, index: int) -> Frame:
    """Grey noise with a square of two colours, and a square of one of them that stays."""
    image = np.random.default_rng(index).integers(60, 100, (160, 240, 3), np.uint8)
    image[20:40, 30:50] = (220, 30, 30)
    image[int(y) : int(y) + 20, int(x) : int(x) + 20] = (220, 30, 30)
    image[int(y) + 8 : int(y) + 12, int(x) : int(x) + 20] = (30, 220, 30)
    return Frame(image, index)


@BOTH
def test_a_filter_learned_in_the_first_frame_follows_the_target(learning: Learning) -> None:
    tracker = Tracker(method_of(session(learning)))
    tracker.init(frame(100, 80, 0), Box(100, 80, 20, 20))
    for i in range(1, 16):
        box = tracker.update(frame(100 + 4 * i, 80 - 2 * i, i)).box
        assert box.centre == pytest.approx((110 + 4 * i, 90 - 2 * i), abs=5.6), i  # a cell


@BOTH
def test_the_learned_filter_responds_where_the_labels_say(learning: Learning) -> None:
    state = OnlineMethod(session(learning)).begin(frame(100, 80, 0), Box(100, 80, 20, 20))
    kept = [sample for sample in state.samples if sample is not None]
    assert len(kept) == state.num_first == 7
    assert [sample["sample"].shape for sample in kept] == [(3, CELLS, CELLS)] * 7
    responses = correlate(np.stack([sample["sample"] for sample in kept[:6]]), state.arrays["kernel"], (CELLS, CELLS))
    for response, sample in zip(responses, kept, strict=False):
        assert response.argmax() == sample["label"].argmax()


@BOTH
def test_the_state_is_a_value_and_the_filter_changes_only_when_it_is_time(learning: Learning) -> None:
    method = OnlineMethod(session(learning))
    first = method.begin(frame(100, 80, 0), Box(100, 80, 20, 20))
    kernel, weights = first.arrays["kernel"].copy(), first.weights.copy()
    states = [first]
    for i in range(1, 7):
        [(state, _)] = method.advance([frame(100, 80, i)], [states[-1]])
        states.append(state)
    changed = [bool((a.arrays["kernel"] != b.arrays["kernel"]).any()) for a, b in pairwise(states)]
    assert changed == [False, False, True, False, False, True]
    np.testing.assert_array_equal(first.arrays["kernel"], kernel)
    np.testing.assert_array_equal(first.weights, weights)


def after(flag: int) -> tuple[Learner, Learner]:
    """A target before and after the first frame, at which the network says a flag."""
    method = OnlineMethod(session(replace(CONJUGATE, every=1000), flags={1: flag}))
    state = method.begin(frame(100, 80, 0), Box(100, 80, 20, 20))
    [(moved, _)] = method.advance([frame(108, 80, 1)], [state])
    return state, moved


def test_a_target_that_is_found_adds_a_sample() -> None:
    state, moved = after(NORMAL)
    assert sum(sample is not None for sample in moved.samples) == state.num_first + 1
    assert moved.weights[moved.last] == pytest.approx(0.01, rel=0.05)  # before all are made to add up to 1
    assert moved.arrays["kernel"] is state.arrays["kernel"]


def test_a_target_that_is_lost_stays_where_it_was_and_teaches_nothing() -> None:
    state, moved = after(LOST)
    assert moved.box == state.box
    assert moved.samples == state.samples


def test_something_that_looks_like_the_target_teaches_at_once() -> None:
    state, moved = after(HARD)
    assert moved.weights[moved.last] == pytest.approx(0.02, rel=0.05)
    assert (moved.arrays["kernel"] != state.arrays["kernel"]).any()


def test_a_target_of_which_the_network_is_not_sure_moves_and_teaches_nothing() -> None:
    state, moved = after(UNCERTAIN)
    assert moved.box != state.box
    assert moved.samples == state.samples


@BOTH
def test_several_targets_learn_filters_of_their_own(learning: Learning) -> None:
    method = method_of(session(learning))
    pair: MultiTracker[str, Learner] = MultiTracker(method)
    pair.add("moving", frame(100, 80, 0), Box(100, 80, 20, 20))
    pair.add("still", frame(100, 80, 0), Box(30, 20, 20, 20))
    for i in range(1, 5):
        found = pair.update(frame(100 + 4 * i, 80, i))
    assert found["moving"].box.centre == pytest.approx((126, 90), abs=5.6)
    assert found["still"].box.centre == pytest.approx((40, 30), abs=5.6)


def test_a_file_without_its_learning_is_refused() -> None:
    fake = session(CONJUGATE)
    with pytest.raises(BadSpec, match="has no learning"):
        OnlineMethod(replace(fake, spec=replace(fake.spec, learning=None))).begin(frame(100, 80, 0), Box(100, 80, 20, 20))
