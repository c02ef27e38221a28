"""The benchmark of callers measures what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import callers
from sightline.measure.subject import rendered

FRAMES, BOX = rendered((320, 240), 3)


def row(patience: float) -> callers.Row:
    numbers = {"targets": 2, "callers": 2, "rounds": 1, "seconds": 0.0}
    return callers.measured("kestrel-nano", "onnxruntime", "f32", FRAMES, BOX, patience=patience, **numbers)  # type: ignore[arg-type]  # all have their types


def test_a_row_is_of_quiet_rounds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "busy_seconds", lambda: 0.0)
    found = row(10.0)
    assert found.rounds == 1
    assert min(found.alone, found.callers, found.threads) > 0
    told = iter(float(number) for number in range(10**6))
    monkeypatch.setattr(callers, "busy_seconds", lambda: next(told) * 100)
    assert row(0.2).rounds == 0
    assert "| 1.85 |" in callers.table([replace(found, callers=1.85)], targets=2, callers=2, cores=2)
