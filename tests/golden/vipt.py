"""Fixtures golden/vipt: OSTrack with prompts of a second picture, inner stages and the whole tracker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.layers.heads import CenterMaps, to_grid
from sightline.models.ostrack import Hints, OSTrack
from sightline.spec import Spec
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count, maps_of
from tests.golden.networks import filled
from tests.golden.ostrack import QUERIES, ascending, numbers, removed_of

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, OSTrack)
    if "init_box" in meta["arguments"]:
        followed = follow(network, spec, meta, inputs)
        return {"boxes": followed["boxes"].astype(np.float64), "best_score": followed["scores"]}
    with torch.inference_mode():
        return numbers(stages(network, meta, {name: torch.from_numpy(value) for name, value in inputs.items()}))


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments, and what a whole tracker leaves unsaid as published."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    published = zoo.find("vipt-deep-rgbt")
    width = keys["backbone.pos_embed_x"][-1]
    arch = replace(
        published.arch,
        template_grid=round(keys["backbone.pos_embed_z"][1] ** 0.5),
        search_grid=round(keys["backbone.pos_embed_x"][1] ** 0.5),
        depth=count(keys, "backbone.blocks"),
        width=width,
        heads=width // 64,
        head_width=keys["box_head.conv1_ctr.0.weight"][0],
        second="shallow" if count(keys, "backbone.prompt_blocks") == 1 else "deep",
        bottleneck=keys["backbone.prompt_blocks.0.conv0_0.weight"][0],
        eliminate=tuple(arguments.get("ce_loc", published.arch.eliminate)),
        keep=tuple(arguments.get("ce_keep_ratio", published.arch.keep)),
        queries=QUERIES[arguments["ce_template_range"]] if "ce_template_range" in arguments else published.arch.queries,
    )
    template, search = (
        replace(crop, size=arguments[f"{role}_size"]) for role, crop in (("template", published.template), ("search", published.search))
    )
    return replace(published, arch=arch, template=template, search=search)


def stages(network: OSTrack, meta: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    (template, template_extra), (search, search_extra) = (inputs[name].chunk(2, dim=1) for name in ("template", "search"))
    hints = Hints(second=(template_extra, search_extra))
    entered: list[Tensor] = []
    network.get_submodule("blocks.1.norm1").register_forward_pre_hook(lambda _module, given: entered.append(given[0]))
    prompts = network.embed(template, search, hints).prompts
    assert prompts is not None
    seen = network.look(template, search, hints=hints)
    assert isinstance(seen.maps, CenterMaps)
    outputs = {
        "tokens_in": seen.tokens,
        "prompt0_template": to_grid(prompts.template),
        "prompt0_search": to_grid(prompts.search),
        "block1_in": entered[0],
        "backbone_feat": seen.features,
        **removed_of(seen.removed),
    }
    for name in meta["outputs"]:
        if block := re.fullmatch(r"after_block(\d+)", name):
            outputs[name] = ascending(seen.stages[int(block[1])], network.arch)
    return outputs | maps_of(seen.maps)
