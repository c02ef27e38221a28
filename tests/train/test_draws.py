from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.train.draws import DRAWS, Wanted, gap_at
from sightline.train.recipe import Growth

FLAGS = st.lists(st.booleans(), min_size=2, max_size=60)


@pytest.mark.parametrize("rule", DRAWS)
@given(FLAGS, st.integers(1, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_searches_show_the_target_and_there_are_as_many_pictures_as_asked(
    rule: str, flags: list[bool], templates: int, searches: int, seed: int
) -> None:
    seen = np.array(flags)
    drawn = DRAWS[rule](seen, np.ones_like(seen), Wanted(templates, searches, 5), np.random.default_rng(seed))
    if drawn is None:
        return
    assert (len(drawn.templates), len(drawn.searches)) == (templates, searches)
    assert all(seen[place] for place in drawn.searches)
    if not rule.startswith(("trident-pro", "stark")):
        assert all(seen[place] for place in drawn.templates)


@given(FLAGS, st.integers(0, 10**6))
def test_a_causal_search_comes_after_its_template_within_the_gap_unless_there_is_nothing(flags: list[bool], seed: int) -> None:
    seen = np.array(flags)
    drawn = DRAWS["causal"](seen, seen, Wanted(1, 1, 8), np.random.default_rng(seed))
    if drawn is None:  # the base that was drawn is the last picture in which the target is seen
        assert not seen.all()
        return
    [template], [search] = drawn
    assert template < search
    if search - template >= 8:
        assert not seen[template + 1 : template + 8].any()


def test_a_causal_template_before_the_base_is_drawn_from_the_frames_before() -> None:
    seen = np.ones(100, bool)
    for seed in range(20):
        drawn = DRAWS["causal"](seen, seen, Wanted(3, 2, 10), np.random.default_rng(seed))
        assert drawn is not None
        base = max(drawn.templates)
        assert all(base - 10 <= place < base for place in sorted(drawn.templates)[:-1])
        assert all(base < place < base + 10 for place in drawn.searches)


def test_the_later_template_of_a_trident_lies_near_the_search_on_the_side_of_the_first() -> None:
    seen = np.ones(200, bool)
    for seed in range(30):
        drawn = DRAWS["trident"](seen, seen, Wanted(2, 1, 15), np.random.default_rng(seed))
        assert drawn is not None
        (first, later), [search] = drawn
        assert search <= later < search + 15 if first >= search else search - 15 <= later < search


def test_a_hidden_target_may_be_the_later_template_of_the_professional_trident_and_needs_a_box_for_that_of_stark() -> None:
    seen, boxed = np.zeros(40, bool), np.zeros(40, bool)
    seen[[0, 39]] = boxed[[0, 39]] = True
    boxed[20:38] = True
    later = {
        rule: [DRAWS[rule](seen, boxed, Wanted(2, 1, 10), np.random.default_rng(seed)) for seed in range(60)]
        for rule in ("trident-pro", "stark")
    }
    places = {rule: {drawn.templates[1] for drawn in many if drawn is not None} for rule, many in later.items()}
    assert any(not seen[place] and not boxed[place] for place in places["trident-pro"])
    assert all(boxed[place] for place in places["stark"])


def test_a_gap_grows_from_one_epoch_to_another() -> None:
    growth = Growth(by=2, since=15, until=150)
    assert [gap_at(70, growth, epoch) for epoch in (0, 15, 16, 150, 300)] == [70, 70, 72, 340, 340]
    assert gap_at(70, None, 99) == 70
