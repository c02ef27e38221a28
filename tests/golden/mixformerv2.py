"""Fixtures golden/mixformerv2: tokens, distributions of the sides, scores, a batch, and a whole tracker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.layers.vit import packed
from sightline.models.mixformerv2 import MixFormerV2
from sightline.spec import Crop, Spec
from sightline.zoo.mixformerv2 import Arch
from tests.golden.follow import follow
from tests.golden.layouts import count
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, MixFormerV2)
    if "init_box" in meta["arguments"]:
        return follow(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, *(torch.from_numpy(inputs[name]) for name in ("template", "online_template", "search")))
    return {name: output.numpy() for name, output in outputs.items()}


def stages(network: MixFormerV2, template: Tensor, online: Tensor, search: Tensor) -> dict[str, Tensor]:
    """Every inner stage that a fixture stores: templates and search stand in one line there."""
    embedded = network.trunk.embed_templates(torch.stack([template, online], dim=1))
    templates = network.trunk.read_templates(embedded)
    seen = network.look(search, **packed(templates.memory))
    left, right, top, bottom = seen.shares.unbind(1)
    return {
        "tokens_in": torch.cat([embedded, seen.tokens], dim=1),
        "block0": torch.cat([templates.stages[0], seen.stages[0]], dim=1),
        "tokens_out": torch.cat([templates.stages[-1], seen.stages[-1]], dim=1),
        "reg_tokens": seen.stages[-1][:, -4:],
        "prob_l": left,
        "prob_r": right,
        "prob_t": top,
        "prob_b": bottom,
        "pred_boxes": seen.box.unsqueeze(1),
        "pred_scores": seen.score,
    }


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys, kept, arguments = meta["keys"], meta["kept"], meta["arguments"]
    width = keys["backbone.reg_tokens"][-1]
    hidden = keys["backbone.blocks.0.mlp.fc1.weight"][0]
    arch = Arch(
        depth=count(keys, "backbone.blocks"),
        ratio=hidden // width,
        width=width,
        heads=arguments.get("heads", width // 64),
        bins=keys["box_head.layers.1.0.weight"][0],
        template_grid=math.isqrt(kept["backbone.pos_embed_t"][1]),
        search_grid=math.isqrt(kept["backbone.pos_embed_s"][1]),
    )
    published = zoo.find("mixformerv2-base")
    return replace(
        published,
        arch=arch,
        template=Crop(factor=published.template.factor, size=16 * arch.template_grid),
        search=Crop(factor=published.search.factor, size=16 * arch.search_grid),
        memory=replace(published.memory, every=(arguments.get("update_interval", 200),)),
    )
