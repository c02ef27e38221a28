from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate import restarts
from sightline.evaluate.restarts import Fragment

THERE, AWAY = [10.0, 10, 20, 20], [60.0, 10, 20, 20]


def run_of(*places: list[float]) -> np.ndarray:
    return restarts.restarted(np.array(places), np.array([THERE] * len(places)))


def test_a_run_starts_again_five_frames_after_a_failure() -> None:
    run = run_of(*[THERE] * 3, AWAY, *[THERE] * 8)
    np.testing.assert_equal(restarts.codes(run), [1, np.nan, np.nan, 2, 0, 0, 0, 0, 1, np.nan, np.nan, np.nan])
    np.testing.assert_equal(run[1], THERE)


def test_a_box_at_the_start_is_not_judged() -> None:
    assert (restarts.codes(run_of(AWAY, THERE, THERE)) == restarts.FAILED).sum() == 0


def test_frames_after_each_start_say_nothing_of_accuracy() -> None:
    run = run_of(*[THERE] * 3, AWAY, *[THERE] * 20)
    assert np.flatnonzero(~restarts.burnt(run)).tolist() == [18, 19, 20, 21, 22, 23]
    overlaps = np.where(restarts.burnt(run), 0.0, 0.75)
    assert restarts.accuracy_and_failures(run, overlaps) == (0.75, 1)
    assert restarts.accuracy_and_failures(run[:9], overlaps[:9]) == (0.0, 1)


def test_one_program_pools_frames_and_the_other_weights_sequences() -> None:
    runs = [run_of(*[THERE] * 20), run_of(*[THERE] * 3, AWAY, *[THERE] * 26)]
    overlaps = [np.full(len(run), value) for run, value in zip(runs, (0.2, 0.8), strict=True)]
    overlaps = [np.where(np.isnan(restarts.codes(run)), values, np.nan) for run, values in zip(runs, overlaps, strict=True)]
    pooled, weighted = restarts.score_pooled(runs, overlaps), restarts.score_restarts(runs, overlaps)
    assert pooled.accuracy == pytest.approx((10 * 0.2 + 12 * 0.8) / 22)
    assert weighted.accuracy == pytest.approx((20 * 0.2 + 30 * 0.8) / 50)
    assert (pooled.failures, weighted.failures) == (1, 0.6)
    assert pooled.robustness == 2.0
    assert weighted.robustness == pytest.approx(np.exp(-30 * 0.6 / 25))


def test_a_failed_fragment_goes_on_as_zeros_and_an_open_one_ends() -> None:
    parts = [
        Fragment(np.array([9.0, 0.6, 0.6]), True),
        Fragment(np.array([9.0, 0.4, 0.4, 0.4]), False),
        Fragment(np.array([9.0, 1.0]), False),
    ]
    np.testing.assert_allclose(restarts.eao_curve(parts), [0, 2 / 3, 0.5, (0.4 + 0.4) / 2])


def test_a_fragment_weighs_less_where_its_failure_is_five_frames_before_the_end() -> None:
    for frames_after, weight in ((4, 10 / 11), (5, 1.0), (3, 1.0)):
        run = run_of(*[THERE] * (9 - frames_after), AWAY, *[THERE] * frames_after)
        assert restarts.fragments(run, np.ones(10))[0].weight == pytest.approx(weight)


def test_expected_overlap_is_read_from_the_lengths_of_the_challenge() -> None:
    assert restarts.eao(np.arange(100.0), 10, 20) == 15.0
    parts = [Fragment(np.full(30, 0.5), False)]
    assert restarts.eao_pooled(parts, 30, 10, 20) == pytest.approx(0.5)
    assert restarts.eao_pooled(parts, 30, 1, 2) == pytest.approx(0.75)  # its value at no frames is 1
