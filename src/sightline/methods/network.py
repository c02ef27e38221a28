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
from sightline.region import REPORT_RULES, START_RULES, Fill, Region, clip, crop_for, region_around
from sightline.spec import Crop, Spec

__all__ = ["NetworkMethod", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of one target.

    Attributes:
        box: what the next search region lies around, in frame pixels.
        arrays: state of the network, without the batch axis; not to be written to.
        fill: colour outside the frame.
        search: what is cut around it, for its whole life.
    """

    box: Box
    arrays: Mapping[str, Array]
    fill: Fill
    search: Crop


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
        size = (frame.width, frame.height)
        fill = _fill(frame, self.spec)
        box = START_RULES[self.spec.start](box, size)
        region = region_around(box, self.spec.template, size, fill)
        arrays = self._pictures("template", frame, region)
        if "target" in self.spec.feed:
            arrays["target"] = region.to_crop(box).astype(np.float32)
        if "init" in self.session.roles:
            outputs = self.session.run("init", {name: array[np.newaxis] for name, array in arrays.items()})
            arrays = {name: output[0] for name, output in outputs.items()}
        return Target(box, arrays, fill, crop_for(box, self.spec.search, size))

    def advance(self, frames: Sequence[Frame], states: Sequence[Target]) -> list[tuple[Target, Estimate]]:
        """Look around each target's last box; targets whose crops have one size go through the network together."""
        results: dict[int, tuple[Target, Estimate]] = {}
        for size in dict.fromkeys(state.search.size for state in states):
            places = [i for i, state in enumerate(states) if state.search.size == size]
            for first in range(0, len(places), self.spec.max_batch):
                batch = places[first : first + self.spec.max_batch]
                results |= zip(batch, self._advance_batch([frames[i] for i in batch], [states[i] for i in batch]), strict=True)
        return [results[i] for i in range(len(states))]

    def _advance_batch(self, frames: Sequence[Frame], states: Sequence[Target]) -> list[tuple[Target, Estimate]]:
        regions = [
            region_around(state.box, state.search, (frame.width, frame.height), state.fill)
            for frame, state in zip(frames, states, strict=True)
        ]
        rows = [
            {**state.arrays, **self._pictures("search", frame, region), **self._prior(region, state)}
            for frame, region, state in zip(frames, regions, states, strict=True)
        ]
        outputs = self.session.run("step", {name: np.stack([row[name] for row in rows]) for name in rows[0]})
        results = []
        for i, (frame, region, state) in enumerate(zip(frames, regions, states, strict=True)):
            size = (frame.width, frame.height)
            box = clip(region.to_frame(outputs["box"][i]), self.spec.clip, size)
            reported = REPORT_RULES[self.spec.report](box, size)
            score = float(outputs["score"][i]) if "score" in outputs else float("nan")
            changed = {name.removeprefix("next."): output[i] for name, output in outputs.items() if name.startswith("next.")}
            results.append(
                (
                    replace(state, box=box, arrays={**state.arrays, **changed}),
                    Estimate(reported, score, status_of(score, self.spec), region),
                )
            )
        return results

    def _prior(self, region: Region, state: Target) -> dict[str, Array]:
        """The last box in the search crop, where the network asks for it."""
        return {"prior": region.to_crop(state.box).astype(np.float32)} if "prior" in self.spec.feed else {}

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
    border = spec.search.border
    if border == "zero":
        return 0.0, 0.0, 0.0
    red, green, blue, _ = cv2.mean(frame.image)
    if border == "first-mean-floor":
        return float(int(red)), float(int(green)), float(int(blue))
    return red, green, blue
