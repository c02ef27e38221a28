"""Fixtures golden/components of filters that are learned while tracking: labels, solvers, weights of samples, peaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.methods.filters import FilterProblem, JointProblem, bounded, correlate
from sightline.methods.samples import weigh
from sightline.methods.solve import Course, Point, conjugate_gradient, gauss_newton
from sightline.models.dimp import STRIDE, Distances
from sightline.models.layers.peaks import Finer, find_target, gaussian_labels
from tests.golden.dimp import descended

Array = NDArray[Any]
Arguments: TypeAlias = Mapping[str, Any]
Inputs: TypeAlias = Mapping[str, Array]
Outputs: TypeAlias = dict[str, Array]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Inputs) -> Outputs:  # noqa: ARG001  # the signature of a runner
    """The outputs of one fixture, whole. The longest name that begins the fixture's decides which function it is about."""
    name = max((name for name in COMPONENTS if meta["config"].startswith(name)), key=len)
    scales = meta["arguments"].get("scale_of_inputs", {})
    scaled = {key: value * np.float32(scales[key]) if key in scales else value for key, value in inputs.items()}
    return COMPONENTS[name](meta, scaled)


def atom_optimizer(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    arguments = meta["arguments"]
    kernel, projection, memory = inputs["filter"][0], inputs["projection"][:, :, 0, 0], inputs["memory"]
    side = memory.shape[2]
    centres = torch.tensor(arguments["label_centers_row_column"])
    labels = gaussian_labels(centres, arguments["label_sigma"], side).numpy()
    activate = partial(bounded, bound=arguments["response_activation"][1])
    outputs: Outputs = {"labels": labels[:, None]}

    num = len(labels)
    weights = np.full((num, 1, 1), num**-0.5, np.float32)
    joint = JointProblem(inputs["samples"], labels, weights, activate, arguments["filter_reg"], arguments["projection_reg"])
    point: Point = (kernel, projection)
    losses = []
    outputs["loss_start"] = np.array(joint.loss(point))
    for i in (1, 2):
        point = gauss_newton(joint.linearise, point, iterations=[4], precondition=joint.precondition)
        outputs |= {f"filter_gn{i}": point[0][None], f"projection_gn{i}": point[1][:, :, None, None]}
        losses.append(joint.loss(point))
    outputs["loss_gn"] = np.array(losses)

    weights = np.sqrt(np.array(arguments["memory_weights_cg"], np.float32))[:, None, None]
    labels = labels[np.arange(len(memory)) % num]
    alone = FilterProblem(memory, labels, weights, activate, arguments["filter_reg"])
    start = inputs["filter2"][0]
    outputs["filter_cg5"] = learned(alone, start, [5], polak_ribiere=True)[None]
    outputs["filter_cg3_cg3_forget09"] = learned(alone, start, [3, 3], polak_ribiere=True, forget=0.9)[None]
    outputs["filter_cg5_fletcher_reeves"] = learned(alone, start, [5])[None]
    scores = correlate(memory, outputs["filter_cg5"][0], (side, side))
    finer = Finer(side, meta["outputs"]["scores_upsampled"]["shape"][-1])
    upsampled = finer(torch.from_numpy(scores[:1])).numpy()
    half = upsampled.shape[1] // 2
    outputs |= {"scores": scores[:, None], "scores_upsampled": np.roll(upsampled, (-half, -half), axis=(1, 2))[:, None]}

    for name, example in (("", arguments["memory_example"]), ("_fast", arguments["memory_example_fast"])):
        num_steps = meta["outputs"][f"memory_index{name}"]["shape"][0]
        outputs |= {f"memory_{key}{name}": value for key, value in remembered(example, num_steps).items()}
    return outputs


def learned(problem: FilterProblem, kernel: Array, iterations: list[int], **options: Any) -> Array:
    """The filter after some runs of conjugate gradients, each of which goes on where the one before ended."""
    course: Course | None = None
    for number in iterations:
        matrix, right = problem.linearise((kernel,))
        (step,), course = conjugate_gradient(matrix, right, iterations=number, course=course, **options)
        kernel = kernel + step
    return kernel


def remembered(example: Arguments, num_steps: int) -> Outputs:
    """Weights and places of samples that come one after another."""
    num_first = example["initial"]
    weights = np.zeros(example["slots"], np.float32)
    weights[:num_first] = 1 / num_first
    before: int | None = None
    rows, places = [], []
    for i in range(num_steps):
        rate = example.get(f"learning_rate_at_step_{i}", example["learning_rate"])
        weights, before = weigh(weights, before, rate=rate, num_first=num_first, first_share=example["initial_minimum_weight"])
        rows.append(weights)
        places.append(before)
    return {"weights": np.array(rows), "index": np.array(places)}


def atom_localization(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    arguments = meta["arguments"]
    size, sigma, scale = arguments["size"], arguments["sigma"], arguments["target_scale"]
    rows, columns = np.mgrid[:size, :size] - size // 2
    maps = [
        sum(peak * np.exp(-((rows - dy) ** 2 + (columns - dx) ** 2) / (2 * sigma**2)) for peak, dy, dx in (case[:3], case[3:]))
        + 0.01 * inputs["noise"]
        for case in inputs["cases"]
    ]
    target = torch.tensor([arguments["target_size_row_column"]]).float() / scale
    found = find_target(torch.from_numpy(np.array(maps, np.float32)), target.expand(len(maps), 2))
    return {"flag": found.flag.numpy(), "translation": found.shift.numpy() * np.float32(scale), "max": found.best.double().numpy()}


def dimp_optimizer(meta: Mapping[str, Any], inputs: Inputs) -> Outputs:
    arguments = meta["arguments"]
    features, kernel = inputs["features"][:, 0], inputs["filter"][0]
    distances = Distances(arguments["bins"], arguments["bin_displacement"])
    boxes = torch.from_numpy(inputs["boxes"]).float()
    centre, side = ((boxes[:, :2] + boxes[:, 2:] / 2) / STRIDE)[:, [1, 0]], meta["outputs"]["label_map"]["shape"][-1]
    with torch.inference_mode():
        wanted = distances(centre, side)
    rate, ridge = arguments["step"], arguments["filter_reg"] ** 2
    num, steps = len(features), meta["outputs"]["filters_weighted"]["shape"][0] - 1
    even = descended(features, wanted, kernel, np.full(num, 1 / num), meta["outputs"]["filters"]["shape"][0] - 1, rate, ridge)
    weighted = descended(features, wanted, kernel, np.array(arguments["sample_weights"]), steps, rate, ridge)
    return {
        "label_map": wanted.label[:, None].numpy(),
        "target_mask": wanted.mask[:, None].numpy(),
        "distance_bins": distances.shares(centre, side).numpy(),
        "filters": even[0],
        "losses": even[1],
        "filters_weighted": weighted[0],
        "losses_weighted": weighted[1],
    }


COMPONENTS: dict[str, Callable[[Mapping[str, Any], Inputs], Outputs]] = {
    "atom_localization": atom_localization,
    "atom_optimizer": atom_optimizer,
    "dimp_optimizer": dimp_optimizer,
}
