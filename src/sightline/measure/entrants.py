"""What can take part in a race beside a `Tracker`: several targets of one frame, and trackers of OpenCV."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.adapters.opencv import find_opencv
from sightline.box import Box
from sightline.frame import Frame
from sightline.methods import Method
from sightline.tracker import MultiTracker

__all__ = ["Many", "OpenCV", "bytes_of_a_target", "opencv"]


@dataclass
class Many:
    """Several targets of one frame."""

    method: Method[Any]
    count: int
    callers: int = 1
    trackers: MultiTracker[int, Any] | None = None

    def init(self, image: Frame, box: Box) -> None:
        """Mark all of them, each a little beside the others: a target that is lost at once would grow, and cost more than most do."""
        self.trackers = MultiTracker(self.method, callers=self.callers)
        for key in range(self.count):
            self.trackers.add(key, image, box._replace(x=box.x + 0.02 * box.w * (key % 5), y=box.y + 0.02 * box.h * (key % 3)))

    def update(self, image: Frame) -> object:
        """Follow all of them into the next frame."""
        assert self.trackers is not None
        return self.trackers.update(image)


@dataclass
class OpenCV:
    """A tracker of OpenCV. It reads BGR, as its users' pictures are, so frames are turned once and not on the clock."""

    create: Any
    tracker: Any = None
    turned: dict[int, NDArray[np.uint8]] = field(default_factory=dict)

    def init(self, image: Frame, box: Box) -> None:
        """Start over on a frame; boxes are whole pixels there."""
        self.tracker = self.create()
        self.tracker.init(self._bgr(image), tuple(round(value) for value in box))

    def update(self, image: Frame) -> object:
        """The next frame."""
        return self.tracker.update(self._bgr(image))

    def _bgr(self, image: Frame) -> NDArray[np.uint8]:
        key = id(image)
        if key not in self.turned:
            self.turned[key] = cv2.cvtColor(image.image, cv2.COLOR_RGB2BGR)  # type: ignore[assignment]  # uint8 in, uint8 out
        return self.turned[key]


def bytes_of_a_target(method: Method[Any], frame: Frame, box: Box) -> int:
    """Memory that one more target takes: the bytes of its pickled state, which are its arrays and little else."""
    return len(pickle.dumps(method.begin(frame, box)))


def opencv(name: str) -> OpenCV:
    """A tracker of OpenCV by its short name, with its network's files where it has any: "csrt", "vit=FILE.onnx".

    Raises:
        UnknownTracker, WeightsMissing: as `find_opencv`.
    """
    return OpenCV(find_opencv(name))
