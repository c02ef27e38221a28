"""ECO: continuous filters over two maps of features, learned in the first frame and, from what was found, in later ones.

Source: Danelljan et al., CVPR 2017 (arXiv:1611.09224); docs/trackers/eco.md of the fixtures for what the public code does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from sightline.box import Box
from sightline.engines import Array, Session
from sightline.estimate import Estimate, status_of
from sightline.frame import Frame
from sightline.methods import continuous, fourier
from sightline.methods.continuous import FilterProblem, JointProblem
from sightline.methods.finite import check_finite
from sightline.methods.fourier import Coefficients, Real, Series
from sightline.methods.samples import weigh
from sightline.methods.solve import Course
from sightline.methods.views import dropped, views
from sightline.placement import clip, crop_for, region_around, regions_around
from sightline.region import BentRegion, Region
from sightline.spec import Crop, Spec
from sightline.zoo.eco import Arch, Block

__all__ = ["EcoMethod", "Learned", "Pursuit"]

Shift: TypeAlias = tuple[float, float]  # down, across


@dataclass(frozen=True, slots=True)
class Learned:
    """What is learned over one map of features: D channels, C after the projection, H x L stored frequencies. Not to be written to.

    Attributes:
        projection: (D, C).
        filters: (C, H, L).
        samples: each (C, H, L).
        weights: (slots,), of the samples; 0 where there is none yet.
        last: place of the last one; None where all are from the first frame.
        energy: mean of squares of the samples (C, H, L).
        label: (H, L), the response that is wanted.
        kernel: where the filters are held down.
        course: of the solver.
    """

    projection: Real
    filters: Series
    samples: tuple[Series, ...]
    weights: Real
    last: int | None
    energy: Real
    label: Coefficients
    kernel: Real
    course: Course | None = None


@dataclass(frozen=True, slots=True)
class Pursuit:
    """What is known of one target.

    Attributes:
        box: in frame pixels.
        first: in its first frame.
        search: what is cut around it, for its whole life.
        learned: by name of a map of features.
        age: frames tracked since the first.
    """

    box: Box
    first: Box
    search: Crop
    learned: Mapping[str, Learned]
    age: int = 0


@dataclass(frozen=True)
class EcoMethod:
    """See `sightline.methods.Method`; the session's network gives features, `shallow` and `deep`, of crops."""

    session: Session

    @property
    def spec(self) -> Spec:
        """What the tracker is."""
        return self.session.spec

    @property
    def _arch(self) -> Arch:
        arch = self.spec.arch
        assert isinstance(arch, Arch)
        return arch

    @cached_property
    def _blocks(self) -> dict[str, Block]:
        return {"shallow": self._arch.shallow, "deep": self._arch.deep}

    def begin(self, frame: Frame, box: Box) -> Pursuit:
        """Learn projections and filters from many views of the first frame."""
        size = frame.size
        search = crop_for(box, self.spec.search, size)
        wide = region_around(box, replace(search, size=2 * search.size, factor=2 * search.factor), size)  # room to move and turn it
        target = wide.to_crop(box)
        w, h = (2 * target[2:]).tolist()  # in sides of the crop
        crops, targets = zip(*views(wide.take(frame.image), target, self._arch.augment), strict=True)
        features = self.session.run("describe", {"search": np.stack(crops)[np.newaxis]})
        shifts = [(float(place[1]) - 0.5, float(place[0]) - 0.5) for place in (*targets, *[targets[0]] * len(self._arch.augment.dropouts))]
        learned = {}
        for name, block in self._blocks.items():
            maps = np.concatenate([features[name][0], dropped(features[name][0, 0], self._arch.augment)])
            learned[name] = _first(maps, shifts, block, self._arch, side=search.size, target=(h * search.size, w * search.size))
        return Pursuit(box, box, search, learned)

    def advance(self, frames: Sequence[Frame], states: Sequence[Pursuit]) -> list[tuple[Pursuit, Estimate]]:
        """Look around each target's last box, at several scales; crops of one size go through the network together."""
        looks = [regions_around(state.box, state.search, frame.size) for frame, state in zip(frames, states, strict=True)]
        results: dict[int, tuple[Pursuit, Estimate]] = {}
        for side in dict.fromkeys(state.search.size for state in states):
            places = [i for i, state in enumerate(states) if state.search.size == side]
            for first in range(0, len(places), self.spec.max_batch):
                batch = places[first : first + self.spec.max_batch]
                crops = [np.stack([region.take(frames[i].image) for region in looks[i]]) for i in batch]
                features = self.session.run("describe", {"search": np.stack(crops)})
                check_finite(self.spec, "describe", features, [frames[i] for i in batch], features)
                for j, i in enumerate(batch):
                    results[i] = self._moved(frames[i], states[i], looks[i], {name: maps[j] for name, maps in features.items()})
        return [results[i] for i in range(len(states))]

    def _moved(
        self, frame: Frame, state: Pursuit, regions: Sequence[Region | BentRegion], features: Mapping[str, Array]
    ) -> tuple[Pursuit, Estimate]:
        """The target where the sum of responses is highest, and what is learned from that."""
        samples = {name: continuous.project(continuous.windowed(maps), state.learned[name].projection) for name, maps in features.items()}
        responses = [
            np.float32(self._blocks[name].share) * continuous.respond(state.learned[name].filters, own) for name, own in samples.items()
        ]
        side = state.search.size
        fine = fourier.evaluate(fourier.add(responses), (side, side))
        best, row, column = (int(place) for place in np.unravel_index(fine.argmax(), fine.shape))
        shift = _wrapped(row, side), _wrapped(column, side)
        box = self._box(state, regions[best], shift, state.search.scales[best], frame.size)
        age, score = state.age + 1, float(fine[best, row, column])
        learned = {}
        for name, own in samples.items():
            learned[name] = _remembered(state.learned[name], _centred(own[best], shift), self._blocks[name])
            if age % self._arch.every == 0:
                learned[name] = _refined(learned[name], self._arch)
        estimate = Estimate(box, score, status_of(score, self.spec), regions[len(regions) // 2])
        return replace(state, box=box, learned=learned, age=age), estimate

    def _box(self, state: Pursuit, region: Region | BentRegion, shift: Shift, scale: float, size: tuple[int, int]) -> Box:
        """The box at a place of a crop, given in sides of it from its middle; its size and place kept within limits."""
        first, (width, height) = state.first, size
        least, most = self._arch.smallest / min(first.w, first.h), min(width / first.w, height / first.h)
        grown = max(min(scale * state.box.w / first.w, most), least)
        w, h = grown * first.w, grown * first.h
        cx, cy = region.to_frame(np.array([0.5 + shift[1], 0.5 + shift[0], 0.0, 0.0])).centre
        return clip(Box(cx - 0.5 * w, cy - 0.5 * h, w, h), self.spec.clip, size)


def _first(features: Real, shifts: Sequence[Shift], block: Block, arch: Arch, *, side: int, target: Shift) -> Learned:
    """What is learned from maps of features (N, D, h, w) of the first frame.

    Args:
        features: of its views.
        shifts: of the target from the middle of each.
        block: how these features are used.
        arch: how filters are learned.
        side: pixels along each side of a crop.
        target: height and width of the target in these pixels.
    """
    samples = np.stack([_centred(sample, shift) for sample, shift in zip(continuous.windowed(features), shifts, strict=True)])
    num, height = samples.shape[0], samples.shape[-2]
    sigma = height / side * math.sqrt(target[0] * target[1]) * block.sigma
    label = fourier.gaussian_series((height, height), (sigma, sigma))
    kernel = fourier.regularisation((side, side), target, least=block.least, edge=block.edge, threshold=block.threshold)
    projection = continuous.first_projection(features, block.width)
    weights = np.full(num, 1 / num, np.float32)
    energy = continuous.energy(continuous.project(samples, projection), weights)
    filters = np.zeros((block.width, *samples.shape[2:]), samples.dtype)
    turn = continuous.projection_divisor(label, features.shape[1], ridge=arch.ridge, factor=arch.ratio)
    divisors = continuous.divisor(energy, kernel, data=arch.data, confine=arch.confine), turn
    joint = JointProblem(samples, weights, label, kernel, arch.ridge)
    filters, projection = continuous.learn(joint, (filters, projection), divisors, arch.first)
    kept = np.zeros(arch.slots, np.float32)
    kept[:num] = weights
    return Learned(projection, filters, tuple(continuous.project(samples, projection)), kept, None, energy, label, kernel)


def _remembered(learned: Learned, sample: Series, block: Block) -> Learned:
    """With one sample (C, H, L) more, or in the place of the one that counted least."""
    weights, place = weigh(learned.weights, learned.last, rate=block.rate)
    samples = (*learned.samples[:place], sample, *learned.samples[place + 1 :])
    energy = (1 - block.rate) * learned.energy + block.rate * (sample.real**2 + sample.imag**2)
    return replace(learned, samples=samples, weights=weights, last=place, energy=energy.astype(learned.energy.dtype, copy=False))


def _refined(learned: Learned, arch: Arch) -> Learned:
    """With filters that fit the samples of now better."""
    weights = learned.weights[: len(learned.samples)]
    problem = FilterProblem(np.stack(learned.samples), weights, learned.label, learned.kernel)
    divisor = continuous.divisor(learned.energy, learned.kernel, data=arch.data, confine=arch.confine)
    forget = (1 - max(arch.shallow.rate, arch.deep.rate)) ** arch.forget
    filters, course = continuous.refine(problem, learned.filters, divisor, iterations=arch.later, course=learned.course, forget=forget)
    return replace(learned, filters=filters, course=course)


def _centred(sample: Series, shift: Shift) -> Series:
    """A sample (C, H, L) whose target lies `shift` from the middle, in sides of the crop, with the target there."""
    return fourier.shifted(sample, (2 * math.pi * shift[0], 2 * math.pi * shift[1]))


def _wrapped(place: int, side: int) -> float:
    """A place on a ring of `side` cells as a share of it, in -0.5..0.5."""
    return ((place + side // 2) % side - side // 2) / side
