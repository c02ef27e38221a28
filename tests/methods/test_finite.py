from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from sightline.engines import Array
from sightline.errors import EngineError
from sightline.frame import Frame
from sightline.methods.network import NetworkMethod
from sightline.tracker import MultiTracker, Tracker
from tests.fakes import FakeSession, stay

FRAMES = [Frame(np.full((120, 200, 3), 40, np.uint8), index=i) for i in range(3)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["box", "score"])
def test_what_is_no_number_is_an_error_and_no_box(name: str, value: float) -> None:
    broken = False

    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        said = stay(arrays)
        if broken:
            said[name].flat[-1] = value
        return said

    tracker = Tracker(NetworkMethod(FakeSession(step=step)))
    tracker.init(FRAMES[0], (50, 50, 20, 20))
    before = tracker.update(FRAMES[1]).box
    broken = True
    with pytest.raises(EngineError, match=rf"fake says no {name} in frame 2: its step graph"):
        tracker.update(FRAMES[2])
    broken = False
    assert tracker.update(FRAMES[2]).box == before


def test_one_broken_target_of_many_leaves_all_where_they_were() -> None:
    def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        said = stay(arrays)
        if len(said["box"]) > 1:
            said["box"][1] = np.nan
        return said

    many: MultiTracker[str, object] = MultiTracker(NetworkMethod(FakeSession(step=step)))  # type: ignore[arg-type]  # its state is its own affair
    many.add("a", FRAMES[0], (50, 50, 20, 20))
    first = many.update(FRAMES[1])["a"].box
    many.add("b", FRAMES[1], (80, 50, 20, 20))
    with pytest.raises(EngineError, match="frame 2"):
        many.update(FRAMES[2])
    many.remove("b")
    assert many.update(FRAMES[2])["a"].box == first
