from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate.metrics import mean_iou, precision, success_auc

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
