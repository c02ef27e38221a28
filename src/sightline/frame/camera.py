"""Cameras of this machine, by OpenCV."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from functools import partial

import cv2

from sightline.errors import VideoError
from sightline.frame.images import quiet_opencv
from sightline.frame.picture import Frame
from sightline.frame.source import Shot, Source

__all__ = ["open_camera"]


def open_camera(number: int) -> Source:
    """A camera by its number, 0 the first. Times are those of arrival, counted from the first frame.

    Raises:
        VideoError: there is none, or somebody else holds it; while reading: it gives no more pictures.
    """
    with quiet_opencv():
        camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        camera.release()
        raise VideoError(
            f"camera {number} cannot be opened; is it connected, allowed, and not in use by another program? The first one is 0."
        )
    fps = camera.get(cv2.CAP_PROP_FPS)
    name = f"camera {number}"
    return Source(name=name, fps=fps if fps > 0 else None, num_frames=None, live=True, shots=_shots(camera, name), close=camera.release)


def _shots(camera: cv2.VideoCapture, name: str) -> Iterator[Shot]:
    began = time.monotonic()
    for index in itertools.count():
        given, image = camera.read()
        if not given:
            raise VideoError(f"{name} gave no more pictures after frame {index - 1}; is it still connected?")
        if index == 0:
            began = time.monotonic()
        now = time.monotonic() - began
        yield Shot(index, now, partial(Frame.of, image, index=index, time=now))
