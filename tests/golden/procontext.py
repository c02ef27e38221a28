"""Fixtures golden/procontext: OSTrack's network with several templates, and the whole tracker with templates that change."""

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
from sightline.models.layers.heads import CenterMaps
from sightline.models.ostrack import OSTrack
from sightline.spec import Memory, Spec
from tests.golden import ostrack
from tests.golden.layouts import maps_of
from tests.golden.networks import filled
from tests.golden.ostrack import ascending, numbers, removed_of

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, OSTrack)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        return numbers(stages(network, meta, {name: torch.from_numpy(value) for name, value in inputs.items()}))


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments, and what a whole tracker leaves unsaid as published."""
    arguments = meta["arguments"]
    published, found = zoo.find("procontext-384"), ostrack.spec_of(meta)
    arch = replace(found.arch, templates=arguments.get("templates", published.arch.templates))
    if "init_box" not in arguments:
        return replace(found, arch=arch)
    first, *_ = factors = arguments["template_factors"]
    return replace(
        published,
        arch=replace(arch, eliminate=published.arch.eliminate, keep=published.arch.keep, queries=published.arch.queries),
        template=replace(
            published.template, factor=first, size=arguments["template_size"], scales=tuple(factor / first for factor in factors)
        ),
        search=replace(published.search, size=arguments["search_size"]),
        memory=Memory(every=(arguments["update_interval"],), above=arguments["update_threshold"]),
    )


def stages(network: OSTrack, meta: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    templates = torch.stack([inputs[f"template{i}"] for i in range(network.arch.templates)], dim=1)
    seen = network.look(templates.flatten(0, 1), inputs["search"])
    assert isinstance(seen.maps, CenterMaps)
    assert seen.score is not None
    outputs = {"tokens_in": seen.tokens, "backbone_feat": seen.features, "score": seen.score.unsqueeze(1), **removed_of(seen.removed)}
    for name in meta["outputs"]:
        if block := re.fullmatch(r"after_block(\d+)", name):
            outputs[name] = ascending(seen.stages[int(block[1])], network.arch)
    return outputs | maps_of(seen.maps)


def track(network: OSTrack, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, and the changing templates that it used in every frame."""
    last: list[Tensor] = []  # the templates that were read last: those of the place that changes
    means: list[Tensor] = []

    def note(_module: object, given: tuple[Tensor, ...]) -> None:
        if given[0].shape[-1] == spec.template.size:
            last[:] = [given[0].mean(dim=(1, 2, 3))]
        else:
            means.append(*last)

    network.stem.register_forward_pre_hook(note)
    return ostrack.track(network, spec, meta, inputs) | {"dynamic_template_mean": np.array(torch.stack(means))}
