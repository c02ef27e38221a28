"""The verdict on golden/metrics is that of its README, and it can say no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.golden import check, metrics

VALUES = np.array([0.0, 0.5, np.nan, np.inf, 120.0])


def agrees(ours: Any, *, dtype: str = "float64", notes: str = "") -> bool:
    meta = {"outputs": {"x": {"shape": [5], "dtype": dtype, "stride": 1}}, "notes": notes}
    ((_, _, verdict),) = metrics.verdict(meta, {"x": VALUES}, {"x": ours}).values()
    return verdict


@pytest.mark.parametrize("relative", [0.5e-6, 2e-6, 0.5e-5, 2e-5])
@pytest.mark.parametrize("dtype,notes", [("float64", ""), ("float32", ""), ("float64", "boxes in float32")])
def test_the_verdict_is_that_of_assert_allclose(relative: float, dtype: str, notes: str) -> None:
    allowed = 1e-5 if "float32" in dtype + notes else 1e-6
    for i in (1, 4):
        ours = VALUES.copy()
        ours[i] *= 1 + relative
        assert agrees(ours, dtype=dtype, notes=notes) == np.allclose(ours, VALUES, rtol=allowed, atol=1e-9, equal_nan=True)
        assert agrees(ours, dtype=dtype, notes=notes) == (relative < allowed)


@pytest.mark.parametrize("i,value", [(0, 2e-9), (1, np.nan), (2, 0.0), (3, -np.inf), (3, 1.0), (4, np.inf)])
def test_one_wrong_number_is_seen(i: int, value: float) -> None:
    ours = VALUES.copy()
    assert agrees(ours)
    ours[i] = value
    assert not agrees(ours)


def test_an_output_that_is_missing_or_of_another_shape_does_not_agree() -> None:
    assert not agrees(None)
    assert not agrees(VALUES[:4])


def test_other_tracks_give_other_numbers(shared: Path, tmp_path: Path) -> None:
    golden = check.load_golden(shared)
    source = shared / "golden" / "metrics"
    for part in ("meta.json", "outputs.npz"):
        (tmp_path / "otb").mkdir(exist_ok=True)
        (tmp_path / "otb" / part).write_bytes((source / "got10k-otb" / part).read_bytes())
    with np.load(source / "trajectories.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    for moved, verdict in ((0.0, "pass"), (9.0, "fail")):
        arrays["alpha/close/boxes"] = arrays["alpha/close/boxes"] + [moved, 0, 0, 0]
        np.savez(tmp_path / "trajectories.npz", **arrays)
        assert check.check(tmp_path / "otb", golden).verdict == verdict
