from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate.metrics import (
    Frames,
    average,
    boxes_inside,
    evaluate,
    frame_values,
    frames_per_second,
    mean_iou,
    precision,
    success_auc,
)
from sightline.evaluate.rules import RULES, Rules

TRUTH = np.array([[10.0, 10, 20, 20], [12, 10, 20, 20], [np.nan] * 4, [16, 10, 20, 20]])


def test_a_perfect_track_has_twenty_of_twentyone() -> None:
    assert success_auc(np.nan_to_num(TRUTH), TRUTH) == pytest.approx(20 / 21)
    assert precision(np.nan_to_num(TRUTH), TRUTH) == 1.0


def test_frames_without_truth_do_not_count() -> None:
    boxes = np.nan_to_num(TRUTH)
    boxes[2] = [500, 500, 1, 1]
    assert mean_iou(boxes, TRUTH) == 1.0


def test_a_prediction_that_is_not_finite_counts_as_no_overlap() -> None:
    boxes = np.nan_to_num(TRUTH)
    boxes[0] = np.nan
    assert mean_iou(boxes, TRUTH) == pytest.approx(2 / 3)


def test_the_stored_boxes_of_published_trackers_give_their_stated_figures(shared: object) -> None:
    from pathlib import Path

    root = Path(str(shared)) / "data" / "eval"
    stated = {"opencv-KCF": 0.395191, "opencv-CSRT": 0.563125, "VitTrack": 0.678953, "NanoTrack-v2": 0.680534, "FEAR-XS": 0.724528}
    with np.load(root / "reference-boxes.npz") as archive:
        for tracker, figure in stated.items():
            clips = [key.split("/")[1] for key in archive.files if key.split("/")[0] == tracker]
            truths = [np.loadtxt(root / clip / "groundtruth.txt", delimiter=",") for clip in clips]
            aucs = [success_auc(archive[f"{tracker}/{clip}"].astype(np.float64), truth) for clip, truth in zip(clips, truths, strict=True)]
            assert np.mean(aucs) == pytest.approx(figure, abs=1e-6)


Rows: TypeAlias = Sequence[Sequence[float]]


def clip(boxes: Rows, truth: Rows, name: str = "otb", visible: list[int] | None = None, **changes: Any) -> Frames:
    flags = None if visible is None else np.array(visible, dtype=bool)
    return frame_values(np.array(boxes, float), np.array(truth, float), flags, rules=replace(RULES[name], **changes), size=(100, 80))


