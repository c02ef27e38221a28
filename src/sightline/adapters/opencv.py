"""OpenCV's own trackers, as far as the OpenCV that is installed has them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2

from sightline.adapters.foreign import box_of
from sightline.box import Box
from sightline.errors import UnknownTracker, WeightsMissing
from sightline.frame import Image

__all__ = ["OPENCV", "OpenCVFollower", "Parts", "find_opencv", "parts_of"]

OPENCV = {  # name here -> where it may be found in cv2, the newer place first
    "csrt": ("TrackerCSRT", "TrackerCSRT_create"),
    "kcf": ("TrackerKCF", "TrackerKCF_create"),
    "mil": ("TrackerMIL", "TrackerMIL_create"),
    "mosse": ("legacy.TrackerMOSSE", "legacy.TrackerMOSSE_create"),
    "nano": ("TrackerNano", "TrackerNano_create"),
    "vit": ("TrackerVit", "TrackerVit_create"),
}
NETWORKS = {"nano": ("backbone", "neckhead"), "vit": ("net",)}  # the files that those are given, as OpenCV calls them


class Parts(NamedTuple):
    """What a user wrote about a tracker of OpenCV: its name, and the files of its network."""

    name: str
    files: tuple[Path, ...]


def parts_of(words: str) -> Parts:
    """The name and the files of "csrt", "vit=FILE" or "nano=BACKBONE+HEAD".

    Raises:
        UnknownTracker: no such name, or not its number of files.
        WeightsMissing: a file is not there.
    """
    name, _, listed = words.partition("=")
    if name not in OPENCV:
        raise UnknownTracker(f"there is no OpenCV tracker called {name!r} here; known are {', '.join(OPENCV)}.")
    files = tuple(Path(part) for part in listed.split("+") if part)
    wanted = NETWORKS.get(name, ())
    if len(files) != len(wanted):
        pattern = f"{name}={'+'.join(f'{part.upper()}.onnx' for part in wanted)}" if wanted else name
        raise UnknownTracker(f"OpenCV's {name} has {len(wanted)} network files, and {words!r} names {len(files)}; write {pattern}.")
    for file in files:
        if not file.is_file():
            raise WeightsMissing(f"{file} does not exist; expected a network of OpenCV's {name}, as opencv_zoo publishes it.")
    return Parts(name, files)


def find_opencv(words: str) -> Callable[[], Any]:
    """What makes a tracker of OpenCV; `words` as for `parts_of`.

    Raises:
        UnknownTracker, WeightsMissing: as `parts_of`, or this build of OpenCV has no such tracker.
    """
    name, files = parts_of(words)
    create: Callable[..., Any] | None = next((found for found in map(_in_cv2, OPENCV[name]) if found is not None), None)
    if create is None:
        raise UnknownTracker(
            f"this OpenCV ({cv2.__version__}) has no {name}: it comes with opencv-contrib-python-headless, which cannot stand beside "
            "opencv-python-headless: exchange the one for the other."
        )
    if not files:
        return create
    settings = _in_cv2(f"{OPENCV[name][0]}_Params")()
    for key, file in zip(NETWORKS[name], files, strict=True):
        setattr(settings, key, str(file))
    return partial(create, settings)


def _in_cv2(place: str) -> Any:
    """What cv2 has in a place, or the `create` of a class there; None where there is nothing."""
    found: Any = cv2
    for part in place.split("."):
        found = getattr(found, part, None)
    return getattr(found, "create", found)


class OpenCVFollower:
    """A tracker of OpenCV: it reads BGR, and is started with whole pixels."""

    def __init__(self, words: str) -> None:
        self._tracker = find_opencv(words)()

    def init(self, image: Image, box: Box) -> None:
        """Mark the target."""
        self._tracker.init(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), tuple(round(value) for value in box))

    def update(self, image: Image) -> tuple[Box | None, float]:
        """Where it is, or None where OpenCV says that it failed."""
        found, box = self._tracker.update(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return (box_of(box) if found else None), math.nan
