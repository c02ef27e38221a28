from __future__ import annotations

import itertools

from sightline.measure.turns import ratio, take_turns


def test_calls_take_turns() -> None:
    order: list[str] = []
    taken = take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=2, seconds=0.0)
    assert [len(times) for times in taken.values()] == [2, 2]
    assert "".join(order) == "aaaaabbbbb" * 2


def test_a_turn_is_one_figure_of_its_calls() -> None:
    now = itertools.accumulate(itertools.chain([0.0], itertools.cycle([1.0, 0.0, 3.0, 0.0, 8.0, 0.0])))
    assert take_turns({"": lambda: None}, rounds=1, seconds=0.0, clock=lambda: next(now)) == {"": [3.0]}
    now = itertools.accumulate(itertools.chain([0.0], itertools.cycle([1.0, 0.0, 3.0, 0.0, 8.0, 0.0])))
    assert take_turns({"": lambda: None}, rounds=1, seconds=0.0, of=min, clock=lambda: next(now)) == {"": [1.0]}


def test_ratios_are_those_within_a_round() -> None:
    assert ratio([1.0, 4.0, 9.0], [1.0, 2.0, 3.0]) == 2.0
