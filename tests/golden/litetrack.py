"""Fixtures golden/litetrack: every depth, a batch, and a whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.models.litetrack import LiteTrack
from sightline.spec import Spec
from sightline.zoo.litetrack import Arch
from tests.golden.follow import follow
from tests.golden.layouts import count, maps_of
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, LiteTrack)
    if "init_box" in meta["arguments"]:
        return follow(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, *(torch.from_numpy(inputs[name]).float() for name in ("template", "search", "template_box")))
    return {name: output.numpy() for name, output in outputs.items()}


def stages(network: LiteTrack, template: torch.Tensor, search: torch.Tensor, corners: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every inner stage that a fixture stores."""
    finished = network.read_template(template, corners)
    alone = network.read_alone(search)
    mixed = network.mix(alone, network.remember(finished))
    return {
        "target_token": network.target_token(corners),
        "template_features": finished,
        "template_features_without_token": network.read_template(template, None),
        "search_before_mixing": alone,
        "features": torch.cat([finished, mixed], dim=1),
        **maps_of(network.look(mixed)),
    }


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture. A whole tracker does not tell its mixing blocks: they follow from the published depths."""
    keys = meta["keys"]
    depth, width = count(keys, "backbone.blocks"), keys["backbone.pos_embed_x"][-1]
    published = {spec.arch.depth: spec.arch.mixing for spec in zoo.FAMILIES["litetrack"].SPECS}
    arch = Arch(
        depth=depth,
        mixing=meta["arguments"].get("mixing_layers", published.get(depth)),
        width=width,
        heads=width // 64,
        head_width=keys["box_head.conv1_ctr.0.weight"][0],
    )
    return replace(zoo.find("litetrack-b4"), arch=arch)
