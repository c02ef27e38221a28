"""A method moves targets by one frame. It is immutable and shared; what belongs to one target is a frozen value `S`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from sightline.box import Box
from sightline.estimate import Estimate
from sightline.frame import Frame
from sightline.spec import Spec

__all__ = ["Method"]

S = TypeVar("S")


class Method(Protocol[S]):
    """The rule of a tracker."""

    @property
    def spec(self) -> Spec:
        """What the tracker is."""
        ...

    def begin(self, frame: Frame, box: Box) -> S:
        """State of a target that is marked by a box in its first frame."""
        ...

    def advance(self, frames: Sequence[Frame], states: Sequence[S]) -> list[tuple[S, Estimate]]:
        """New state and estimate of each pair of frame and target: many targets of one frame, many videos, or both."""
        ...
