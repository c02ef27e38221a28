from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sightline.box import Box
from sightline.errors import BadSpec
from sightline.methods.memory import banked, drawn, due, filled, mixed, put, qualifies, sampled, shown, spread
from sightline.spec import History, Memory

THREE = Memory(every=(2, 3), above=0.5)


@pytest.mark.parametrize(
    "age,places",
    [
        pytest.param(1, [], id="too early"),
        pytest.param(2, [1], id="first interval"),
        pytest.param(3, [2], id="second interval"),
        pytest.param(6, [1, 2], id="both"),
    ],
)
def test_a_template_is_due_at_multiples_of_its_interval(age: int, places: list[int]) -> None:
    assert due(THREE, age) == places


@pytest.mark.parametrize("score,does", [(0.9, True), (0.5, False), (float("nan"), False)], ids=["above", "not above", "no score"])
def test_a_frame_qualifies_where_its_score_is_high(score: float, does: bool) -> None:
    assert qualifies(THREE, score, best=0.95) is does


def test_the_best_frame_so_far_qualifies_and_no_other() -> None:
    rule = replace(THREE, keep="best")
    assert [qualifies(rule, score, best=0.7) for score in (0.6, 0.7, 0.8)] == [False, False, True]


def test_places_take_turns_and_are_filled_one_by_one() -> None:
    rule = Memory(every=(5, 5, 5), turns=True)
    assert [due(rule, age) for age in range(5, 35, 5)] == [[2], [3], [1], [2], [3], [1]]
    assert not any(due(rule, age) for age in range(1, 35) if age % 5)
    assert [filled(rule, age).sum() for age in (0, 4, 5, 10, 15)] == [2, 2, 3, 4, 4]
    assert filled(rule, 5).tolist() == [True, True, True, False]


def test_without_turns_every_place_is_filled_from_the_start() -> None:
    assert filled(THREE, 0).all()


def test_without_intervals_nothing_is_ever_due() -> None:
    assert not any(due(Memory(), age) for age in range(1, 500))


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


@pytest.mark.parametrize(
    "num,read",
    [
        pytest.param(1, [0], id="the first"),
        pytest.param(3, [0, 1, 2], id="all"),
        pytest.param(5, [0, 1, 2], id="spans of one, two left over"),
        pytest.param(6, [0, 1, 3, 5], id="spans of two"),
        pytest.param(32, [0, 5, 15, 25], id="spans of ten"),
    ],
)
def test_the_first_and_the_middle_of_each_span_of_time_are_read(num: int, read: list[int]) -> None:
    read_now = shown(Memory(samples=3), [{"a": np.full(2, i)} for i in range(num)])
    np.testing.assert_array_equal(read_now["a"], [[i, i] for i in read])


def test_state_of_the_target_itself_stands_in_no_slot() -> None:
    state = spread({"a": np.zeros(2), "next.b": np.ones(3)}, THREE)
    assert {name: array.shape for name, array in state.items()} == {"a": (3, 2), "b": (3,)}


@pytest.mark.parametrize("samples,every", [pytest.param(1, (), id="one"), pytest.param(3, (10,), id="intervals")])
def test_samples_of_one_template_or_beside_intervals_are_refused(samples: int, every: tuple[int, ...]) -> None:
    with pytest.raises(BadSpec, match="2 samples or more"):
        Memory(samples=samples, every=every)


def test_an_interval_of_no_frames_is_refused() -> None:
    with pytest.raises(BadSpec, match="from 1 on"):
        Memory(every=(10, 0))


@pytest.mark.parametrize(
    "known,history,told",
    [
        pytest.param(1, History(length=3), [0, 0, 0], id="the first box stands for what was before"),
        pytest.param(5, History(length=3), [2, 3, 4], id="the last ones"),
        pytest.param(5, History(length=3, every=2), [0, 2, 4], id="as far back as known"),
        pytest.param(4, History(length=3, every=2), [0, 1, 3], id="not quite"),
    ],
)
def test_past_boxes_are_told_an_interval_apart_up_to_the_last(known: int, history: History, told: list[int]) -> None:
    boxes = [Box(x, 0, 1, 1) for x in range(known)]
    assert [box.x for box in sampled(boxes, history)] == told
    assert [box.x for box in sampled(boxes[-history.reach :], history)] == told


@pytest.mark.parametrize("length,every", [(0, 1), (3, 0)])
def test_a_history_without_boxes_or_interval_is_refused(length: int, every: int) -> None:
    with pytest.raises(BadSpec, match="from 1 on"):
        History(length=length, every=every)


@pytest.mark.parametrize("every", [(), (10, 20)], ids=["no place", "two intervals"])
def test_turns_of_different_lengths_are_refused(every: tuple[int, ...]) -> None:
    with pytest.raises(BadSpec, match="one interval"):
        Memory(every=every, turns=True)


def templates(*values: float) -> list[dict[str, np.ndarray]]:
    return [{"tokens": np.full(2, value)} for value in values]


def test_a_full_bank_loses_its_oldest_template() -> None:
    rule = Memory(every=(3, 3), bank=4)
    bank = banked(rule, templates(0, 0, 0, 1), templates(2)[0])
    assert [int(template["tokens"][0]) for template in bank] == [0, 0, 1, 2]


@pytest.mark.parametrize(
    "num,expected",
    [
        pytest.param(3, [1, 2], id="as many as places"),
        pytest.param(5, [1, 2], id="a remainder waits"),
        pytest.param(9, [3, 6], id="spread"),
    ],
)
def test_places_behind_the_first_are_drawn_evenly_from_the_bank(num: int, expected: list[int]) -> None:
    chosen = drawn(Memory(every=(3, 3), bank=10), templates(*range(num)))
    assert [int(template["tokens"][0]) for template in chosen] == expected


@pytest.mark.parametrize(
    "rule", [{"every": (3, 3), "bank": 2}, {"every": (3, 4), "bank": 9}, {"bank": 9}], ids=["small", "intervals", "none"]
)
def test_a_bank_that_cannot_be_drawn_from_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(BadSpec, match="a bank of"):
        Memory(**rule)  # type: ignore[arg-type]  # the cases mix types


def test_a_running_mean_moves_by_its_share_and_leaves_alone_what_is_no_template() -> None:
    before = {"a": np.full(3, 1.0, np.float32), "own": np.zeros(1, np.float32)}
    after = mixed(before, {"a": np.full(3, 2.0, np.float32)}, 0.25)
    assert after.keys() == {"a"}
    assert after["a"].dtype == np.float32
    np.testing.assert_allclose(after["a"], 1.25)
    np.testing.assert_allclose(before["a"], 1.0)


def test_a_share_of_all_or_of_several_templates_is_refused() -> None:
    for fields in ({"mix": 1.0}, {"mix": -0.1}, {"mix": 0.5, "every": (2,)}):
        with pytest.raises(BadSpec, match="mixes"):
            Memory(**fields)
