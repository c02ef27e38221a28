"""Fixtures golden/dimp: features, the first filter, its optimiser, responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import models, zoo
from sightline.methods.filters import FilterProblem, correlate, masked
from sightline.methods.solve import Point, steepest_descent
from sightline.models.checkpoint import state_for_authors
from sightline.models.dimp import Dimp, Wanted
from sightline.spec import Spec
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    starts = {name: value.numpy() for name, value in state_for_authors(models.build(spec), spec).items() if name in meta["kept"]}
    network = filled(spec, starts | dict(weights), Dimp)
    given = {name: torch.from_numpy(value).float() for name, value in inputs.items()}
    with torch.inference_mode():
        train = network.features(network.maps(given["train_images"]).coarse)
        search = network.features(network.maps(given["search"]).coarse)
        kernel = network.first_filter(train, given["train_boxes"]).mean(dim=0).numpy()
        wanted = network.wanted(given["train_boxes"])
        rate, ridge = network.rate.item(), network.ridge.item()
    outputs = {"feature_search": search[:, None].numpy(), "filter_initial": kernel[None]}
    even = descended(train.numpy(), wanted, kernel, np.full(len(train), 1 / len(train)), meta["arguments"]["optim_iter"], rate, ridge)
    weighted = descended(train.numpy(), wanted, kernel, inputs["sample_weights"], 2, rate, ridge)
    final, size = even[0][-1], wanted.label.shape[1:]
    return outputs | {
        "filter_iter1": even[0][1][None],
        "filter_final": final[None],
        "losses": even[1],
        "filter_weighted2": weighted[0][-1][None],
        "losses_weighted": weighted[1],
        "scores": correlate(search.numpy(), final, (size[0], size[1]))[:, None],
        "scores_train": correlate(train.numpy(), final, (size[0], size[1]))[:, None],
    }


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture."""
    arguments = meta["arguments"]
    published = zoo.find("dimp50")
    depth = int(arguments["backbone"].removeprefix("resnet"))
    shape = {"width": arguments["feature_dim"], "kernel": arguments["filter_size"]}
    bins = {"bins": arguments["num_dist_bins"], "bin": arguments["bin_displacement"]}
    return replace(published, arch=replace(published.arch, depth=depth, **shape, **bins))


def descended(features: Array, wanted: Wanted, kernel: Array, weights: Array, steps: int, rate: float, ridge: float) -> tuple[Array, Array]:
    """The filters before and after every step, and the losses there."""
    shares = np.sqrt(weights).astype(np.float32)[:, None, None] * wanted.spatial.numpy()
    problem = FilterProblem(features, wanted.label.numpy(), shares, partial(masked, mask=wanted.mask.numpy()), ridge)
    points: list[Point] = [(kernel,)]
    for _ in range(steps):
        points.append(steepest_descent(problem.linearise, points[-1], iterations=1, rate=rate))
    return np.array([point[0] for point in points]), np.array([problem.loss(point) for point in points])
