from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate.stability import stability, trembling

TRUTH = np.stack([np.linspace(0, 99, 100), np.full(100, 50.0), np.full(100, 40.0), np.full(100, 20.0)], axis=1)


def test_a_constant_error_is_perfectly_steady() -> None:
    assert stability(TRUTH + np.array([4, 2, 3, 1]), TRUTH)[:3] == pytest.approx((0, 0, 0), abs=1e-12)


def test_deviations_are_in_widths_and_heights_of_the_target() -> None:
    boxes = TRUTH.copy()
    boxes[::2, 0] += 4  # 0.1 of the width in every second frame: a deviation of 0.05
    boxes[::2, 1] += 4  # 0.2 of the height: 0.1
    found = stability(boxes, TRUTH)
    assert found.centre == pytest.approx(0.15)
    assert found.shape == pytest.approx(0)
    assert found.trembling == pytest.approx(np.hypot(4, 4) / np.sqrt(40 * 20))


def test_shape_counts_scale_and_aspect() -> None:
    boxes = TRUTH.copy()
    boxes[::2, 2] *= 1.21  # scale 1.1, aspect 1.21
    assert stability(boxes, TRUTH).shape == pytest.approx(0.05 + 0.105)


def test_slow_drift_does_not_tremble() -> None:
    boxes = TRUTH + np.stack([np.linspace(0, 10, 100), *np.zeros((3, 100))], axis=1)
    found = stability(boxes, TRUTH)
    assert found.centre > 0.05
    assert found.trembling < 0.01


def test_frames_on_another_object_or_without_a_target_do_not_count() -> None:
    boxes, truth = TRUTH.copy(), TRUTH.copy()
    boxes[10:20, 0] += 500
    truth[30:35] = np.nan
    found = stability(boxes, truth)
    assert found.frames == 85
    assert found[:3] == pytest.approx((0, 0, 0), abs=1e-12)
    assert trembling(boxes, truth, np.isfinite(truth).all(axis=1) & (np.arange(100) % 2 == 0)) != trembling(
        boxes, truth, np.ones(100, bool)
    )


def test_one_frame_has_no_steadiness() -> None:
    assert np.isnan(stability(TRUTH[:1], TRUTH[:1])[:3]).all()
