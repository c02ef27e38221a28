from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

pytest.importorskip("onnx")

from sightline.engines import Array
from sightline.quantize.agreement import agreement
from tests.fakes import FakeSession, stay


def test_agreement_is_the_overlap_in_the_same_crops() -> None:
    def shifted(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        return {"box": stay(arrays)["box"] + np.array([0.125, 0, 0, 0], np.float32)}

    def never(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        return {"box": stay(arrays)["box"] * np.float32("nan")}

    given = {name: [{"search": np.zeros((1, 8, 8, 3), np.uint8)}] * 2 for name in "ab"}
    assert agreement(FakeSession(), FakeSession(), given).mean == 1.0
    assert agreement(FakeSession(), FakeSession(step=shifted), given).mean == pytest.approx(1 / 3)
    found = agreement(FakeSession(), FakeSession(step=never), given)
    assert (found.mean, found.worst, found.elsewhere, found.crops, found.sequences) == (0.0, 0.0, 1.0, 4, 2)
