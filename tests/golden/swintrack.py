"""Fixtures golden/swintrack: both sizes, a batch, and a whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.box import xywh_from_xyxy, xyxy_from_xywh
from sightline.models.swintrack import SwinTrack
from sightline.spec import Spec
from sightline.zoo.swintrack import Arch
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, SwinTrack)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, torch.from_numpy(inputs["template"]), torch.from_numpy(inputs["search"]))
    return {name: output.numpy() for name, output in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments and from the published network of its size."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    width, num_stages = keys["out_norm.weight"][0], count(keys, "backbone.stages")
    tables = [keys[f"backbone.stages.{i}.blocks.0.attn.relative_position_bias_table"] for i in range(num_stages)]
    arch = Arch(
        template_grid=keys["encoder.z_untied_pos_enc.pos.w_pos"][0],
        search_grid=keys["encoder.x_untied_pos_enc.pos.w_pos"][0],
        swin_width=width // 2 ** (num_stages - 1),
        depths=tuple(count(keys, f"backbone.stages.{i}.blocks") for i in range(num_stages)),
        swin_heads=tuple(table[1] for table in tables),
        swin_window=(int(tables[0][0] ** 0.5) + 1) // 2,
        width=width,
        heads=keys["encoder.rpe_bias_table.relative_position_bias_table"][0],
        encoder=count(keys, "encoder.layers"),
    )
    spec = zoo.find("swintrack-t224")
    factors = {"template": arguments.get("template_area_factor", 2.0), "search": arguments.get("search_area_factor", 4.0)}
    grids = {"template": arch.template_grid, "search": arch.search_grid}
    template, search = (replace(spec.search, factor=(factors[role] - 1) / 2, size=16 * grids[role]) for role in ("template", "search"))
    arch = replace(arch, window=arguments.get("window_penalty", arch.window))
    return replace(spec, arch=arch, template=template, search=search)


def stages(network: SwinTrack, template: Tensor, search: Tensor) -> dict[str, Tensor]:
    """Every inner stage that a fixture stores."""
    first = network.backbone.stages[0]
    tokens, side = network.backbone(template), int(len(network.window) ** 0.5)
    features = network.backbone(search)
    seen = network.look(tokens, features)
    return {
        "stage0_template": first(template).flatten(1, 2),
        "patch_embed_search": first.get_submodule("start")(search).flatten(1, 2),
        "features_template": tokens,
        "features_search": features,
        "encoder_layer0": seen.encoded[0],
        "encoder_search": seen.encoded[-1][:, tokens.shape[1] :],
        "decoder_out": seen.decoded,
        "class_logits": seen.score.unsqueeze(2),
        "class_score": seen.score.sigmoid().reshape(-1, 1, side, side),
        "boxes": seen.boxes.reshape(-1, side, side, 4),
    }


def track(network: SwinTrack, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, and its first two crops."""
    crops: list[Tensor] = []
    network.backbone.register_forward_pre_hook(lambda _module, pixels: crops.append(pixels[0]))
    arguments = meta["arguments"]
    if arguments["init_box_format"] == "xyxy":
        box = xywh_from_xyxy(np.array(arguments["init_box"])).tolist()
        meta = {**meta, "arguments": arguments | {"init_box": box, "init_box_format": "xywh"}}
    followed = follow(network, spec, meta, inputs)
    return {
        "boxes_xyxy": xyxy_from_xywh(followed["boxes"]),
        "confidence": followed["scores"],
        "template_crop": crops[0].numpy(),
        "search_crop_frame1": crops[1].numpy(),
    }
