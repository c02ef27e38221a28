from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from sightline import VideoError, read
from sightline.frame import Image
from tests.frame.videos import picture, until_it_breaks


class FakeCapture:
    """A camera with four pictures and a loose cable."""

    def __init__(self, number: int) -> None:
        self.number, self.count, self.released = number, 0, False

    def isOpened(self) -> bool:  # noqa: N802  OpenCV's name
        return self.number < 2

    def get(self, _: int) -> float:
        return 30.0 if self.number == 0 else 0.0

    def read(self) -> tuple[bool, Image | None]:
        if self.count == 4:
            return False, None
        self.count += 1
        return True, np.ascontiguousarray(picture(self.count - 1)[..., ::-1])

    def release(self) -> None:
        self.released = True


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[FakeCapture]:
    opened: list[FakeCapture] = []

    def open_capture(number: int) -> Any:
        opened.append(FakeCapture(number))
        return opened[-1]

    monkeypatch.setattr(cv2, "VideoCapture", open_capture)
    return opened


@pytest.mark.parametrize("source", [0, "0"])
def test_a_number_is_a_camera(source: int | str, captures: list[FakeCapture]) -> None:
    reader = read(source)
    assert (reader.name, reader.fps, reader.live, reader.num_frames) == ("camera 0", 30.0, True, None)
    with pytest.raises(VideoError, match="camera 0 gave no more pictures after frame 3"):
        list(reader)
    assert captures[0].released


def test_the_newest_picture_of_a_camera_comes_as_rgb_with_its_number_and_time(captures: list[FakeCapture]) -> None:
    frames, _ = until_it_breaks(read(0))
    assert frames[-1].index == 3
    for frame in frames:
        assert np.array_equal(frame.image, picture(frame.index))
        assert frame.time is not None
        assert frame.time >= 0
    assert len(captures) == 1


def test_a_camera_without_a_rate_has_none(captures: list[FakeCapture]) -> None:
    assert read(1).fps is None
    assert len(captures) == 1


def test_a_camera_that_does_not_open_is_refused(captures: list[FakeCapture]) -> None:
    with pytest.raises(VideoError, match="camera 7 cannot be opened"):
        read(7)
    assert captures[0].released


def test_a_camera_that_is_not_there_is_refused_without_noise(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VideoError, match="camera 93 cannot be opened"):
        read("93")
    assert capfd.readouterr() == ("", "")
