"""Fixtures golden/aqatrack: five frames after one another with the queries that are passed on, and the whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.aqatrack import AQATrack
from sightline.spec import Spec
from sightline.zoo.aqatrack import Arch
from tests.golden import ostrack
from tests.golden.hivit import shape_of, sized, stages_of
from tests.golden.layouts import Shapes, count, maps_of
from tests.golden.networks import filled
from tests.golden.ostrack import numbers

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, AQATrack)
    if "init_box" in meta["arguments"]:
        return ostrack.track(network, spec, meta, inputs)
    with torch.inference_mode():
        return numbers(stages(network, {name: torch.from_numpy(value) for name, value in inputs.items()}))


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments, the history of a whole tracker as published."""
    keys: Shapes = meta["keys"]
    published = zoo.find("aqatrack-256")
    arch = Arch(
        **shape_of(meta),
        decoder=count(keys, "transformer_dec.decoder.layers"),
        hidden=keys["transformer_dec.decoder.layers.0.linear1.weight"][0],
        history=meta["arguments"].get("history", published.arch.history),
    )
    return sized(replace(published, arch=arch), meta)


def stages(network: AQATrack, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store, of every search frame."""
    backbone = network.backbone
    template = backbone.embed(inputs["template"], backbone.template_positions)
    history = torch.zeros(1, network.arch.history, network.arch.width)
    outputs: dict[str, Tensor] = {}
    for i in range(sum(name.startswith("search") for name in inputs)):
        search = inputs[f"search{i}"]
        seen = network.look(template, backbone.embed(search, backbone.search_positions), history, torch.tensor([float(i)]))
        history = torch.cat([history[:, 1:], seen.found], dim=1)
        of_frame = stages_of(backbone, search, seen.tokens, seen.stages, seen.features) | {"query": seen.found} | maps_of(seen.maps)
        outputs |= {f"{name}_{i}": value for name, value in of_frame.items()}
    return outputs
