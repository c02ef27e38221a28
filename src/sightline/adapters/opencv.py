"""OpenCV's own trackers, as far as the OpenCV that is installed has them."""

from __future__ import annotations

import math
from typing import Any

import cv2

from sightline.adapters.foreign import box_of
from sightline.box import Box
from sightline.errors import UnknownTracker
from sightline.frame import Image

__all__ = ["OPENCV", "OpenCVFollower", "find_opencv"]

OPENCV = {  # name here -> where it may be found in cv2, the newer place first
    "csrt": ("TrackerCSRT", "TrackerCSRT_create"),
    "kcf": ("TrackerKCF", "TrackerKCF_create"),
    "mil": ("TrackerMIL", "TrackerMIL_create"),
    "mosse": ("legacy.TrackerMOSSE", "legacy.TrackerMOSSE_create"),
}


def find_opencv(name: str) -> Any:
    """What makes a tracker of OpenCV, by its short name.

    Raises:
        UnknownTracker: no such name, or this build of OpenCV has no such tracker.
    """
    if name not in OPENCV:
        raise UnknownTracker(f"there is no OpenCV tracker called {name!r} here; known are {', '.join(OPENCV)}.")
    for place in OPENCV[name]:
        found: Any = cv2
        for part in place.split("."):
            found = getattr(found, part, None)
        if found is not None:
            return getattr(found, "create", found)
    raise UnknownTracker(
        f"this OpenCV ({cv2.__version__}) has no {name}: it comes with opencv-contrib-python-headless, which cannot stand beside "
        "opencv-python-headless: exchange the one for the other."
    )


class OpenCVFollower:
    """A tracker of OpenCV: it reads BGR, and is started with whole pixels."""

    def __init__(self, name: str) -> None:
        self._tracker = find_opencv(name)()

    def init(self, image: Image, box: Box) -> None:
        """Mark the target."""
        self._tracker.init(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), tuple(round(value) for value in box))

    def update(self, image: Image) -> tuple[Box | None, float]:
        """Where it is, or None where OpenCV says that it failed."""
        found, box = self._tracker.update(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return (box_of(box) if found else None), math.nan
