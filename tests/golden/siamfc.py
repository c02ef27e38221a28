"""Fixtures golden/siamfc: the networks, and whole trackers, of two implementations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import models, zoo
from sightline.models.siamfc import SiamFC, planes
from sightline.spec import Spec
from sightline.zoo.siamfc import ARCHES
from tests.golden.siamese import fill_from, track

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = models.build(spec)
    assert isinstance(network, SiamFC)
    fill_from(network, spec, meta, weights)
    return tracked(network, spec, meta, inputs) if "init_box" in meta["arguments"] else stages(network, inputs)


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec with the trunk and the numbers that a fixture was made with."""
    given = meta["arguments"]
    spec = zoo.find("siamfc-alexnet")
    arch = replace(ARCHES[given["backbone"]], gain=given["out_scale"])
    if "scale_num" not in given:
        return replace(spec, arch=arch)
    scales = tuple(given["scale_step"] ** (i - given["scale_num"] // 2) for i in range(given["scale_num"]))
    names = {"penalty": "scale_penalty", "window": "window_influence", "rate": "scale_lr", "finer": "response_up", "stride": "total_stride"}
    arch = replace(arch, scales=scales, **{ours: given[theirs] for ours, theirs in names.items()})
    return replace(spec, arch=arch, search=replace(spec.search, scales=scales))


@torch.inference_mode()
def stages(network: SiamFC, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The network on given crops, one or more of each, with every inner stage that the fixtures store."""
    template, search = (
        planes(torch.from_numpy(np.stack([inputs[name] for name in sorted(inputs) if name.startswith(role)])))
        for role in ("template", "search")
    )
    first = network.layers[0](search)
    kernel, features = network.extract(template), network.extract(search)
    outputs = {
        "conv1_search": first,
        "conv3_search": network.layers[2](network.layers[1](first)),
        "features_template": kernel,
        "features_search": features,
        "response": network.correlate(kernel, features.unsqueeze(1)),
    }
    return {name: output.numpy() for name, output in outputs.items()}


@torch.inference_mode()
def tracked(network: SiamFC, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole run. The authors count pixels from `box_origin`."""
    origin = meta["arguments"].get("box_origin", 0)
    x, y, w, h = meta["arguments"]["init_box"]
    arguments = {**meta["arguments"], "init_box": [x - origin, y - origin, w, h]}
    found = track(network, spec, {**meta, "arguments": arguments}, inputs)
    kernel = torch.from_numpy(found.first.arrays["kernel"])[None]
    crops = [planes(torch.from_numpy(crop)) for crop in found.searches]
    responses = np.array([network.correlate(kernel, network.extract(crop)[None])[0].numpy() for crop in crops])
    widths = [found.first.box.w, *(state.box.w for state in found.states)]
    growth = np.array(widths[1:]) / np.array(widths[:-1])
    steps = 1 - spec.arch.rate + spec.arch.rate * np.array(spec.arch.scales)
    return {
        "boxes": found.boxes + np.array([origin, origin, 0, 0]),
        "responses": responses,
        "scale_index": np.abs(growth[:, np.newaxis] - steps).argmin(axis=1),
    }
