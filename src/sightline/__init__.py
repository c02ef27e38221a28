"""Follow one object through a video, on an ordinary CPU.

    tracker = sightline.load()
    tracker.init(first, box=(120, 80, 40, 60))   # x, y, width, height in pixels
    estimate = tracker.update(frame)             # estimate.box, estimate.score, estimate.status

Names are imported when they are first used, so `sightline --help` and the error classes cost nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.errors import (
        BadBox,
        BadData,
        BadImage,
        BadSpec,
        EngineError,
        LittleChecked,
        MissingExtra,
        NotStarted,
        SightlineError,
        UnknownTracker,
        VideoError,
        WeightsMismatch,
        WeightsMissing,
    )
    from sightline.estimate import Estimate
    from sightline.frame import Frame, Seconds, read
    from sightline.loop import follow, follow_all
    from sightline.mark import Mark, box_from_mask, box_from_point, read_marks
    from sightline.mask import Mask
    from sightline.spec import Spec
    from sightline.tracker import MultiTracker, Tracker, load

__all__ = [
    "BadBox",
    "BadData",
    "BadImage",
    "BadSpec",
    "Box",
    "EngineError",
    "Estimate",
    "Frame",
    "LittleChecked",
    "Mark",
    "Mask",
    "MissingExtra",
    "MultiTracker",
    "NotStarted",
    "Seconds",
    "SightlineError",
    "Spec",
    "Tracker",
    "UnknownTracker",
    "VideoError",
    "WeightsMismatch",
    "WeightsMissing",
    "__version__",
    "box_from_mask",
    "box_from_point",
    "follow",
    "follow_all",
    "load",
    "read",
    "read_marks",
]

__version__ = "0.1.0"

_HOME = {
    "Box": "box",
    "Estimate": "estimate",
    "Frame": "frame",
    "Mark": "mark",
    "Mask": "mask",
    "MultiTracker": "tracker",
    "Seconds": "frame",
    "Spec": "spec",
    "Tracker": "tracker",
    "box_from_mask": "mark",
    "box_from_point": "mark",
    "follow": "loop",
    "follow_all": "loop",
    "load": "tracker",
    "read": "frame",
    "read_marks": "mark",
}


def __getattr__(name: str) -> object:
    """A public name, from the module where it lives (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'sightline' has no attribute {name!r}")
    value: object = getattr(import_module(f"sightline.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, whether already imported or not."""
    return __all__
