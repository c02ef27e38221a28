from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate import anchors
from sightline.evaluate.anchors import AnchoredClip, Run


def run_of(good: int, low: int, then: int = 0, *, absent: int | None = None) -> Run:
    overlaps = np.array([0.0] + [0.8] * good + [0.1] * low + [0.8] * then)
    there = np.ones(len(overlaps), dtype=bool)
    if absent is not None:
        there[absent] = False
    return Run.of(overlaps, there)


def test_ten_low_frames_in_a_row_are_a_failure_at_the_first_of_them() -> None:
    assert run_of(5, 10, 3).progress == 6
    assert run_of(5, 9, 3).progress == 18
    assert not run_of(5, 9, 3).failed


def test_a_frame_without_the_target_breaks_the_row() -> None:
    assert not run_of(5, 10, 3, absent=10).failed


def test_a_run_may_go_backward() -> None:
    assert anchors.run_order(2, 5, backward=True).tolist() == [2, 1, 0]
    assert anchors.run_order(2, 5, backward=False).tolist() == [2, 3, 4]


def test_a_sequence_counts_what_was_tracked_before_failures() -> None:
    found = anchors.score_sequence(AnchoredClip([run_of(5, 10), run_of(3, 0)], 100))
    assert found == pytest.approx((8 * 0.8 / 10, 10 / 20, 10, 100))


def test_sequences_weigh_by_frames() -> None:
    found = anchors.score([AnchoredClip([run_of(5, 10)], 30), AnchoredClip([run_of(3, 0)], 10)])
    assert found == pytest.approx((8 * 0.8 / 10, (30 * 6 / 16 + 10) / 40))
    lost = Run(np.zeros(12), 0)
    assert anchors.score([AnchoredClip([lost], 12)]) == (0.0, 0.0)


def test_a_failed_run_stays_in_the_expected_overlap_and_a_whole_one_leaves() -> None:
    curve = anchors.eao_curve([AnchoredClip([run_of(5, 10), run_of(3, 0)], 100)], 20)
    assert curve[:4] == pytest.approx([0, 0.8, 0.8, 0.8])
    assert curve[16:] == pytest.approx([4.0 / 15, 4.0 / 16, 4.0 / 17, 4.0 / 18])
    assert anchors.eao(curve, 1, 3) == pytest.approx(0.8)
    assert anchors.eao(curve, 18, 755) == pytest.approx((4.0 / 17 + 4.0 / 18) / 2)
