"""Figures of the machine itself: that they are there and make sense, never how large they are."""

from __future__ import annotations

import pytest

from sightline.errors import EngineError, UnknownTracker
from sightline.measure.ceiling import ceiling
from sightline.measure.entrants import opencv
from sightline.measure.start import start
from sightline.measure.subject import Subject


def test_a_ceiling_has_a_rate_for_every_precision_that_somebody_computes_in() -> None:
    found = ceiling(1)
    assert found.threads == 1
    assert found.f32 is not None
    assert found.f32 > 0
    assert found.copy > 0
    for name in ("f32", "bf16", "int8"):
        assert (getattr(found, name) is None) == (name not in found.by)


def test_a_fresh_process_says_how_long_its_first_box_took() -> None:
    found = start(Subject("kestrel-nano", "onnxruntime"))
    assert min(found.imports, found.load, found.first) > 0
    with pytest.raises(EngineError, match="absent"):
        start(Subject("absent.onnx", "onnxruntime"))


def test_a_tracker_that_this_opencv_lacks_is_named() -> None:
    with pytest.raises(UnknownTracker, match="csrt"):
        opencv("nobody")
