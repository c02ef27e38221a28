"""The run-time of all exported networks: cut, run, map back, clip. Nothing of a family is here but its spec's data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np

from sightline.box import Box
from sightline.engines import Array, Session
from sightline.engines.state import apart
from sightline.errors import BadImage
from sightline.estimate import Estimate, status_of
from sightline.frame import Frame
from sightline.mask import Mask
from sightline.methods import hold, memory
from sightline.methods.finite import check_finite
from sightline.placement import REPORT_RULES, SEEK_RULES, START_RULES, at_scales, clip, crop_for, region_around
from sightline.region import BentRegion, Fill, Region, part_of
from sightline.spec import Crop, Spec

__all__ = ["NetworkMethod", "Target"]

Look: TypeAlias = tuple[Region | BentRegion, dict[str, Array]]  # where a target is looked for, and what the network is given of it


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of one target.

    Attributes:
        box: what the next search region lies around, in frame pixels.
        arrays: state of the network, without the batch axis; not to be written to.
        fill: colour outside the frame.
        search: what is cut around it, for its whole life.
        known: its surest frame and its motion, for the time when it is lost; the first frame is certain.
        age: frames tracked since the first.
        history: its boxes in the last frames, oldest first, as far back as the network is told; the last one is `box`.
        templates: what the network keeps of every frame's template, oldest first, where `Spec.memory` samples them; of every
            good frame's, where it has a bank.
        pictures: of all templates, where they are read together or the first one may return.
        candidate: pictures of the template that the next change of the memory takes; empty where there is none yet.
        best: its score.
    """

    box: Box
    arrays: Mapping[str, Array]
    fill: Fill
    search: Crop
    known: hold.Known
    age: int = 0
    history: tuple[Box, ...] = ()
    templates: tuple[Mapping[str, Array], ...] = ()
    pictures: Mapping[str, Array] = field(default_factory=dict)
    candidate: Mapping[str, Array] = field(default_factory=dict)
    best: float = -math.inf


