"""Our arithmetic and that of the toolkits' own packages, on random regions, where those packages are installed.

Neither is a dependency: `pip install got10k vot-toolkit` into an environment of its own (the latter wants attributee 0.1.9).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.evaluate import metrics, regions
from sightline.evaluate.rules import RULES

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
