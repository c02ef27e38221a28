"""Real sequences, whole: the figures that the README and the model cards state can be reached."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sightline
from sightline.evaluate.metrics import success_auc
from sightline.weights import builtin_names


def mean_auc(tracker: sightline.Tracker[Any], root: Path) -> float:
    """Mean success AUC of one pass over every sequence below a folder."""
    figures = []
    for truth_file in sorted(root.glob("*/groundtruth.txt")):
        truth = np.loadtxt(truth_file, delimiter=",", ndmin=2)
        steps = sightline.follow(truth_file.parent / "img", box=truth[0], tracker=tracker)
        figures.append(success_auc(np.array([step.estimate.box for step in steps]), truth))
    assert figures
    return statistics.mean(figures)


def case(tracker: str, weights: str, auc: float, *, whole: bool = True) -> Any:
    """Published weights and the figure of data/eval/README.md; `whole`: only with `make test-golden`."""
    return pytest.param(tracker, weights, auc, id=f"{tracker} from {weights}", marks=[pytest.mark.golden] if whole else [])


@pytest.mark.parametrize(
    "tracker,weights,auc",
    [
        case("dcfnet", "dcfnet/param.pth", 0.635),
        case("vittrack-nano", "vittrack/object_tracking_vittrack_2023sep.onnx", 0.679, whole=False),
        case("fear-xs", "fear_xs/fear_xs_encoder.onnx", 0.725),
        case("fear-xs", "fear_xs/fear_xs_demo.pth", 0.712),
        case("fear-xs-smooth", "fear_xs/fear_xs_encoder.onnx", 0.741),
        case("fear-xs-smooth", "fear_xs/fear_xs_demo.pth", 0.740),
        case("lighttrack-mobile", "lighttrack_m/lighttrack_mobile_from_openvino.pth", 0.712),
        case("lighttrack-mobile-defaults", "lighttrack_m/lighttrack_mobile_from_openvino.pth", 0.7244),
        case("nanotrack-v1", "nanotrack_v1/nanotrackv1.pth", 0.630),
        case("nanotrack-v2", "nanotrack_v2/nanotrackv2.pth", 0.681, whole=False),
        case("nanotrack-v3", "nanotrack_v3/nanotrackv3.pth", 0.680),
    ],
)
def test_published_weights_reach_their_reference_figure(tracker: str, weights: str, auc: float, shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from sightline.models.checkpoint import convert
    from sightline.models.export import export

    convert(shared / "weights" / weights, tracker, tmp_path / "w.safetensors")
    export(tmp_path / "w.safetensors", tmp_path / "w.onnx")
    # 0.01 is what processing of another kind would cost at once
    assert mean_auc(sightline.load(tmp_path / "w.onnx", threads=1), shared / "data" / "eval") == pytest.approx(auc, abs=0.01)


@pytest.mark.parametrize("name", builtin_names())
def test_a_built_in_tracker_is_better_than_what_opencv_ships(name: str, shared: Path) -> None:
    assert mean_auc(sightline.load(name, threads=1), shared / "data" / "eval") >= 0.563  # CSRT on the same sequences
