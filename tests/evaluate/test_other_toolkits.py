"""Our arithmetic and that of the toolkits' own packages, on random regions, where those packages are installed.

Neither is a dependency: `make test-toolkits` has an environment with both. Elsewhere this is skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.evaluate import metrics, regions
from sightline.evaluate.clips import open_dataset
from sightline.evaluate.results import Maker
from sightline.evaluate.rules import RULES
from sightline.evaluate.run import evaluate
from sightline.evaluate.score import score
from sightline.evaluate.submit import write_submission
from sightline.fleet import Here
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.evaluate.folders import make_sequences
from tests.fakes import FakeSession, brightest

SIZE = (160, 120)


def random_boxes(seed: int, count: int = 4000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pairs of boxes near each other, with ties, some outside the image, some without area."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(-20, 120, (count, 4)).round(1)
    b = a + rng.normal(0, 8, (count, 4)).round(0)
    a[:, 2:], b[:, 2:] = np.abs(a[:, 2:]), np.abs(b[:, 2:])
    a[:50, 2:], b[30:80, 2] = 0, 0
    return a, b


@pytest.mark.parametrize("seed", range(3))
def test_overlap_and_centres_are_those_of_the_got10k_package(seed: int) -> None:
    theirs: Any = pytest.importorskip("got10k.utils.metrics")
    a, b = random_boxes(seed)
    rules = RULES["got10k"]
    np.testing.assert_array_equal(metrics.overlap_values(a, b, rules), theirs.rect_iou(a.copy(), b.copy()))
    np.testing.assert_array_equal(
        metrics.overlap_values(metrics.boxes_inside(a, SIZE), metrics.boxes_inside(b, SIZE), rules),
        theirs.rect_iou(a.copy(), b.copy(), bound=SIZE),
    )
    np.testing.assert_array_equal(metrics.centre_errors(a, b, rules), theirs.center_error(a.copy(), b.copy()))


def test_the_got10k_package_prints_our_figures_from_our_files(tmp_path: Path) -> None:
    theirs: Any = pytest.importorskip("got10k.experiments.otb")
    names = ["a", "b", "c"]
    root = make_sequences(tmp_path / "data", names, 20)
    for i, name in enumerate(names):
        path = root / name / "groundtruth.txt"  # everywhere a box, which leaves the square in one more frame than in the sequence before
        path.write_text("".join(f"{20 + 2 * t + 9 * max(0, t - 17 + i)},40,24,24\n" for t in range(20)))
    dataset = open_dataset("folder", root)
    maker, folder = Maker("fake", {}), tmp_path / "results"
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)))
    evaluate(tracker, dataset, folder, maker=maker, pool=Here(), timed_on="here", setting={})
    written = write_submission("otb", dataset, folder, tracker="fake")
    [results] = [path.parent for path in written.rglob("fake") if path.is_dir()]
    experiment: Any = object.__new__(theirs.ExperimentOTB)  # its own beginning would look for OTB on the network
    experiment.dataset = Annotated(names, [(clip.frames, clip.rows) for clip in dataset])
    experiment.result_dir, experiment.report_dir = str(results), str(tmp_path / "reports")
    experiment.nbins_iou, experiment.nbins_ce = 21, 51
    experiment.plot_curves = lambda _: None
    printed = experiment.report(["fake"])["fake"]
    summary = score(dataset, folder, maker=maker, rules="got10k")
    assert summary.means["auc"] == pytest.approx(printed["overall"]["success_score"], rel=1e-12)
    assert summary.means["precision"] == pytest.approx(printed["overall"]["precision_score"], rel=1e-12)
    assert summary.means["sr50"] == pytest.approx(printed["overall"]["success_rate"], rel=1e-12)
    assert 0.7 < printed["overall"]["success_score"] < 0.95
    for name in names:
        assert summary.sequences[name]["auc"] == pytest.approx(printed["seq_wise"][name]["success_score"], rel=1e-12)


class Annotated(list[Any]):
    """What that package takes for a data set: pairs of images and boxes, and names."""

    def __init__(self, names: list[str], pairs: list[Any]) -> None:
        super().__init__(pairs)
        self.seq_names = names


def random_region(rng: np.random.Generator) -> NDArray[Any]:
    """A code, a box, a polygon (one in six crosses itself) or a mask."""
    kind = rng.integers(0, 14)
    digits = int(rng.integers(0, 3))
    if kind == 0:
        return np.array([1.0])
    if kind < 5:
        return np.concatenate([rng.uniform(-40, 150, 2), rng.uniform(0, 60, 2)]).round(digits)
    if kind < 7:
        x, y, w, h = rng.integers(0, 60, 4)
        mask = np.zeros(SIZE[::-1], dtype=bool)
        mask[y : y + h + 1, x : x + w + 1] = rng.random((h + 1, w + 1)) > 0.3
        return mask
    num_corners = int(rng.choice([3, 4, 4, 4, 5, 7]))
    if kind == 7:
        return rng.uniform(-30, 160, 2 * num_corners).round(digits)
    turns = np.sort(rng.uniform(0, 2 * np.pi, num_corners))
    corners = rng.uniform(-20, 150, 2) + np.stack([np.cos(turns), np.sin(turns)], axis=1) * rng.uniform(1, 50, 2)
    return corners.reshape(-1).round(digits)


@pytest.mark.parametrize("seed", range(3))
def test_pixels_of_regions_are_those_of_the_vot_package(seed: int) -> None:
    vot: Any = pytest.importorskip("vot.region")
    raster: Any = pytest.importorskip("vot.region.raster")

    def theirs(region: NDArray[Any]) -> Any:
        if region.dtype == np.bool_:
            return vot.Mask(region.astype(np.uint8))
        if region.size == 1:
            return vot.Special(int(region[0]))
        return vot.Rectangle(*region) if region.size == 4 else vot.Polygon([tuple(corner) for corner in region.reshape(-1, 2)])

    rng = np.random.default_rng(seed)
    for _ in range(1500):
        a, b = random_region(rng), random_region(rng)
        ours = regions.raster_overlap(a, b, SIZE)
        assert ours == pytest.approx(raster.calculate_overlap(theirs(a), theirs(b), SIZE), abs=1e-6), (a, b)  # float32 there
