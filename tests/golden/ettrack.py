"""Fixtures golden/ettrack: the network on given crops, and whole trackers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.models.layers.pixelwise import Pixelwise
from sightline.spec import Spec
from tests.golden.lighttrack import tracked
from tests.golden.networks import filled
from tests.golden.siamese import track

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, Pixelwise)
    if "init_box" not in meta["arguments"]:
        return stages(network, torch.from_numpy(inputs["template"]), torch.from_numpy(inputs["search"]))
    found = tracked(network, track(network, spec, meta, inputs))
    return found | {"scores": found["max_scores"], "search_crop_1": found["search_crop1"]}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec, with the numbers that a fixture was made with."""
    given = meta["arguments"]
    spec = zoo.find("ettrack")
    names = {
        "penalty": "penalty_k",
        "window": "window_influence",
        "rate": "lr",
        "exemplars": "e_exemplars",
        "temperature": "temperature",
    }
    return replace(spec, arch=replace(spec.arch, **{ours: given[theirs] for ours, theirs in names.items() if theirs in given}))


@torch.inference_mode()
def stages(network: Pixelwise, template: torch.Tensor, search: torch.Tensor) -> dict[str, np.ndarray]:
    """The network on normalised crops, with what every layer of both towers says."""
    kernel, features = network.extract(template), network.extract(search)
    maps = network.look(kernel, features)
    outputs = {"template_features": kernel, "search_features": features, "cls": maps.logits, "reg": maps.distances}
    joined = network.correlation(kernel, features)
    for name, tower in (("cls_branch", network.score_tower), ("bbreg_branch", network.box_tower)):
        x = joined
        for i, layer in enumerate(tower, start=1):
            outputs[f"{name}_{i}"] = x = layer(x)
    return {name: output.numpy() for name, output in outputs.items()}
