from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from sightline.models.layers.eliminate import (  # noqa: E402  # after the check for torch
    attended,
    centre_mask,
    eliminate,
    keep_rate,
    merge,
    query_weights,
    relevance,
    restore,
    target_mask,
)

units = st.floats(0, 1, width=32)


@given(st.integers(1, 60), st.floats(0.01, 1))
def test_the_tokens_of_highest_score_stay_and_the_others_are_named(num: int, keep: float) -> None:
    tokens, scores = torch.randn(2, num, 4), torch.rand(2, num)
    places = torch.stack([torch.randperm(num), torch.randperm(num)])
    left = eliminate(tokens, places, scores, keep)
    kept = math.ceil(keep * num)
    assert left.tokens.shape == (2, kept, 4)
    for i in range(2):
        score_of = dict(zip(places[i].tolist(), scores[i].tolist(), strict=True))
        assert sorted([*left.places[i].tolist(), *left.removed[i].tolist()]) == list(range(num))
        lowest_kept = min(score_of[place] for place in left.places[i].tolist())
        assert all(score_of[place] <= lowest_kept for place in left.removed[i].tolist())


@given(st.integers(1, 60), st.floats(0.01, 1))
def test_survivors_return_to_their_places_and_the_rest_is_zero(num: int, keep: float) -> None:
    tokens = torch.randn(2, num, 4)
    left = eliminate(tokens, torch.arange(num).expand(2, -1), torch.rand(2, num), keep)
    whole = restore(left.tokens, left.places, num)
    gone = torch.zeros(2, num, dtype=torch.bool).scatter(1, left.removed, torch.ones_like(left.removed, dtype=torch.bool))
    assert torch.equal(whole, torch.where(gone.unsqueeze(2), 0.0, tokens))


def test_keeping_all_changes_nothing_not_even_the_order() -> None:
    tokens, places = torch.randn(1, 5, 2), torch.tensor([[4, 3, 2, 1, 0]])
    left = eliminate(tokens, places, torch.rand(1, 5), 1.0)
    assert torch.equal(left.tokens, tokens)
    assert torch.equal(left.places, places)
    assert left.removed.shape == (1, 0)


def test_relevance_is_what_the_chosen_template_tokens_look_at() -> None:
    attention = torch.zeros(1, 2, 3, 4)
    attention[0, 0, 1, 2], attention[0, 1, 1, 2], attention[0, 0, 0, 3] = 0.5, 0.3, 0.9
    chosen = query_weights(torch.tensor([[False, True, True]]))
    assert relevance(attention, chosen).tolist() == [[0.0, 0.0, pytest.approx(0.2), 0.0]]


@given(st.lists(st.tuples(units, units, units, units), min_size=1, max_size=4), st.sampled_from([64, 112, 128, 192]))
def test_a_token_shows_the_target_where_its_down_sampled_mask_is_not_zero(boxes: list[tuple[float, ...]], size: int) -> None:
    given = torch.tensor(boxes)
    pixels = torch.zeros(len(boxes), 1, size, size)
    for i, (x, y, w, h) in enumerate((given * size).tolist()):
        pixels[i, 0, int(y) : max(int(y), int(y + h - 1)), int(x) : max(int(x), int(x + w - 1))] = 1
    small = torch.nn.functional.interpolate(pixels, scale_factor=1 / 16, mode="bilinear", align_corners=False)
    assert torch.equal(target_mask(given, size), small.flatten(1) != 0)


def test_a_box_that_begins_outside_the_template_counts_from_its_side() -> None:
    wide, cut = torch.tensor([[-0.5, 0.25, 2.0, 0.5]]), torch.tensor([[0.0, 0.25, 1.5, 0.5]])
    assert torch.equal(target_mask(wide, 128), target_mask(cut, 128))
    assert target_mask(wide, 128).sum() == 8 * 4


def test_a_target_too_small_for_any_token_lets_all_decide() -> None:
    mask = target_mask(torch.tensor([[0.51, 0.51, 0.001, 0.001], [0.25, 0.25, 0.5, 0.5]]), 128)
    assert mask.sum(dim=1).tolist() == [0, 16]
    weights = query_weights(mask)
    assert torch.equal(weights[0], torch.full((64,), 1 / 64))
    assert weights.sum(dim=1).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("side", range(1, 15))
def test_the_middle_of_a_template_is_one_token_or_the_few_about_it(side: int) -> None:
    one, few = (centre_mask(side, single=single).reshape(side, side) for single in (True, False))
    assert one.sum() == 1
    assert one[(side - 1) // 2, (side - 1) // 2]
    assert few.sum() == (1 if side % 2 else 4)
    assert torch.equal(few, few.flip((0, 1)))


def test_the_share_kept_in_training_falls_from_all_to_its_base() -> None:
    rates = [keep_rate(epoch, base=0.6, start=10, warm=20) for epoch in range(60)]
    assert rates[:11] == [1.0] * 11
    assert rates[30:] == pytest.approx([0.6] * 30)
    assert rates == sorted(rates, reverse=True)
    assert rates[20] == pytest.approx(0.8)


def test_a_merged_token_weighs_what_leaves_by_attention_and_leaves_out_what_stays() -> None:
    tokens = torch.tensor([[[1.0], [2.0], [4.0], [100.0]]])
    attention = torch.tensor([[0.1, 0.1, 0.2, 0.6]])
    gone = torch.tensor([[True, True, True, False]])
    assert merge(tokens, attention, gone).tolist() == [[[pytest.approx((1 + 2 + 2 * 4) / 4)]]]


def test_mean_and_sum_of_attention_merge_alike_and_the_largest_value_does_not() -> None:
    torch.manual_seed(0)
    attention, tokens = torch.rand(2, 3, 4, 9).softmax(dim=3), torch.randn(2, 9, 5)
    weights, gone = query_weights(torch.tensor([[True, False, True, True]])), torch.rand(2, 9) > 0.4
    by_mean, by_sum, by_max = (attended(attention, weights, by) for by in ("mean", "sum", "max"))
    chosen = attention[:, :, [0, 2, 3]]
    torch.testing.assert_close(by_mean, chosen.mean(dim=(1, 2)))
    torch.testing.assert_close(by_sum, chosen.sum(dim=(1, 2)))
    torch.testing.assert_close(by_max, chosen.amax(dim=(1, 2)))
    torch.testing.assert_close(merge(tokens, by_mean, gone), merge(tokens, by_sum, gone))  # an average does not see a common factor
    assert not torch.allclose(merge(tokens, by_mean, gone), merge(tokens, by_max, gone), atol=1e-4)
