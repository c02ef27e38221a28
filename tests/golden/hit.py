"""Fixtures golden/hit: the three sizes, a batch, the head alone, and a whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.box import xyxy_from_cxcywh
from sightline.models.hit import HiT
from sightline.models.layers.decode import decode_corners
from sightline.spec import Spec
from sightline.zoo.hit import Arch
from tests.golden.follow import follow
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, HiT)
    if "init_box" in meta["arguments"]:
        return follow(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = {name: output.numpy() for name, output in stages(network, inputs).items()}
        alone = network.head(torch.from_numpy(inputs["feature"]))
        outputs |= {"head_only_tl": alone.top_left.flatten(1).numpy(), "head_only_box": xyxy_from_cxcywh(decode_corners(alone).numpy())}
    return outputs


def stages(network: HiT, inputs: Mapping[str, Array]) -> dict[str, Tensor]:
    """Every inner stage that a fixture stores."""
    tokens = network.embed(torch.from_numpy(inputs["template"]), torch.from_numpy(inputs["search"]))
    features = network.encode(tokens)
    fused = network.fuse(features)
    maps = network.look(fused)
    first, second, third = features.stages
    return {
        "tokens_in": tokens,
        "block0": network.blocks[0](tokens),
        "stage1": first,
        "stage2": second,
        "stage3": torch.cat([features.mean, third], dim=1),
        "bridge": fused.transpose(0, 1),
        "map_tl": maps.top_left.flatten(1),
        "map_br": maps.bottom_right.flatten(1),
        "pred_boxes": decode_corners(maps).unsqueeze(1),
    }


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture, read from the shapes of its tensors."""
    shapes = {key.removeprefix("backbone.body."): shape for key, shape in (meta["keys"]).items()}
    num_blocks = len({key.split(".")[1] for key in shapes if key.startswith("blocks.")})
    of_stage: list[list[int]] = [[]]  # blocks that hold attention
    for i in range(num_blocks):
        if f"blocks.{i}.kv.c.weight" in shapes:
            of_stage.append([])
        elif f"blocks.{i}.m.qkv.c.weight" in shapes:
            of_stage[-1].append(i)
    heads = [shapes[f"blocks.{blocks[0]}.m.attention_biases"][0] for blocks in of_stage]
    widths = [shapes[f"blocks.{blocks[0]}.m.qkv.c.weight"][1] for blocks in of_stage]
    first, second, third = zip(widths, map(len, of_stage), heads, strict=True)
    arch = Arch(
        widths=(first[0], second[0], third[0]),
        depths=(first[1], second[1], third[1]),
        heads=(first[2], second[2], third[2]),
        key_width=shapes["blocks.0.m.qkv.c.weight"][0] // (4 * heads[0]),
        head_width=shapes["bottleneck.proj1.weight"][0],
    )
    return replace(zoo.find("hit-base"), arch=arch)
