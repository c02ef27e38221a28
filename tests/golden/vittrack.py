"""Fixtures golden/vittrack: stems, heads, neck, prompt and a whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.layers.prompts import Drawn, box_from_ratio, mark
from sightline.models.vittrack import VitTrack
from sightline.spec import Spec
from sightline.zoo.vittrack import Arch
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count, maps_of, stem_of
from tests.golden.networks import filled

Array = NDArray[Any]
Head = Literal["center", "corner", "corner_v2", "corner_v3", "corner_lite"]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, VitTrack)
    prompt = network.prompts.template
    if isinstance(prompt, Drawn):
        prompt.thickness = meta["arguments"]["thickness"]
    if "init_box" in meta["arguments"]:
        return follow(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, meta, {name: torch.from_numpy(value) for name, value in inputs.items()})
    return {name: output.numpy() for name, output in outputs.items()}


def stages(network: VitTrack, meta: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    template, search = inputs["template"], inputs["search"]
    outputs: dict[str, Tensor] = {}
    size, at = template.shape[-1], None
    if network.prompts.template is not None:
        box = box_from_ratio(inputs["template_anno"].float(), factor=meta["arguments"]["template_factor"], shift=-0.5 / size)
        at = mark(box, size)
        outputs["drawn"] = network.prompts.template.draw(template, at)
    outputs |= {"patch_template": network.stem(outputs.get("drawn", template)), "patch_search": network.stem(search)}
    outputs["tokens_in"] = network.embed(template, search, at)
    encoded = network.encode(outputs["tokens_in"])
    outputs |= {"block0": encoded[0], "backbone": encoded[-1]}
    if network.neck is not None:
        outputs["neck"] = torch.cat(network.read(encoded), dim=1)
    grid = network.grid(encoded)
    if network.arch.head == "center":
        return outputs | maps_of(network.head(grid))
    maps = network.head(grid)
    outputs |= {"head_in": grid, "map_tl": maps.top_left.flatten(1), "map_br": maps.bottom_right.flatten(1)}
    return outputs | {"pred_boxes": network.decode(grid)["box"].unsqueeze(1)}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the head's version (which has none) from its arguments or name."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    width = keys["backbone.pos_embed"][-1]
    head = head_of(keys, arguments, meta["config"])
    first = next(keys[key] for key in keys if key.startswith("box_head.") and len(keys[key]) == 4)
    arch = Arch(
        depth=count(keys, "backbone.blocks"),
        width=width,
        heads=arguments.get("heads", width // 64),
        stem=stem_of(keys),
        head=head,
        head_width=first[0],
        class_weight=not arguments.get("simple_head", "simple" in meta["config"]),
        neck="pyramid" if "bottleneck.proj1.weight" in keys else "none",
        template_prompt="line" if "preprocess.color" in keys else "none",
    )
    score: Literal["probability", "none"] = "probability" if head == "center" else "none"
    return replace(
        zoo.find("vittrack-d12c256-conv2x2-corner"), arch=arch, score=score, feed=("target",) if arch.template_prompt == "line" else ()
    )


def head_of(keys: Shapes, arguments: Mapping[str, Any], config: str) -> Head:
    """The head: its kind shows in the tensors, its version does not."""
    if "box_head.conv1_ctr.0.weight" in keys:
        return "center"
    if "box_head.conv_tower.0.0.weight" in keys:
        return "corner_lite"
    name = str(arguments.get("head") or arguments.get("network") or config).lower()
    return "corner_v3" if "corner_v3" in name else "corner_v2" if "corner_v2" in name else "corner"
