"""The run-time of all exported networks: cut, run, map back, clip. Nothing of a family is here but its spec's data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sightline.box import Box
from sightline.engines import Array, Session
from sightline.errors import BadImage
from sightline.estimate import Estimate, status_of
from sightline.frame import Frame
from sightline.region import Fill, Region, clip, region_around
from sightline.spec import Spec

__all__ = ["NetworkMethod", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of one target.

    Attributes:
        box: what the next search region lies around, in frame pixels.
        arrays: state of the network, without the batch axis; not to be written to.
        fill: colour outside the frame.
    """

    box: Box
    arrays: Mapping[str, Array]
    fill: Fill


@dataclass(frozen=True, slots=True)
class NetworkMethod:
    """See `sightline.methods.Method`; `session` may be any opened network."""

    session: Session

    @property
    def spec(self) -> Spec:
        """What the tracker is."""
        return self.session.spec

    def begin(self, frame: Frame, box: Box) -> Target:
        """Cut the template, and let the network read it if it has a graph for that."""
        fill = _fill(frame, self.spec)
        region = region_around(box, self.spec.template, (frame.width, frame.height), fill)
        arrays = self._pictures("template", frame, region)
        if "target" in self.spec.feed:
            arrays["target"] = region.to_crop(box).astype(np.float32)
        if "init" in self.session.roles:
            outputs = self.session.run("init", {name: array[np.newaxis] for name, array in arrays.items()})
            arrays = {name: output[0] for name, output in outputs.items()}
        return Target(box, arrays, fill)

    def advance(self, frames: Sequence[Frame], states: Sequence[Target]) -> list[tuple[Target, Estimate]]:
        """Look around each target's last box; targets go through the network in batches of `Spec.max_batch`."""
        results: list[tuple[Target, Estimate]] = []
        for i in range(0, len(states), self.spec.max_batch):
            results += self._advance_batch(frames[i : i + self.spec.max_batch], states[i : i + self.spec.max_batch])
        return results

    def _advance_batch(self, frames: Sequence[Frame], states: Sequence[Target]) -> list[tuple[Target, Estimate]]:
        regions = [
            region_around(state.box, self.spec.search, (frame.width, frame.height), state.fill)
            for frame, state in zip(frames, states, strict=True)
        ]
        rows = [
            {**state.arrays, **self._pictures("search", frame, region)}
            for frame, region, state in zip(frames, regions, states, strict=True)
        ]
        outputs = self.session.run("step", {name: np.stack([row[name] for row in rows]) for name in rows[0]})
        results = []
        for i, (frame, region, state) in enumerate(zip(frames, regions, states, strict=True)):
            box = clip(region.to_frame(outputs["box"][i]), self.spec.clip, (frame.width, frame.height))
            score = float(outputs["score"][i]) if "score" in outputs else float("nan")
            changed = {name.removeprefix("next."): output[i] for name, output in outputs.items() if name.startswith("next.")}
            results.append(
                (replace(state, box=box, arrays={**state.arrays, **changed}), Estimate(box, score, status_of(score, self.spec), region))
            )
        return results

    def _pictures(self, role: str, frame: Frame, region: Region) -> dict[str, Array]:
        """The crop of a frame, and of its second picture where the network asks for it."""
        pictures: dict[str, Array] = {role: region.take(frame.image)}
        if "extra" in self.spec.feed:
            if frame.extra is None:
                raise BadImage(
                    f"{self.spec.name} looks at two pictures and frame {frame.index} has one: give the second (infrared or depth) as well."
                )
            pictures[f"{role}_extra"] = region.take(frame.extra)
        return pictures


def _fill(frame: Frame, spec: Spec) -> Fill:
    """What stands outside the frame, for the whole life of a target."""
    if "first-mean" in (spec.template.border, spec.search.border):
        red, green, blue, _ = cv2.mean(frame.image)
        return red, green, blue
    return 0.0, 0.0, 0.0
