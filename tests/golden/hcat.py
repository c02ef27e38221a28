"""Fixtures golden/hcat: three backbones, a batch, and a whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.hcat import HCAT
from sightline.spec import Spec
from sightline.zoo.hcat import Arch, Backbone
from tests.golden.layouts import count, one_thread
from tests.golden.networks import filled
from tests.golden.transt import track

Array = NDArray[Any]

BACKBONES: dict[str, Backbone] = {
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "convnext_tiny": "convnext-tiny",
    "lightrack_backbone_M": "lightnet",  # spelt so
}


@one_thread()
def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, HCAT)
    if "init_box" in meta["arguments"]:
        return track(network, network.window, spec.arch.window, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, torch.from_numpy(inputs["template"]), torch.from_numpy(inputs["search"]))
    return {name: output.numpy() for name, output in outputs.items()}


def stages(network: HCAT, template: Tensor, search: Tensor) -> dict[str, Tensor]:
    """Every inner stage that a fixture stores."""
    features = network.backbone(template)
    queries = network.ask(network.embed(template))
    seen = network.look(queries, network.embed(search))
    return {
        "backbone_template": features,
        "projection_template": network.project(features),
        "query_layer": queries.transpose(0, 1),
        "fusion0_template": seen.queries[0].transpose(0, 1),
        "fusion0_search": seen.searches[0].transpose(0, 1),
        "fusion_search": seen.searches[-1].transpose(0, 1),
        "logits": seen.verdicts.logits,
        "boxes": seen.verdicts.boxes,
    }


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys, arguments = meta["keys"], meta["arguments"]
    queries, width = keys["query_embed.weight"]
    backbone = BACKBONES[arguments["backbone"]]
    arch = Arch(
        backbone=backbone,
        layers=count(keys, "featurefusion_network.encoder.layers"),
        width=width,
        heads=arguments.get("heads", width // 32),
        hidden=keys["featurefusion_network.decoder.layers.0.linear1.weight"][0],
        queries=queries,
        window=arguments.get("window_penalty", Arch(backbone=backbone, layers=1).window),
    )
    return replace(zoo.find("hcat-res18-n2"), arch=arch)
