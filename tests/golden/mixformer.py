"""Fixtures golden/mixformer: both trunks, heads and scores, templates set once, a batch, and a whole tracker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.layers.cvt import MixedCvT
from sightline.models.layers.heads import to_grid
from sightline.models.mixformer import MixFormer
from sightline.spec import Crop, Spec
from sightline.zoo.mixformer import Arch
from tests.golden.follow import follow
from tests.golden.layouts import count
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, MixFormer)
    if "init_box" in meta["arguments"]:
        return follow(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, {name: torch.from_numpy(value).float() for name, value in inputs.items()})
    return {name: output.numpy() for name, output in outputs.items()}


def stages(network: MixFormer, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture stores."""
    template, online, search = (inputs[name] for name in ("template", "online_template", "search"))
    shown = network.show(torch.stack([template, online], dim=1))
    seen = network.look(search, shown)
    pooled = network.pool(seen.grid, inputs["score_box"])
    again = network.look(search, network.show(torch.stack([template, online, template], dim=1)))
    inside = cvt_stages if isinstance(network.trunk, MixedCvT) else vit_stages
    return {
        **inside(network.trunk, template, online, search),
        "map_tl": seen.maps.top_left.flatten(1),
        "map_br": seen.maps.bottom_right.flatten(1),
        "pred_boxes": seen.box.unsqueeze(1),
        "pred_scores": seen.score,
        "pooled": pooled,
        "scores_for_box": network.score(pooled, shown.first),
        "cached_two_online_boxes": again.box.unsqueeze(1),
        "cached_two_online_scores": again.score,
    }


def cvt_stages(trunk: Any, template: Tensor, online: Tensor, search: Tensor) -> dict[str, Tensor]:
    """Maps of both templates and of the search after each stage."""
    templates = trunk(torch.stack([template, online], dim=1).flatten(0, 1), 2)
    seen = trunk(search, memory=templates.memory)
    outputs: dict[str, Tensor] = {}
    for i, maps in enumerate(templates.stages):
        outputs |= {f"stage{i}_template": maps[::2], f"stage{i}_online": maps[1::2]}
        outputs |= {f"stage{i}_embed_search": seen.embedded[i], f"stage{i}_search": seen.stages[i]}
    return outputs


def vit_stages(trunk: Any, template: Tensor, online: Tensor, search: Tensor) -> dict[str, Tensor]:
    """Tokens before and after the first block, and maps after the last."""
    embedded, of_search = trunk.embed_templates(torch.stack([template, online], dim=1)), trunk.embed_search(search)
    templates = trunk.read_templates(embedded)
    seen = trunk.read_search(of_search, templates.memory)
    return {
        "tokens_in": torch.cat([embedded, of_search], dim=1),
        "block0": torch.cat([templates.stages[0], seen.stages[0]], dim=1),
        "template_features": to_grid(templates.stages[-1][:, : embedded.shape[1] // 2]),
        "search_features": to_grid(seen.stages[-1]),
    }


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys, arguments = meta["keys"], meta["arguments"]
    is_cvt = "backbone.stage0.patch_embed.proj.weight" in keys
    published = zoo.find("mixcvt" if is_cvt else "mixvit-b")
    if is_cvt:
        widths = tuple(keys[f"backbone.stage{i}.patch_embed.proj.weight"][0] for i in range(count_stages(keys)))
        depths = tuple(count(keys, f"backbone.stage{i}.blocks") for i in range(len(widths)))
        grids = published.arch.template_grid, published.arch.search_grid
    else:
        widths, depths = (keys["backbone.pos_embed"][-1],), (count(keys, "backbone.blocks"),)
        grids = math.isqrt(meta["kept"]["backbone.pos_embed_t"][1]), math.isqrt(meta["kept"]["backbone.pos_embed_s"][1])
    template, search = arguments.get("template", 16 * grids[0]), arguments.get("search", 16 * grids[1])
    arch = Arch(
        trunk="cvt" if is_cvt else "vit",
        widths=widths,
        depths=depths,
        heads=tuple(arguments.get("heads", [width // 64 for width in widths])),
        head="corner-up" if "box_head.adjust1_tl.0.weight" in keys else "corner",
        head_width=keys["box_head.conv1_tl.0.weight"][0],
        template_grid=template // 16,
        search_grid=search // 16,
    )
    num = arguments.get("online_size", 1)
    return replace(
        published,
        arch=arch,
        template=Crop(factor=published.template.factor, size=template),
        search=Crop(factor=published.search.factor, size=search),
        memory=replace(published.memory, every=(arguments.get("update_interval", 200),) * num, turns=num > 1),
        feed=("filled",) if num > 1 else (),
    )


def count_stages(keys: Mapping[str, Any]) -> int:
    """How many stages a trunk has."""
    return len({key.split(".")[1] for key in keys if key.startswith("backbone.stage")})
