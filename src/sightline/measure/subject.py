"""What is measured: a tracker, and the frames that it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.frame import Frame
    from sightline.tracker import Tracker

__all__ = ["has_random_weights", "loaded", "rendered"]


def has_random_weights(name: str, engine: str) -> bool:
    """Whether a tracker is a name on torch, which cannot read the ONNX file under that name."""
    from sightline.engines import IN_TORCH  # late, as below
    from sightline.zoo import SPECS

    return engine in IN_TORCH and name in SPECS


def loaded(name: str, *, engine: str, precision: str, threads: int) -> Tracker[Any]:
    """A tracker with a network of so many threads, or with random weights: its speed is the same.

    Torch has one number of threads for the whole process, which is the caller's to set.

    Raises:
        UnknownTracker, WeightsMissing, WeightsMismatch, EngineError, MissingExtra: as `sightline.load`.
    """
    from sightline.engines import IN_TORCH
    from sightline.tracker import load, untrained  # late: `measure.start` counts what this imports as loading

    if has_random_weights(name, engine):
        return untrained(name, engine=engine)
    number = None if engine in IN_TORCH else threads
    return load(name, engine=engine, precision=precision, threads=number)  # type: ignore[arg-type]  # a user's word, which `load` checks


def rendered(size: tuple[int, int], num_frames: int) -> tuple[list[Frame], Box]:
    """Frames (width, height) in memory, and the box of the target in the first: nothing hides it, and nothing looks like it."""
    from sightline.scene import Scene, render

    shots = list(render(Scene(seed=3, num_frames=num_frames, size=size, occlusion=0.0, distractors=0)))
    return [shot.frame for shot in shots], shots[0].box
