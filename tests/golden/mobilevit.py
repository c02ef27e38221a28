"""Fixtures golden/smat and golden/mvt: the networks on given crops, and whole trackers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.models.layers.heads import bounded
from sightline.models.layers.mobilevit import Mixed, MobileTracker
from sightline.spec import Spec
from tests.golden.follow import follow
from tests.golden.layouts import maps_of
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, MobileTracker)
    if "init_box" in meta["arguments"]:
        return tracked(network, spec, meta, inputs)
    return stages(network, torch.from_numpy(inputs["template"]), torch.from_numpy(inputs["search"]))


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """Each of the two systems published one network."""
    return zoo.find(meta["system"])


@torch.inference_mode()
def stages(network: MobileTracker, template: torch.Tensor, search: torch.Tensor) -> dict[str, Array]:
    """The network on crops in 0..1."""
    stem = network.trunk.read_alone(template)
    third, fourth = network.trunk.mix(Mixed(network.trunk.read_alone(search), stem))
    outputs = {
        "template_stem": stem,
        "search_layer3": third.search,
        "template_layer3": third.template,
        "search_layer4": fourth.search,
        "template_layer4": fourth.template,
        "fused": network.correlation(fourth.template, fourth.search),
        **maps_of(network.look(fourth)),
    }
    return {name: output.numpy() for name, output in outputs.items()}


def tracked(network: MobileTracker, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, and what its head said in every frame."""
    seen: list[torch.Tensor] = []
    network.get_submodule("head.score").register_forward_hook(lambda _module, _inputs, logits: seen.append(bounded(logits)[0, 0]))
    followed = follow(network, spec, meta, inputs)
    return followed | {"window": network.window[0, 0].numpy(), "score_maps": np.stack([score.numpy() for score in seen])}
