from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sightline.box import Box
from sightline.frame import Frame
from sightline.measure.soak import soak

FRAMES = [Frame(np.zeros((8, 8, 3), np.uint8), i) for i in range(5)]


@dataclass
class Clock:
    """Goes on by what an update takes."""

    now: float = 0.0
    update_takes: float = 0.1
    init_takes: float = 0.0

    def __call__(self) -> float:
        return self.now

    def init(self, _image: Frame, _box: Box) -> None:
        self.update_takes = 0.2 if self.now > 20 else 0.1  # becomes slow
        self.now += self.init_takes

    def update(self, _image: Frame) -> None:
        self.now += self.update_takes


def test_a_tracker_that_becomes_slower_is_seen() -> None:
    clock = Clock()
    windows = list(soak(clock, FRAMES, Box(1, 1, 4, 4), seconds=41, window=10, clock=clock))
    assert [round(window.at) for window in windows] == [10, 20, 30, 40]
    assert [round(window.fps) for window in windows] == [10, 10, 5, 5]


def test_to_mark_the_target_is_not_counted() -> None:
    clock = Clock(init_takes=0.3)
    windows = list(soak(clock, FRAMES, Box(1, 1, 4, 4), seconds=15, window=5, clock=clock))
    assert [round(window.fps) for window in windows] == [10, 10]


def test_memory_is_told_where_the_system_does() -> None:
    clock = Clock()
    [window] = soak(clock, FRAMES, Box(1, 1, 4, 4), seconds=1, window=1, clock=clock)
    assert window.memory_mb is None or window.memory_mb > 10


def test_what_has_just_begun_is_asked_after_every_stretch_and_not_counted() -> None:
    clock = Clock()

    def fresh() -> float:
        clock.now += 2
        return 10.0

    windows = list(soak(clock, FRAMES, Box(1, 1, 4, 4), seconds=41, window=10, fresh=fresh, clock=clock))
    assert [round(window.at) for window in windows] == [10, 22, 34]
    assert [round(window.fps) for window in windows] == [10, 9, 5]
    assert [window.fresh for window in windows] == [10.0] * 3


def test_a_soak_shorter_than_an_update_still_tells_a_rate() -> None:
    clock = Clock()
    [window] = soak(clock, FRAMES, Box(1, 1, 4, 4), seconds=0.01, window=0.001, clock=clock)
    assert round(window.fps) == 10
