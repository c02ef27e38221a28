"""Fixtures golden/ostrack_prompt: OSTrack with prompts that tell it which part of the template is the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.layers.heads import CenterMaps
from sightline.models.layers.prompts import Painted, mark
from sightline.models.ostrack import Hints, OSTrack
from sightline.spec import Feed, Spec
from sightline.zoo.ostrack import Arch, TemplatePrompt
from tests.golden.layouts import Shapes, count, maps_of
from tests.golden.networks import filled
from tests.golden.ostrack import QUERIES, numbers

Array = NDArray[Any]

TEMPLATE: dict[str, TemplatePrompt] = {
    "draw_based_on_template": "painted",
    "draw_based_on_template_nosig": "painted-free",
    "template_draw_mask": "painted",
    "template_draw_mask_nosig": "painted-free",
    "template_alpha": "alpha",
    "extra_template_mask": "cutout",
    "template_embedding": "size-tokens",
}
SEARCH: dict[str, Literal["painted", "box-tokens"]] = {"draw_based_on_search": "painted", "search_embedding": "box-tokens"}
SECOND: dict[str, Literal["target", "mask"]] = {"image_vipt": "target", "draw_vipt": "mask"}


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, OSTrack)
    with torch.inference_mode():
        return numbers(stages(network, {name: torch.from_numpy(value) for name, value in inputs.items()}))


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    width = keys["backbone.pos_embed_x"][-1]
    template, search = arguments["template"], arguments.get("search", "None")
    arch = Arch(
        template_grid=round(keys["backbone.pos_embed_z"][1] ** 0.5),
        search_grid=round(keys["backbone.pos_embed_x"][1] ** 0.5),
        depth=count(keys, "backbone.blocks"),
        width=width,
        heads=width // 64,
        eliminate=tuple(arguments.get("ce_loc", ())),
        keep=tuple(arguments.get("ce_keep", ())),
        queries=QUERIES[arguments.get("ce_template_range", "CTR_POINT")],
        head_width=keys["box_head.conv1_ctr.0.weight"][0],
        template_prompt=TEMPLATE.get(template, "none"),
        search_prompt=SEARCH.get(search, "none"),
    )
    if template in SECOND:
        bottleneck = keys["backbone.prompt_blocks.0.conv0_0.weight"][0]
        arch = replace(arch, second="deep", shown=SECOND[template], learned_search=search == "learn", bottleneck=bottleneck, fovea=False)
    feed: tuple[Feed, ...] = ("target",) if arch.search_prompt == "none" else ("target", "prior")
    return replace(zoo.find("ostrack-b256"), arch=arch, feed=feed)


def stages(network: OSTrack, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    template, box = inputs["template"], inputs["template_anno"].float()
    mask = disc(inputs["disc"].numpy(), template.shape[-1]) if "disc" in inputs else None
    prior = inputs["past_search_anno"].float() if "past_search_anno" in inputs else None
    outputs: dict[str, Tensor] = {}
    prompt = network.prompts.template
    at = mark(box, template.shape[-1], mask)
    if isinstance(prompt, Painted):
        outputs["color"], outputs["transparency"] = prompt.choose(template)
        outputs["drawn"] = prompt.draw(template, at)
    front = None if prompt is None else prompt.front(template, at)
    if front is not None:
        outputs["prompt_tokens"] = front
    entered: list[Tensor] = []
    network.get_submodule("blocks.1.norm1").register_forward_pre_hook(lambda _module, given: entered.append(given[0]))
    seen = network.look(template, inputs["search"], hints=Hints(target=box, mask=mask, prior=prior))
    assert isinstance(seen.maps, CenterMaps)
    return outputs | {"tokens_in": seen.tokens, "block1_in": entered[0], "backbone": seen.features} | maps_of(seen.maps)


def disc(numbers: Array, size: int) -> Tensor:
    """The mask (1, 1, size, size) that a fixture describes by the centre and radius of its rows and of its columns."""
    row, half_height, column, half_width = numbers
    rows, columns = np.mgrid[:size, :size]
    mask = ((rows - row) / half_height) ** 2 + ((columns - column) / half_width) ** 2 < 1
    return torch.from_numpy(mask.astype(np.float32))[None, None]
