from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate import presence


def test_a_threshold_that_nothing_reaches_is_precise_and_recalls_nothing() -> None:
    overlaps, scores = np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.2, 0.9])
    thresholds = np.array([np.inf, 0.9, 0.2, -np.inf])
    precision, recall = presence.precision_recall(overlaps, scores, 3, thresholds, zero_is_silent=False)
    assert precision.tolist() == [1, 1, 0.75, 0.5]
    assert recall.tolist() == pytest.approx([0, 1 / 3, 0.5, 0.5])
    silent, _ = presence.precision_recall(overlaps, scores, 3, thresholds, zero_is_silent=True)
    assert silent[-1] == 0.75


def test_f_is_largest_where_precision_and_recall_agree() -> None:
    curve = presence.f_curve(np.array([1.0, 0.8, 0.5]), np.array([0.0, 0.8, 0.5]))
    assert (curve.best, curve.f[curve.best]) == (1, pytest.approx(0.8))


def test_both_toolkits_take_a_hundred_thresholds_and_not_the_same() -> None:
    scores = np.linspace(0, 1, 985)
    nearest, descending = presence.thresholds_nearest(np.append(scores, np.nan)), presence.thresholds_descending(scores)
    assert len(nearest) == len(descending) == 100
    assert np.all(np.diff(nearest[1:-1]) < 0)
    assert np.all(np.diff(descending[1:-1]) < 0)
    assert not np.array_equal(nearest, descending)
    assert len(presence.thresholds_descending(scores[:7])) == 9


def test_ranked_frames_start_at_precision_one() -> None:
    scores = np.array([0.2, 0.9, 0.9])
    order = presence.most_certain_first(scores)
    assert order.tolist() == [1, 2, 0]
    curve = presence.ranked_f(np.array([0.0, 1.0, 0.5])[order], 2)
    assert curve.precision.tolist() == [1, 1, 0.75, 0.5]
    assert curve.recall.tolist() == [0, 0.5, 0.75, 0.75]
    assert presence.ranked_threshold(scores, 3) == 0.2
    assert presence.ranked_threshold(scores, 1) == 0.9


def test_each_frame_is_tracked_lost_missed_made_up_or_noticed() -> None:
    overlaps = np.array([0.0, 0.7, 0.0, 0.0, 0.0, 1.0])
    said = np.array([False, True, True, False, True, False])
    there = np.array([True, True, True, True, False, False])
    counts = presence.count_presence(overlaps, said, there)
    assert counts == presence.PresenceCounts(tracked=1, failed=1, missed=2, hallucinated=1, noticed=1)
    assert presence.presence_rates(counts)[:3] == (0.25, 0.5, 0.25)
    assert np.isnan(presence.presence_rates(counts)[3])  # two frames without the target say nothing
    assert presence.presence_accuracy(overlaps, there) == 0.35


def test_absence_is_judged_where_there_is_enough_of_it() -> None:
    assert presence.presence_rates(presence.PresenceCounts(1, 0, 0, 9, 3))[3] == 0.25


def test_the_last_threshold_is_reached_by_one() -> None:
    assert presence.presence_success(np.array([1.0, 0.5]), np.array([0.0, 0.5, 1.0])).tolist() == [1, 0.5, 0.5]
