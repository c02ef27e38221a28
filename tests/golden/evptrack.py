"""Fixtures golden/evptrack: three frames after one another with the memory that is passed on, and the whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.evptrack import EVPTrack
from sightline.spec import Spec
from sightline.zoo.evptrack import Arch
from tests.golden import ostrack
from tests.golden.hivit import shape_of, sized, stages_of
from tests.golden.layouts import maps_of
from tests.golden.networks import filled
from tests.golden.ostrack import numbers

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, EVPTrack)
    if "init_box" in meta["arguments"]:
        return ostrack.track(network, spec, meta, inputs)
    with torch.inference_mode():
        return numbers(stages(network, {name: torch.from_numpy(value) for name, value in inputs.items()}))


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    return sized(replace(zoo.find("evptrack-224"), arch=Arch(**shape_of(meta))), meta)


def stages(network: EVPTrack, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store, of every search frame."""
    backbone = network.backbone
    template = memory = backbone.embed(inputs["template"], backbone.template_positions)
    scales = network.prompt_scales(inputs["template"])
    outputs: dict[str, Tensor] = {}
    for i in range(sum(name.startswith("search") for name in inputs)):
        search = inputs[f"search{i}"]
        seen = network.look(scales, template, backbone.embed(search, backbone.search_positions), memory)
        memory = seen.memory
        of_frame = stages_of(backbone, search, seen.tokens, seen.stages, seen.features) | maps_of(seen.maps)
        of_frame |= {"history": memory, "prompt_time": seen.prompts, "prompt_scale": scales}
        outputs |= {f"{name}_{i}": value for name, value in of_frame.items()}
    return outputs
