"""Fixtures golden/eco, features of pictures, and golden/components/eco_optimizer: how filters and projections are learned of such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.methods import continuous, fourier
from sightline.methods.continuous import FilterProblem, JointProblem
from sightline.methods.fourier import Series
from sightline.models.eco import Eco
from sightline.spec import Spec
from sightline.zoo.eco import Block
from tests.golden.components import in_parts
from tests.golden.networks import filled

Array = NDArray[Any]
Outputs: TypeAlias = dict[str, Array]

ECO = zoo.find("eco-resnet18")
BLOCKS: dict[str, Block] = {"shallow": ECO.arch.shallow, "deep": ECO.arch.deep}
JOINT_STEPS, LATER_STEPS = 4, 3
SLOTS, NEW_WEIGHT, FORGET = 6, 0.1, (1 - 0.025) ** 75


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> Outputs:
    """The outputs of one fixture, whole."""
    return features(weights, inputs) if meta["keys"] else optimizer(meta, inputs)


def spec_of(_meta: Mapping[str, Any]) -> Spec:
    """There is one network."""
    return ECO


@torch.inference_mode()
def features(weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> Outputs:
    """Of normalised pictures."""
    seen = filled(ECO, weights, Eco).maps(torch.from_numpy(inputs["image"]))
    named = {"vggconv1": seen.first, "layer3": seen.last, "shallow_feature": seen.shallow, "deep_feature": seen.deep}
    return {name: maps.numpy() for name, maps in named.items()}


def optimizer(meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> Outputs:
    """Two maps of features, each learned from alone; the responses are added."""
    cases = {name: Case.of(name, place, meta["arguments"], inputs) for place, name in enumerate(BLOCKS)}
    outputs: Outputs = {}
    losses, responses = np.zeros(3), []
    for case in cases.values():
        found = case.learned()
        outputs |= found.outputs
        losses += found.losses
        responses.append(found.response)
    height, width = meta["outputs"]["scores"]["shape"][-2:]
    return outputs | {"loss": losses, "scores": fourier.evaluate(fourier.add(responses), (height, width))[None]}


@dataclass
class Found:
    """What came of one feature map."""

    outputs: Outputs
    losses: Array
    response: Series


@dataclass
class Case:
    """One feature map of the fixture. `share`: of the sum of responses."""

    name: str
    features: Array
    news: list[Array]
    width: int
    label: Array
    kernel: Array
    trust: Mapping[str, float]
    rate: float
    ridge: float
    share: float

    @classmethod
    def of(cls, name: str, place: int, given: Mapping[str, Any], inputs: Mapping[str, Array]) -> Case:
        half = np.float32(0.5)
        features = half * inputs[name] + np.float32(0.2)
        height, width = features.shape[-2:]
        news = [half * inputs[key] for key in sorted(inputs) if key.startswith("new") and key.endswith(name)]
        sigma = given["label_sigma"][name]
        block, crop, target = BLOCKS[name], tuple(given["image_size"]), tuple(given["target_size"])
        kernel = fourier.regularisation(crop, target, least=block.least, edge=block.edge, threshold=block.threshold)
        return cls(
            name,
            features,
            news,
            given["compressed_dim"][place],
            fourier.gaussian_series((height, width), (sigma, sigma)),
            kernel,
            given["precond"],
            given["precond"]["learning_rate"][place],
            given["projection_reg"],
            given["translation_weight"][place],
        )

    def learned(self) -> Found:
        """Two linearisations of the joint problem, then a new sample and some steps for the filter alone, twice."""
        samples, projection = continuous.windowed(self.features), continuous.first_projection(self.features, self.width)
        outputs = {f"sample_{self.name}": in_parts(samples), f"projection_start_{self.name}": projection}
        weights = np.full(len(samples), 1 / len(samples), np.float32)
        joint = JointProblem(samples, weights, self.label, self.kernel, self.ridge)
        energy = continuous.energy(continuous.project(samples, projection), weights)
        turn = continuous.projection_divisor(self.label, len(projection), ridge=self.ridge, factor=self.trust["proj"])
        filters = np.zeros((self.width, *samples.shape[2:]), samples.dtype)
        losses = [self.loss(joint, filters, projection)]
        for i in (1, 2):
            filters, projection = continuous.learn(joint, (filters, projection), (self.divisor(energy), turn), [JOINT_STEPS])
            outputs |= {f"filter_{self.name}_gn{i}": in_parts(filters)[None], f"projection_{self.name}_gn{i}": projection}
            losses.append(self.loss(joint, filters, projection))
        return self.refined(filters, continuous.project(samples, projection), energy, Found(outputs, np.array(losses), filters))

    def refined(self, filters: Series, samples: Series, energy: Array, found: Found) -> Found:
        """The filter after each new sample."""
        num, course = len(samples), None
        memory, weights = np.zeros((SLOTS, *samples.shape[1:]), samples.dtype), np.zeros(SLOTS, np.float32)
        memory[:num], weights[:num] = samples, 1 / num
        for i, new in enumerate(self.news):
            memory[num + i] = fourier.transform(new)[0] / np.float32(new.shape[-1] * new.shape[-2])
            weights[num + i] = NEW_WEIGHT
            weights /= weights.sum()
            energy = (1 - self.rate) * energy + self.rate * np.abs(memory[num + i]) ** 2
            problem = FilterProblem(memory, weights, self.label, self.kernel)
            filters, course = continuous.refine(
                problem, filters, self.divisor(energy), iterations=LATER_STEPS, course=course, forget=FORGET
            )
            found.outputs[f"filter_{self.name}_update{i + 1}"] = in_parts(filters)[None]
        found.response = np.float32(self.share) * continuous.respond(filters, memory[num : num + 1])
        return found

    def divisor(self, energy: Array) -> Array:
        return continuous.divisor(energy, self.kernel, data=self.trust["data"], confine=self.trust["reg"])

    def loss(self, problem: JointProblem, filters: Series, projection: Array) -> float:
        """As the fixture counts: of a filter held down, only what lies beyond the kernel's highest frequency."""
        misses = continuous.respond(filters, continuous.project(problem.samples, projection)) - self.label
        held = continuous.held(filters, self.kernel, beyond=True)[..., self.kernel.shape[1] - 1 :]
        return fourier.inner(misses, misses) / len(misses) + fourier.inner(held, held) + self.ridge * float(np.sum(projection**2))
