from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import BadSpec
from sightline.methods.memory import due, put, spread
from sightline.spec import Memory

THREE = Memory(every=(2, 3), above=0.5)


@pytest.mark.parametrize(
    "age,score,places",
    [
        pytest.param(1, 0.9, [], id="too early"),
        pytest.param(2, 0.9, [1], id="first interval"),
        pytest.param(3, 0.9, [2], id="second interval"),
        pytest.param(6, 0.9, [1, 2], id="both"),
        pytest.param(6, 0.5, [], id="not above"),
        pytest.param(6, float("nan"), [], id="no score"),
    ],
)
def test_a_template_is_due_at_multiples_of_its_interval_where_the_score_is_high(age: int, score: float, places: list[int]) -> None:
    assert due(THREE, age, score) == places


def test_without_intervals_nothing_is_ever_due() -> None:
    assert not any(due(Memory(), age, 1.0) for age in range(1, 500))


def test_one_template_stands_in_every_slot() -> None:
    template = np.arange(6).reshape(2, 3)
    assert spread({"a": template}, THREE)["a"].shape == (3, 2, 3)
    assert spread({"a": template}, THREE, axis=1)["a"].shape == (2, 3, 3)
    assert spread({"a": template}, Memory())["a"] is template


def test_a_new_template_takes_its_places_and_leaves_the_old_state_alone() -> None:
    state = {"a": np.zeros((3, 2)), "count": np.zeros(1)}
    after = put(state, {"a": np.ones(2)}, [2])
    np.testing.assert_array_equal(after["a"], [[0, 0], [0, 0], [1, 1]])
    assert not state["a"].any()
    assert after["count"] is state["count"]


def test_an_interval_of_no_frames_is_refused() -> None:
    with pytest.raises(BadSpec, match="from 1 on"):
        Memory(every=(10, 0))
