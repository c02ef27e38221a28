"""Fixtures golden/grm: sizes, summaries of the template, a threshold, a batch, and a whole tracker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.box import xyxy_from_xywh
from sightline.models.grm import GRM
from sightline.spec import Crop, Spec
from sightline.zoo.grm import Arch
from tests.golden.layouts import count, maps_of
from tests.golden.networks import filled
from tests.golden.ostrack import track

Array = NDArray[Any]
Summary = Literal["max", "mean", "target-max", "target-mean"]

SUMMARIES: dict[str, Summary] = {"allmax": "max", "allavg": "mean", "roimax": "target-max", "roiavg": "target-mean"}


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, GRM)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, meta, inputs)
    return {name: output.numpy() for name, output in outputs.items()}


def stages(network: GRM, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Tensor]:
    """Every inner stage that a fixture stores."""
    corners = None
    if network.arch.summary.startswith("target"):
        corners = torch.from_numpy(xyxy_from_xywh(inputs["template_box_xywh_normalised"])).float()
    seen = network.look(torch.from_numpy(inputs["template"]), torch.from_numpy(inputs["search"]), corners)
    apart = torch.stack(seen.apart, dim=1)
    blocks = {name: re.fullmatch(r"after_block(\d+)", name) for name in meta["outputs"]}
    return {
        "tokens_in": seen.tokens,
        **{name: seen.stages[int(match[1])] for name, match in blocks.items() if match},
        "backbone_feat": seen.features,
        "division_probability": apart,
        "decisions": apart < network.arch.apart_from,
        **maps_of(seen.maps),
    }


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys, arguments = meta["keys"], meta["arguments"]
    width = keys["backbone.pos_embed_x"][-1]
    summary = SUMMARIES[arguments.get("target_type", "allmax")]  # a whole tracker is the published one
    arch = Arch(
        template_grid=arguments["template_size"] // 16,
        search_grid=arguments["search_size"] // 16,
        depth=count(keys, "backbone.blocks"),
        width=width,
        heads=width // 64,
        summary=summary,
        apart_from=arguments["threshold"] or 0.5,  # 0: whichever is likelier
        head_width=keys["box_head.conv1_ctr.0.weight"][0],
    )
    return replace(
        zoo.find("grm-b256"),
        arch=arch,
        template=Crop(factor=2.0, size=arguments["template_size"]),
        search=Crop(factor=4.0, size=arguments["search_size"]),
        feed=("target",) if summary.startswith("target") else (),
    )
