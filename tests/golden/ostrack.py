"""Fixtures golden/ostrack: eliminations, token orders, heads alone, and whole trackers.

Ours undoes every token order, also under elimination. The authors' code does not: it takes the first T joined tokens for
the template wherever the template is, and never puts a partitioned template back. What it computes then is what a network
of the order "direct" computes of tokens that were moved beforehand; `published` says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline import models, zoo
from sightline.models.checkpoint import fill, rename
from sightline.models.layers.decode import decode_center, decode_corners, hann2d
from sightline.models.layers.eliminate import centre_mask, query_weights, target_mask
from sightline.models.layers.heads import CenterHead, CenterMaps, CornerHead, PerceptronHead, bounded, to_grid
from sightline.models.layers.orders import Order, join, partition, split
from sightline.models.ostrack import KEYS, OSTrack, Stage
from sightline.spec import Crop, Spec
from sightline.zoo.ostrack import Arch
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count, maps_of

Array = NDArray[Any]
Queries = Literal["all", "centre-point", "centre-box", "target"]

PATCH = 16
QUERIES: dict[str, Queries] = {"ALL": "all", "CTR_POINT": "centre-point", "CTR_REC": "centre-box", "GT_BOX": "target"}
ORDERS: dict[str, Order] = {"direct": "direct", "template_central": "template-central", "partition": "partition"}


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    tensors = {key: torch.from_numpy(value) for key, value in weights.items()}
    if not any(key.startswith("backbone.") for key in tensors):
        with torch.inference_mode():
            return numbers(head_alone(tensors, {name: torch.from_numpy(value) for name, value in inputs.items()}))
    spec = spec_of(meta)
    network = models.build(spec)
    fill(network, tensors, spec)
    assert isinstance(network, OSTrack)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        return numbers(stages(network, meta, torch.from_numpy(inputs["template"]), torch.from_numpy(inputs["search"])))


def numbers(tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    """Tensors as arrays."""
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    width = keys["backbone.pos_embed_x"][-1]
    template_size, search_size = arguments["template_size"], arguments["search_size"]
    arch = Arch(
        template_grid=template_size // PATCH,
        search_grid=search_size // PATCH,
        depth=count(keys, "backbone.blocks"),
        width=width,
        heads=width // 64,
        segments="backbone.search_segment_pos_embed" in keys,
        head_width=keys["box_head.conv1_ctr.0.weight"][0],
    )
    if "ce_loc" in arguments:
        arch = replace(
            arch,
            eliminate=tuple(arguments["ce_loc"]),
            keep=tuple(arguments["ce_keep_ratio"]),
            queries=QUERIES[arguments["ce_template_range"]],
            order=ours_or_direct(arguments),
        )
    elif "_ce" in arguments.get("config", meta["config"]):  # a whole tracker tells its configuration by name only
        published = zoo.find("ostrack-b256-ce").arch
        arch = replace(arch, eliminate=published.eliminate, keep=published.keep, queries=published.queries)
    spec = replace(
        zoo.find("ostrack-b256"), arch=arch, template=Crop(factor=2.0, size=template_size), search=Crop(factor=4.0, size=search_size)
    )
    return replace(spec, feed=("target",)) if arch.queries == "target" else spec


def ours_or_direct(arguments: Mapping[str, Any]) -> Order:
    """The order of the network that computes a fixture."""
    return "direct" if arguments["ce_loc"] else ORDERS[arguments["cat_mode"]]


def stages(network: OSTrack, meta: Mapping[str, Any], template: Tensor, search: Tensor) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    arguments = meta["arguments"]
    mask = mask_of(network.arch, arguments)
    weights = network.weights if mask is None else query_weights(mask)
    keep = arguments.get("runtime_keep_rate")
    order = ORDERS[arguments["cat_mode"]]
    if network.arch.eliminate and order != "direct":
        outputs, encoded, grid = published(network, order, *network.embed(template, search)[:2], weights, keep)
    else:
        seen = network.look(template, search, weights, keep)
        # as published: a partitioned template stays so
        features = network.norm(seen.stages[-1].tokens) if order == "partition" else seen.features
        outputs = {"tokens_in": seen.tokens, "backbone_feat": features, **removed_of(seen.removed)}
        encoded, grid = seen.stages, seen.features[:, -(network.arch.search_grid**2) :]
    for name in meta["outputs"]:
        if block := re.fullmatch(r"after_block(\d+)", name):
            outputs[name] = ascending(encoded[int(block[1])], network.arch)
    if mask is not None:
        outputs["template_mask"] = mask.expand(template.shape[0], -1)
    maps = network.head(to_grid(grid))
    assert isinstance(maps, CenterMaps)
    return outputs | maps_of(maps)


def mask_of(arch: Arch, arguments: Mapping[str, Any]) -> Tensor | None:
    """The template tokens (B, T) that decide, where the authors use a mask."""
    if not arch.eliminate or arch.queries == "all":
        return None
    if arch.queries == "target":
        return target_mask(torch.tensor(arguments["template_box_xywh_normalised"]), arguments["template_size"])
    return centre_mask(arch.template_grid, single=arch.queries == "centre-point")


def published(
    network: OSTrack, order: Order, template: Tensor, search: Tensor, weights: Tensor, keep: float | None
) -> tuple[dict[str, Tensor], list[Stage], Tensor]:
    """What the authors' elimination makes of another order than "direct": outputs, stages, and what the head sees."""
    num_template, num_search = template.shape[1], search.shape[1]
    if order == "partition":
        template = partition(template)  # the mask stays in the former order
    else:  # the first T tokens of the line pass for the template
        template, search = split(join(template, search, order), num_template, "direct")
    seen = network.finish(*network.encode(template, search, weights, keep))
    features = seen.features
    if order == "template-central":  # the order is undone where it is not: a middle part comes again, in front
        half = num_search // 2
        head = features[:, num_template:]
        features = torch.cat([features[:, :num_template], head[:, half : half + num_template], head], dim=1)
    outputs = {"tokens_in": seen.tokens, "backbone_feat": features, **removed_of(seen.removed)}
    return outputs, seen.stages, seen.features[:, -num_search:]


