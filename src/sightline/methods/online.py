"""Targets that are found by a filter of their own, which is learned from the first frame and while tracking: ATOM, DiMP.

The network says what is in a picture and where a filter responds (`init`, `step`); here are the samples and the learning. Arrays
of a sample: `sample` (C, h, w), its features, and `label`, `mask`, `spatial`, what is wanted of the responses to it
(`methods.filters`). Which solver, how many samples and when is data, `Spec.learning`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sightline.box import Box
from sightline.engines import Array, Session
from sightline.engines.state import HARD, LOST, UNCERTAIN, apart
from sightline.errors import BadSpec
from sightline.estimate import Estimate, status_of
from sightline.frame import Frame
from sightline.methods.filters import FilterProblem, JointProblem, bounded, masked
from sightline.methods.finite import check_finite
from sightline.methods.samples import weigh
from sightline.methods.solve import conjugate_gradient, gauss_newton, steepest_descent
from sightline.methods.views import dropped, views
from sightline.placement import REPORT_RULES, START_RULES, clip, region_around
from sightline.region import BentRegion, Region
from sightline.spec import Learning, Spec

__all__ = ["Learner", "OnlineMethod"]

Sample = Mapping[str, Array]

SAMPLE = ("sample", "label", "mask", "spatial")


@dataclass(frozen=True, slots=True)
class Learner:
    """What is known of one target.

    Attributes:
        box: what the next search region lies around, in frame pixels.
        arrays: state of the network, without the batch axis, the filter among it as `kernel`; not to be written to.
        samples: what is learned from, those of the first frame in front; None where there is none yet.
        weights: (slots,) of the samples.
        num_first: how many samples are from the first frame.
        last: place of the last one; None where all are from the first frame.
        age: frames tracked since the first.
    """

    box: Box
    arrays: Mapping[str, Array]
    samples: tuple[Sample | None, ...]
    weights: Array
    num_first: int
    last: int | None = None
    age: int = 0


@dataclass(frozen=True, slots=True)
class OnlineMethod:
    """See `sightline.methods.Method`; the session's network has both roles, and its spec says how its filter is learned."""

    session: Session

    @property
    def spec(self) -> Spec:
        """What the tracker is."""
        return self.session.spec

    @property
    def _learning(self) -> Learning:
        if self.spec.learning is None:
            raise BadSpec(f"{self.spec.name} is tracked by the method online and has no learning; convert or export its weights again.")
        return self.spec.learning

    def begin(self, frame: Frame, box: Box) -> Learner:
        """Learn a filter from many views of the first frame."""
        size = frame.size
        box = START_RULES[self.spec.start](box, size)
        template = self.spec.template
        wide = region_around(box, replace(template, factor=2 * template.factor, size=2 * template.size), size)
        pictures, targets = zip(*views(wide.take(frame.image), wide.to_crop(box), self._learning.augment), strict=True)
        outputs = self._described(pictures, targets)
        samples = [{name: outputs[name][i] for name in SAMPLE if name in outputs} for i in range(len(pictures))]
        samples += [{**samples[0], "sample": copy} for copy in dropped(samples[0]["sample"], self._learning.augment)]
        arrays = {name: value[0] for name, value in outputs.items() if name not in SAMPLE}
        arrays |= _start(samples, arrays | {"kernel": outputs["kernel"].mean(axis=0)}, self._learning)
        if "projection" in arrays:
            samples = [{**sample, "sample": _projected(sample["sample"], arrays["projection"])} for sample in samples]
        weights = np.zeros(self._learning.slots, np.float32)
        weights[: len(samples)] = 1 / len(samples)
        empty = self._learning.slots - len(samples)
        return Learner(box, arrays, (*samples, *[None] * empty), weights, len(samples))

    def advance(self, frames: Sequence[Frame], states: Sequence[Learner]) -> list[tuple[Learner, Estimate]]:
        """Look around each target's last box, many in one batch, and learn from what was found there."""
        results = []
        for first in range(0, len(states), self.spec.max_batch):
            batch = slice(first, first + self.spec.max_batch)
            results += self._advance_batch(frames[batch], states[batch])
        return results

    def _described(self, pictures: Sequence[Array], targets: Sequence[Array]) -> dict[str, Array]:
        """What the network says of views of the first frame, one after another in axis 0."""
        parts = []
        for first in range(0, len(pictures), self.spec.max_batch):
            batch = slice(first, first + self.spec.max_batch)
            template, target = np.stack(pictures[batch]), np.stack(targets[batch]).astype(np.float32)
            parts.append(self.session.run("init", {"template": template, "target": target}))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _advance_batch(self, frames: Sequence[Frame], states: Sequence[Learner]) -> list[tuple[Learner, Estimate]]:
        regions = [region_around(state.box, self.spec.search, frame.size) for frame, state in zip(frames, states, strict=True)]
        rows = [
            {**state.arrays, "search": region.take(frame.image), "prior": region.to_crop(state.box).astype(np.float32)}
            for frame, region, state in zip(frames, regions, states, strict=True)
        ]
        outputs = self.session.run("step", {name: np.stack([row[name] for row in rows]) for name in rows[0]})
        check_finite(self.spec, "step", outputs, frames)
        return [
            self._moved(frame, region, state, {name: output[i] for name, output in outputs.items()})
            for i, (frame, region, state) in enumerate(zip(frames, regions, states, strict=True))
        ]

    def _moved(self, frame: Frame, region: Region | BentRegion, state: Learner, said: Mapping[str, Array]) -> tuple[Learner, Estimate]:
        """One target after a frame."""
        _, own = apart(said)
        size, flag = frame.size, int(own["flag"])
        box = state.box if flag == LOST else clip(region.to_frame(said["box"]), self.spec.clip, size)
        after = replace(state, box=box, age=state.age + 1)
        if flag not in (LOST, UNCERTAIN):
            sample = {name: own[name] for name in SAMPLE if name in own}
            after = _learned(after, sample, self._learning, is_hard=flag == HARD)
        score = float(said["score"])
        return after, Estimate(REPORT_RULES[self.spec.report](box, size), score, status_of(score, self.spec), region)


