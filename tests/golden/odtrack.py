"""Fixtures golden/odtrack: two frames after one another with the token that is passed on, and the whole tracker."""

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
from sightline.models.odtrack import ODTrack
from sightline.spec import Memory, Spec
from sightline.zoo.odtrack import Arch
from tests.golden import ostrack
from tests.golden.layouts import Shapes, count, maps_of
from tests.golden.networks import filled
from tests.golden.ostrack import PATCH, numbers, removed_of

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, ODTrack)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        return numbers(stages(network, meta, {name: torch.from_numpy(value) for name, value in inputs.items()}))


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments, eliminations of a whole tracker as published."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    published = zoo.find("odtrack-b384")
    width = keys["backbone.pos_embed_x"][-1]
    arch = Arch(
        template_grid=arguments["template_size"] // PATCH,
        search_grid=arguments["search_size"] // PATCH,
        depth=count(keys, "backbone.blocks"),
        width=width,
        heads=width // 64,
        eliminate=tuple(arguments.get("ce_loc", published.arch.eliminate)),
        keep=tuple(arguments.get("ce_keep_ratio", published.arch.keep)),
        head_width=keys["box_head.conv1_ctr.0.weight"][0],
    )
    return replace(
        published,
        arch=arch,
        template=replace(published.template, size=arguments["template_size"]),
        search=replace(published.search, size=arguments["search_size"]),
        memory=Memory(samples=arguments.get("template_number", published.memory.samples)),
    )


def stages(network: ODTrack, meta: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store, of every search frame."""
    templates = torch.stack([inputs[f"template{i}"] for i in range(meta["arguments"]["templates"])], dim=1)
    passed = network.init(templates)["next.passed"]
    outputs: dict[str, Tensor] = {}
    for i in range(sum(name.startswith("search") for name in inputs)):
        seen = network.look(templates.flatten(0, 1), inputs[f"search{i}"], passed)
        passed = seen.features[:, :1]
        of_frame = {"tokens_in": seen.tokens, "backbone_feat": seen.features, "track_query": passed} | maps_of(seen.maps)
        for name in meta["outputs"]:
            if block := re.fullmatch(rf"after_block(\d+)_{i}", name):  # before the first elimination
                of_frame[f"after_block{block[1]}"] = seen.stages[int(block[1])]
        outputs |= {f"{name}_{i}": value for name, value in of_frame.items()}
        outputs |= {name.replace("removed", f"removed_{i}"): value for name, value in removed_of(seen.removed).items()}
    return outputs


def track(network: ODTrack, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, and how many templates it read in every frame."""
    read: list[int] = []

    def note(_module: object, given: tuple[Tensor, ...]) -> None:
        if given[0].shape[-1] == spec.template.size:
            read.append(given[0].shape[0])

    network.stem.register_forward_pre_hook(note)
    return ostrack.track(network, spec, meta, inputs) | {"templates_used": np.array(read)}
