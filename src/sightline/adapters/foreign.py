"""Trackers that keep their state to themselves, behind the interface of a `Method`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sightline.box import Box
from sightline.errors import EngineError, SightlineError
from sightline.estimate import Estimate
from sightline.frame import Frame, Image
from sightline.region import Region
from sightline.spec import Crop, Spec

__all__ = ["Follower", "ForeignMethod", "Place", "box_of"]


class Follower(Protocol):
    """Follows one target."""

    def init(self, image: Image, box: Box) -> None:
        """Mark the target; image (H, W, 3) uint8 RGB."""
        ...

    def update(self, image: Image) -> tuple[Box | None, float]:
        """Where it is in the next image, None where it is lost, and a score or NaN."""
        ...


@dataclass
class _Target:
    """A follower, and how many frames it has seen."""

    follower: Follower
    frames: int = 1


@dataclass(frozen=True)
class Place:
    """Where a target was after so many frames; only the newest one can go on, for the follower has no other state."""

    target: _Target
    frames: int
    box: Box


class ForeignMethod:
    """Makes a follower for each target.

    Unlike methods of our own it cannot go back: a state that was advanced once is used up, and copies of a tracker that was started already
    share its target.

    Args:
        name: of the tracker, as results call it.
        make: makes a follower; pickled where processes share the work.
    """

    def __init__(self, name: str, make: Callable[[], Follower]) -> None:
        self.make = make
        self._spec = Spec(
            name=name, family="foreign", arch=None, template=Crop(factor=1.0, size=1), search=Crop(factor=1.0, size=1), score="none"
        )

    @property
    def spec(self) -> Spec:
        """A name; crops are the tracker's own affair, so those here mean nothing."""
        return self._spec

    def begin(self, frame: Frame, box: Box) -> Place:
        """State of a new target.

        Raises:
            EngineError: the tracker fails.
        """
        target = _Target(self.make())
        self._ask(frame, lambda: target.follower.init(np.ascontiguousarray(frame.image), box))
        return Place(target, 1, box)

    def advance(self, frames: Sequence[Frame], states: Sequence[Place]) -> list[tuple[Place, Estimate]]:
        """One frame further. A target that is lost keeps its last box.

        Raises:
            EngineError: the tracker fails, answers what is no box, or a state was used before.
        """
        return [self._advance(frame, state) for frame, state in zip(frames, states, strict=True)]

    def _advance(self, frame: Frame, state: Place) -> tuple[Place, Estimate]:
        target = state.target
        if target.frames != state.frames:
            raise EngineError(f"{self._spec.name} has gone on from here already and cannot go back; start a tracker for each target.")
        answer, score = self._ask(frame, lambda: target.follower.update(np.ascontiguousarray(frame.image)))
        target.frames += 1
        box = state.box if answer is None else answer
        size = frame.size
        whole = Region(0, 0, *size, size=max(size), frame=Box(0.0, 0.0, float(size[0]), float(size[1])), limit=size)
        return Place(target, target.frames, box), Estimate(box, score, "lost" if answer is None else "tracked", whole)

    def _ask(self, frame: Frame, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except SightlineError:
            raise
        except Exception as error:
            raise EngineError(f"{self._spec.name} failed in frame {frame.index}: {type(error).__name__}: {error}") from error


def box_of(answer: Any) -> Box:
    """A box from what a tracker answers.

    Raises:
        EngineError: it is not four finite numbers.
    """
    try:
        x, y, w, h = (float(value) for value in answer)
    except (TypeError, ValueError):
        raise EngineError(f"the tracker answered {answer!r}; expected x, y, width, height.") from None
    if not all(map(math.isfinite, (x, y, w, h))):
        raise EngineError(f"the tracker answered {answer!r}; expected four finite numbers.")
    return Box(x, y, w, h)