@dataclass(frozen=True, slots=True)
class NetworkMethod:
    """See `sightline.methods.Method`.

    Attributes:
        session: any opened network.
        batch: at most so many targets go through it in one call, and no more than the spec says. `sightline.load` takes what is cheapest on
            the engine (`engines.batch_for`); more leave a CPU's caches (docs/how-to/several.md).
    """

    session: Session
    batch: int = 2

    @property
    def spec(self) -> Spec:
        """What the tracker is."""
        return self.session.spec

    def begin(self, frame: Frame, box: Box) -> Target:
        """Cut the template, and let the network read it if it has a graph for that."""
        size = frame.size
        fill = _fill(frame, self.spec)
        box = START_RULES[self.spec.start](box, size)
        rule, template = self.spec.memory, self._template(frame, box, fill)
        pictures = memory.spread(template, rule) if rule.together or rule.otherwise == "first" else {}
        read, own = self._read(pictures if rule.together else template, 0)
        search, history = crop_for(box, self.spec.search, size), self._lengthened((), box)
        state = Target(box, own, fill, search, hold.Known(box, 1.0), history=history, pictures=pictures)
        if rule.samples:
            return replace(state, templates=(read,))
        state = replace(state, templates=(read,) * rule.slots) if rule.bank else state
        return replace(state, arrays=own | (read if rule.together else memory.spread(read, rule)))

    def advance(self, frames: Sequence[Frame], states: Sequence[Target]) -> list[tuple[Target, Estimate]]:
        """Look around each target's last box; targets whose arrays have equal shapes go through the network together."""
        most = min(self.batch, self.spec.max_batch)
        waiting: dict[tuple[Any, ...], list[int]] = {}
        looks: dict[int, Look] = {}
        results: dict[int, tuple[Target, Estimate]] = {}

        def run(batch: list[int]) -> None:
            moved = self._advance_batch([frames[i] for i in batch], [states[i] for i in batch], [looks.pop(i) for i in batch])
            results.update(zip(batch, moved, strict=True))

        for i, (frame, state) in enumerate(zip(frames, states, strict=True)):  # what was just cut is still in the cache when it is run
            looks[i] = self._look(frame, state)
            kind = tuple((name, array.shape) for name, array in looks[i][1].items())
            waiting.setdefault(kind, []).append(i)
            if len(waiting[kind]) == most:
                run(waiting.pop(kind))
        for batch in waiting.values():
            run(batch)
        return [results[i] for i in range(len(states))]

    def _look(self, frame: Frame, state: Target) -> Look:
        """Where a target is looked for, and all that the network is given of it."""
        size = frame.size
        region = region_around(state.box, state.search, size, state.fill)
        pictures = self._pictures("search", frame, at_scales(region, state.box, state.search, size, state.fill))
        templates = memory.shown(self.spec.memory, state.templates)
        return region, {**state.arrays, **templates, **pictures, **self._past(region, state)}

    def _advance_batch(self, frames: Sequence[Frame], states: Sequence[Target], looks: Sequence[Look]) -> list[tuple[Target, Estimate]]:
        rows = [arrays for _, arrays in looks]
        outputs = self.session.run("step", {name: _batched([row[name] for row in rows]) for name in rows[0]})
        check_finite(self.spec, "step", outputs, frames)
        _, own = apart(outputs)
        results = []
        for i, (frame, (region, _), state) in enumerate(zip(frames, looks, states, strict=True)):
            size = frame.size
            box = clip(region.to_frame(outputs["box"][i]), self.spec.clip, size)
            reported = REPORT_RULES[self.spec.report](box, size)
            score = float(outputs["score"][i]) if "score" in outputs else float("nan")
            changed = {name: output[i] for name, output in own.items()}
            estimate = Estimate(reported, score, status_of(score, self.spec), region, self._mask(region, outputs, i))
            is_lost = estimate.status == "lost"
            waiting = hold.held(self.spec.hold, state.box, state.known) if is_lost else None
            if waiting is not None:
                box, known = waiting
            else:
                box = SEEK_RULES[self.spec.seek](box, state.box, size)
                known = state.known if is_lost else hold.seen(self.spec.hold, state.known, state.box, box, score)
            history = self._lengthened(state.history, box)
            after = replace(state, box=box, arrays={**state.arrays, **changed}, age=state.age + 1, history=history, known=known)
            gate = float(outputs["gate"][i]) if "gate" in outputs else score
            results.append((self._remember(after, frame, -math.inf if waiting is not None else gate), estimate))
        return results

    def _mask(self, region: Region | BentRegion, outputs: Mapping[str, Array], row: int) -> Mask | None:
        """The mask in a row of what the network said, if it says masks."""
        return Mask(outputs["mask"][row], part_of(region, outputs["mask_box"][row]), self.spec.mask_above) if "mask" in outputs else None

    def _remember(self, state: Target, frame: Frame, gate: float) -> Target:
        """The target with the templates that its memory wants, where `gate` says how good this frame's is."""
        rule = self.spec.memory
        if rule.mix:
            read, _ = self._read(self._template(frame, state.box, state.fill), state.age)
            return replace(state, arrays={**state.arrays, **memory.mixed(state.arrays, read, rule.mix)})
        places = memory.due(rule, state.age)
        if rule.bank:
            return self._banked(state, frame, gate, places)
        if not places and rule.keep == "last":
            return state
        candidate, best = state.candidate, state.best * rule.decay
        if memory.qualifies(rule, gate, best):
            candidate, best = self._template(frame, state.box, state.fill), gate
        if not places:
            return replace(state, candidate=candidate, best=best)
        if not candidate and rule.otherwise == "first":
            candidate = {name: array[0] for name, array in state.pictures.items()}
        state = replace(state, candidate={}, best=-math.inf)
        return self._changed(state, candidate, places) if candidate else state

    def _banked(self, state: Target, frame: Frame, gate: float, places: Sequence[int]) -> Target:
        """The target whose bank has the template of a good frame, and from which `places` are filled."""
        rule, templates, arrays = self.spec.memory, state.templates, state.arrays
        if memory.qualifies(rule, gate, state.best):
            read, _ = self._read(self._template(frame, state.box, state.fill), state.age)
            templates = memory.banked(rule, templates, read)
        if places:
            for place, template in enumerate(memory.drawn(rule, templates), start=1):
                arrays = memory.put(arrays, template, [place])
        return replace(state, templates=templates, arrays=arrays)

    def _changed(self, state: Target, template: Mapping[str, Array], places: Sequence[int]) -> Target:
        """The target with a template, given as pictures, in some places."""
        rule = self.spec.memory
        pictures = memory.put(state.pictures, template, places) if state.pictures else {}
        read, _ = self._read(pictures if rule.together else template, state.age)
        if rule.samples:
            return replace(state, templates=(*state.templates, read))
        arrays = {**state.arrays, **read} if rule.together else memory.put(state.arrays, read, places)
        return replace(state, arrays=arrays, pictures=pictures)

    def _template(self, frame: Frame, box: Box, fill: Fill) -> dict[str, Array]:
        """The pictures of one template, and where the target is in it, if the network asks for that."""
        size = frame.size
        region = region_around(box, self.spec.template, size, fill)
        pictures = self._pictures("template", frame, at_scales(region, box, self.spec.template, size, fill))
        if "target" in self.spec.feed:
            pictures["target"] = region.to_crop(box).astype(np.float32)
        return pictures

    def _read(self, pictures: Mapping[str, Array], age: int) -> tuple[dict[str, Array], dict[str, Array]]:
        """What the network keeps of the pictures of one template, or of all of them together, and the target's own state."""
        arrays = dict(pictures)
        if "filled" in self.spec.feed:
            arrays["filled"] = memory.filled(self.spec.memory, age)
        if "init" not in self.session.roles:
            return arrays, {}
        outputs = self.session.run("init", {name: array[np.newaxis] for name, array in arrays.items()})
        return apart({name: output[0] for name, output in outputs.items()})

    def _past(self, region: Region | BentRegion, state: Target) -> dict[str, Array]:
        """Past boxes in the search crop: the last one, and a longer history, where the network asks for them."""
        past: dict[str, Array] = {}
        if "prior" in self.spec.feed:
            past["prior"] = region.to_crop(state.box).astype(np.float32)
        if self.spec.history is not None:
            boxes = memory.sampled(state.history, self.spec.history)
            past["history"] = np.stack([region.to_crop(box) for box in boxes]).astype(np.float32)
        return past

    def _lengthened(self, history: tuple[Box, ...], box: Box) -> tuple[Box, ...]:
        """A history with one box more, and without those that nobody will ask for."""
        return (*history, box)[-self.spec.history.reach :] if self.spec.history is not None else ()

    def _pictures(self, role: Literal["template", "search"], frame: Frame, regions: Sequence[Region | BentRegion]) -> dict[str, Array]:
        """The crops of regions, and what else the network asks for: what lies outside, a second picture."""
        pictures: dict[str, Array] = {role: _stacked([region.take(frame.image) for region in regions])}
        if "padding" in self.spec.feed:
            pictures[f"{role}_padding"] = _stacked([region.padding() for region in regions])
        if "extra" in self.spec.feed:
            if frame.extra is None:
                raise BadImage(
                    f"{self.spec.name} looks at two pictures and frame {frame.index} has one: give the second (infrared or depth) as well."
                )
            pictures[f"{role}_extra"] = _stacked([region.take(frame.extra) for region in regions])
        return pictures


def _batched(arrays: Sequence[Array]) -> Array:
    """Arrays along a new first axis; one alone without copying it."""
    return arrays[0][np.newaxis] if len(arrays) == 1 else np.stack(arrays)


def _stacked(pictures: Sequence[Array]) -> Array:
    """Pictures of several scales along a new first axis; one alone as it is."""
    return pictures[0] if len(pictures) == 1 else np.stack(pictures)


def _fill(frame: Frame, spec: Spec) -> Fill:
    """What stands outside the frame, for the whole life of a target."""
    border = spec.search.border
    if border == "zero":
        return 0.0, 0.0, 0.0
    red, green, blue, _ = cv2.mean(frame.image)
    if border == "first-mean-floor":
        return float(int(red)), float(int(green)), float(int(blue))
    return red, green, blue
