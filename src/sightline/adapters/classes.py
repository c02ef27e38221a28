"""Any class with `init` and `update`, as the GOT-10k toolkit asks for."""

from __future__ import annotations

import importlib
import importlib.util
import math
from pathlib import Path
from typing import Any

from sightline.adapters.foreign import box_of
from sightline.box import Box
from sightline.errors import UnknownTracker
from sightline.frame import Image

__all__ = ["ClassFollower", "find_class"]


def find_class(place: str) -> Any:
    """A class by "MODULE:CLASS" or "FILE.py:CLASS".

    Raises:
        UnknownTracker: it cannot be imported, or has no `init` and `update`.
    """
    source, _, name = place.rpartition(":")
    if not source or not name:
        raise UnknownTracker(f"{place!r} names no class; expected MODULE:CLASS or FILE.py:CLASS.")
    try:
        if source.endswith(".py"):
            plan = importlib.util.spec_from_file_location(Path(source).stem, source)
            assert plan is not None
            assert plan.loader is not None
            module = importlib.util.module_from_spec(plan)
            plan.loader.exec_module(module)
        else:
            module = importlib.import_module(source)
        found = getattr(module, name)
    except Exception as error:
        raise UnknownTracker(f"{place} cannot be imported ({type(error).__name__}: {error}); is it on PYTHONPATH?") from error
    if not (callable(getattr(found, "init", None)) and callable(getattr(found, "update", None))):
        raise UnknownTracker(f"{place} has no methods init(image, box) and update(image); expected a class with both.")
    return found


class ClassFollower:
    """An object of such a class, made without arguments, one for each target. Images are (H, W, 3) uint8 RGB arrays."""

    def __init__(self, place: str) -> None:
        self._tracker = find_class(place)()

    def init(self, image: Image, box: Box) -> None:
        """Mark the target."""
        self._tracker.init(image, tuple(box))

    def update(self, image: Image) -> tuple[Box | None, float]:
        """Where it is."""
        return box_of(self._tracker.update(image)), math.nan
