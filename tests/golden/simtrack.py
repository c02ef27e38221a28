"""Fixtures golden/simtrack: positions from the box, fovea, transformer, corners, and a whole tracker."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.simtrack import SimTrack
from sightline.spec import Spec
from sightline.zoo.simtrack import Arch
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, SimTrack)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, meta, {name: torch.from_numpy(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments; the fovea of a whole tracker as published."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    published = zoo.find("simtrack-b16")
    width, _, patch, _ = keys["backbone.visual.conv1.weight"]
    arch = Arch(
        patch=patch,
        template=arguments["template_size"],
        search=arguments["search_size"],
        fovea=arguments.get("foveal_size", published.arch.fovea),
        table=math.isqrt(keys["backbone.visual.positional_embedding"][0]),
        depth=count(keys, "backbone.visual.transformer.resblocks"),
        width=width,
        heads=arguments.get("heads", width // 64),
        head_width=keys["bottleneck.weight"][0],
    )
    template, search = replace(published.template, size=arch.template), replace(published.search, size=arch.search)
    return replace(published, arch=arch, template=template, search=search)


def stages(network: SimTrack, meta: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    boxes = inputs["template_box_xywh_normalised"].float()
    seen = network.look(*network.read_template(inputs["template"], boxes), network.embed_search(inputs["search"]))
    outputs = {
        "tokens_in": seen.tokens,
        "bottleneck": seen.features,
        "position_mlp": network.places(boxes).flatten(0, 1),
        "prob_tl": seen.maps.top_left.flatten(1).softmax(1),
        "prob_br": seen.maps.bottom_right.flatten(1).softmax(1),
        "pred_boxes": seen.box.unsqueeze(1),
    }
    for name in meta["outputs"]:
        if block := re.fullmatch(r"after_block(\d+)", name):
            outputs[name] = seen.stages[int(block[1])]
    return outputs


def track(network: SimTrack, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, and the box that its template was embedded with, which stays the same for every tracked frame."""
    boxes: list[Tensor] = []
    network.places.register_forward_pre_hook(lambda _module, given: boxes.append(given[0]))
    followed = follow(network, spec, meta, inputs)
    [box] = boxes
    return followed | {"template_box": box.expand(len(followed["scores"]), -1).numpy()}