def removed_of(removed: list[Tensor]) -> dict[str, Tensor]:
    """Places removed at each elimination, in ascending order."""
    return {f"removed_{i}": places.sort(dim=1).values for i, places in enumerate(removed)}


def ascending(stage: Stage, arch: Arch) -> Tensor:
    """The tokens after a block, with its search tokens in the order of the grid."""
    template, search = split(stage.tokens, arch.templates * arch.template_grid**2, arch.order)
    order = stage.places.argsort(dim=1).unsqueeze(2).expand(-1, -1, search.shape[2])
    return join(template, search.gather(1, order), arch.order)


def head_alone(tensors: Mapping[str, Tensor], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Outputs of a fixture that holds a head and nothing else; the kind shows in the tensors."""
    own = {rename(key, KEYS).removeprefix("head."): value for key, value in tensors.items()}

    def filled(head: nn.Module) -> nn.Module:
        head.load_state_dict(own, strict=False)
        return head.eval()

    if "layers.0.weight" in own:
        hidden, channels = own["layers.0.weight"].shape
        depth = sum(key.endswith(".weight") for key in own)
        return {"raw": filled(PerceptronHead(channels, hidden, depth=depth))(inputs["tokens"])}
    first = "score" if "score.conv1.0.weight" in own else "top_left"
    hidden, channels = own[f"{first}.conv1.0.weight"].shape[:2]
    if first == "top_left":
        maps = filled(CornerHead(channels, hidden))(inputs["features"])
        cx, cy, w, h = decode_corners(maps).unbind(1)
        logits = {"score_tl": maps.top_left.flatten(1), "score_br": maps.bottom_right.flatten(1)}
        corners = torch.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], dim=1)
        return {"corners": corners, "prob_tl": logits["score_tl"].softmax(1), "prob_br": logits["score_br"].softmax(1), **logits}
    return center_alone(filled(CenterHead(channels, hidden))(inputs["features"]), inputs["gt_score_map"])


def center_alone(maps: CenterMaps, given: Tensor) -> dict[str, Tensor]:
    """A centre head's maps, and the boxes at their maximum and at the maximum of a given map (B, G, G)."""
    side = given.shape[-1]
    flat = torch.ones(1, 1, side, side)
    boxes, score = decode_center(maps, flat)
    at_given, _ = decode_center(maps._replace(score=given.unsqueeze(1)), flat)
    best = maps.score.flatten(1).argmax(dim=1)
    samples = torch.arange(best.shape[0])
    return {
        "score_map": maps.score,
        "size_map": maps.size,
        "offset_map": maps.offset,
        "boxes": boxes,
        "boxes_at_given_map": at_given,
        "max_score": score.unsqueeze(1),
        "size_cells": boxes[:, 2:].unsqueeze(2) * side,
        "offset_at_max": maps.offset.flatten(2)[samples, :, best],
    }


def track(network: nn.Module, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, and what its centre head said in every frame."""
    seen: list[Tensor] = []
    network.get_submodule("head.score").register_forward_hook(lambda _module, _inputs, logits: seen.append(bounded(logits).flatten(1)))
    followed = follow(network, spec, meta, inputs)
    score = torch.cat(seen)
    response = score * hann2d(spec.arch.search_grid).flatten()
    measured = {"score_max": score.amax(1), "response_max": response.amax(1), "response_argmax": response.argmax(1)}
    return followed | numbers(measured)