def _start(samples: Sequence[Sample], arrays: Mapping[str, Array], learning: Learning) -> dict[str, Array]:
    """`kernel`, and `projection` where there is one, as the first frame teaches them."""
    weights = np.full(len(samples), 1 / len(samples), np.float32)
    if "projection" not in arrays:
        (number,) = learning.first
        return {"kernel": _improved(samples, weights, arrays, learning, number)}
    features, labels = (np.stack([sample[name] for sample in samples]) for name in ("sample", "label"))
    problem = JointProblem(
        features,
        labels,
        np.sqrt(weights)[:, None, None],
        partial(bounded, bound=learning.bound),
        learning.ridge,
        learning.projection_ridge,
    )
    start = (arrays["kernel"], arrays["projection"])
    kernel, projection = gauss_newton(problem.linearise, start, iterations=learning.first, precondition=problem.precondition)
    return {"kernel": kernel.astype(np.float32), "projection": projection.astype(np.float32)}


def _learned(state: Learner, sample: Sample, learning: Learning, *, is_hard: bool) -> Learner:
    """The target with one sample more, and with a better filter where it is time for that."""
    rate = learning.hard_rate if is_hard else learning.rate
    weights, place = weigh(state.weights, state.last, rate=rate, num_first=state.num_first, first_share=learning.first_share)
    samples = (*state.samples[:place], sample, *state.samples[place + 1 :])
    state = replace(state, samples=samples, weights=weights, last=place)
    number = learning.hard if is_hard else learning.later if state.age % learning.every == 0 else 0
    if not number:
        return state
    kept = [i for i, other in enumerate(samples) if other is not None]
    kernel = _improved([other for other in samples if other is not None], weights[kept], state.arrays, learning, number)
    return replace(state, arrays={**state.arrays, "kernel": kernel})


def _improved(samples: Sequence[Sample], weights: Array, arrays: Mapping[str, Array], learning: Learning, number: int) -> Array:
    """The filter after some steps of its solver."""
    stacked = {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}
    shares, kernel = np.sqrt(weights)[:, None, None], arrays["kernel"]
    if learning.solver == "gauss-newton":
        problem = FilterProblem(stacked["sample"], stacked["label"], shares, partial(bounded, bound=learning.bound), learning.ridge)
        matrix, right = problem.linearise((kernel,))
        (step,), _ = conjugate_gradient(matrix, right, iterations=number, polak_ribiere=True)
        return (kernel + step).astype(np.float32)
    shares = shares * stacked["spatial"]
    problem = FilterProblem(stacked["sample"], stacked["label"], shares, partial(masked, mask=stacked["mask"]), float(arrays["ridge"]))
    (kernel,) = steepest_descent(problem.linearise, (kernel,), iterations=number, rate=float(arrays["rate"]))
    return kernel.astype(np.float32)


def _projected(features: Array, projection: Array) -> Array:
    """(D, h, w) by (C, D) to (C, h, w)."""
    return np.tensordot(projection, features, axes=1)