@pytest.mark.parametrize("rules", RULES.values(), ids=lambda rules: str(rules.name))
def test_inputs_are_not_touched(rules: Rules) -> None:
    boxes = np.array([[1.5, 2, 30, 40], [2, 2, 0, 40], [-5, 70, 30, 40], [3, 3, 30.4, 40]])
    truth = np.array([[1, 2, 30, 40], [2, 2, 30, 40], [3, 3, 0, 0], [-4, 3, 30, 40]], dtype=float)
    visible = np.array([True, True, False, True])
    before = boxes.copy(), truth.copy(), visible.copy()
    for array in (boxes, truth, visible):
        array.flags.writeable = False
    frame_values(boxes, truth, visible, rules=rules, size=(100, 80))
    for array, copy in zip((boxes, truth, visible), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("rules", RULES.values(), ids=lambda rules: str(rules.name))
def test_a_perfect_track_has_the_best_score_that_the_rules_allow(rules: Rules) -> None:
    truth = np.array([[10.0, 20, 30, 40]] * 5)
    _, found = evaluate([frame_values(truth, truth, np.ones(5, dtype=bool), rules=rules, size=(100, 80))], rules)
    best = {"mean": 20 / 21, "trapezoid": 39 / 40}[str(rules.success.score)] if rules.success.test == ">" else 1.0
    assert found.success == pytest.approx(rules.scale * best)
    assert found.precision == pytest.approx(rules.scale)
    assert found.normal == pytest.approx(rules.scale)


def test_the_same_boxes_score_differently_by_the_toolkits_of_one_data_set() -> None:
    truth: Rows = [[10.0, 10, 20, 20], [0, 10, 20, 20], [np.nan] * 4, [14, 10, 20, 20]]
    boxes = [[10, 10, 20, 20], [0, 10, 20, 20], [12, 10, 20, 20], [14, 10, 20, 20]]
    found = {name: average([clip(boxes, truth, name)], RULES[name]).success[0] for name in ("got10k-uav123", "pysot", "pytracking-uav")}
    assert found == {"got10k-uav123": 1.0, "pysot": 0.75, "pytracking-uav": 50.0}  # dropped, a miss, and x = 0 a miss too


def test_an_invalid_frame_is_a_miss_of_success_and_a_hit_of_precision() -> None:
    frames = clip([[10, 10, 20, 20], [500, 500, 20, 20]], [[10, 10, 20, 20], [0, 0, 0, 0]])
    assert (frames.overlap[1], frames.error[1], frames.normal[1]) == (-1, -1, -1)
    curves = average([frames], RULES["otb"])
    assert (curves.success[0], curves.precision[0]) == (0.5, 1.0)


def test_normalised_precision_passes_one_where_hits_are_not_counted() -> None:
    rules = replace(RULES["pytracking"], denominator="valid")
    frames = frame_values(np.full((2, 4), 10.0), np.array([[10.0, 10, 10, 10], [0, 0, 0, 0]]), rules=rules)
    assert average([frames], rules).normal[20] == 200.0


def test_a_bad_row_repeats_the_one_before_it() -> None:
    boxes: Rows = [[10, 10, 20, 20], [12, 10, 20, 20], [0, 0, 0, 0], [3, 3, -1, 5], [np.nan, 1, 1, 1]]
    truth = [[10, 10, 20, 20]] * 5
    assert clip(boxes, truth, "lasot").overlap == pytest.approx([1.0] + [18 / 22] * 4)


def test_predictions_are_rounded_as_the_rules_say() -> None:
    boxes: Rows = [[9, 9, 9, 9], [-0.7, 10.9, 10.5, 11.5]]
    truth: Rows = [[9, 9, 9, 9], [0, 10, 10, 11]]
    assert clip(boxes, truth, "stark", rounding="truncate").overlap[1] == 1.0
    assert clip(boxes, truth, "stark", rounding="even").overlap[1] < 1.0
    even = [[9, 9, 9, 9], [-1, 11, 10, 12]]
    assert clip(boxes, even, "trackingnet").overlap[1] == 1.0


def test_a_box_left_of_the_image_keeps_its_width() -> None:
    np.testing.assert_array_equal(boxes_inside(np.array([[-10.0, 70, 30, 20]]), (100, 80)), [[0, 70, 30, 10]])


def test_the_better_of_two_annotations_counts_in_each_frame() -> None:
    boxes = np.array([[10.0, 10, 20, 20], [10, 10, 20, 20]])
    views = np.stack([boxes + np.array([[0, 0, 0, 0], [50, 0, 0, 0]]), boxes + np.array([[50, 0, 0, 0], [0, 0, 0, 0]])])
    frames = frame_values(boxes, views, rules=RULES["rgbt234"])
    assert frames.overlap.tolist() == [1, 1]
    assert frames.error.tolist() == [0, 0]


def test_a_clip_without_any_success_leaves_the_mean_of_its_tracker() -> None:
    good, lost = clip([[10, 10, 20, 20]] * 2, [[10, 10, 20, 20]] * 2, "lasot"), clip([[10, 10, 20, 20]] * 2, [[0, 0, 0, 0]] * 2, "lasot")
    assert average([good, lost], RULES["lasot"]).success[0] == pytest.approx(1.0)
    assert average([good, lost], RULES["otb"]).success[0] == pytest.approx(0.5)


def test_pooled_frames_weigh_alike_and_clips_do_not() -> None:
    long = clip([[10, 10, 20, 20]] * 3, [[10, 10, 20, 20]] * 3, "gtot")
    short = clip([[90, 10, 20, 20]], [[10, 10, 20, 20]], "gtot")
    assert average([long, short], RULES["gtot"]).success[0] == 0.75
    assert average([long, short], RULES["rgbt234"]).success[0] == 0.5


@pytest.mark.parametrize(
    "name,given,message",
    [
        pytest.param("otb", [[1, 1, 5, 5]], "1 predictions for 2 frames", id="too few"),
        pytest.param("pytracking-lasot", [[1, 1, 5, 5]], "1 predictions for 2 frames", id="too few for this data set"),
        pytest.param("pytracking", [[1, 1, 5, 5], [1, 1, -5, 5]], "prediction 1 is", id="negative"),
        pytest.param("stark", [[1, 1, 5, 5], [1, 1, np.nan, 5]], "prediction 1 is", id="not finite"),
        pytest.param("otb", [[1, 1, 5], [1, 1, 5]], r"shape \(2, 3\)", id="no boxes"),
    ],
)
def test_results_that_a_toolkit_stops_at_are_refused(name: str, given: list[list[float]], message: str) -> None:
    with pytest.raises(BadData, match=message):
        clip(given, [[1, 1, 5, 5]] * 2, name)


def test_missing_predictions_are_zeros_or_cut_by_the_rules() -> None:
    given, truth = [[1, 1, 5, 5]], [[1, 1, 5, 5]] * 3
    assert len(clip(given, truth, "got10k").overlap) == 1
    assert clip(given, truth, "pytracking", repair="none").overlap.tolist() == [1, 0, 0]


def test_the_image_size_is_asked_for_where_boxes_are_cut() -> None:
    with pytest.raises(BadData, match="give its size"):
        frame_values(np.ones((2, 4)), np.ones((2, 4)), rules=RULES["got10k-val"])


def test_no_clip_has_no_score() -> None:
    with pytest.raises(BadData, match="no clip"):
        average([], RULES["otb"])


def test_the_mean_of_rates_is_not_the_rate_of_the_mean() -> None:
    assert frames_per_second(np.array([0.0, 0.1, 0.5])) == pytest.approx(6.0)
    assert np.isnan(frames_per_second(np.zeros(2)))
