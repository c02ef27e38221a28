"""Fixtures golden/fear: the network with made weights and with the published ones, and whole trackers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import models, zoo
from sightline.models.fear import Fear
from sightline.models.layers.decode import normalize
from sightline.spec import Spec
from tests.golden.siamese import Track, fill_from, scaled, track

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = models.build(spec)
    assert isinstance(network, Fear)
    fill_from(network, spec, meta, weights)
    if "init_box" not in meta["arguments"]:
        return stages(network, meta, inputs)
    outputs = tracked(network, track(network, spec, meta, inputs))
    if "boxes_smooth" not in meta["outputs"]:
        return outputs
    smooth = zoo.find("fear-xs-smooth")
    network.arch = smooth.arch
    smoothed = track(network, smooth, meta, inputs)
    both = {"boxes_smooth": smoothed.boxes, "scores_smooth": smoothed.scores}
    return outputs | both | stages(network, meta, inputs)


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec with the numbers that a fixture was made with."""
    arguments = meta["arguments"]
    spec = zoo.find("fear-xs-smooth" if arguments.get("smooth") else "fear-xs")
    if not arguments.get("smooth"):
        return spec
    given = arguments["tracker"]
    choice = {"penalty": given["penalty_k"], "window": given["window_influence"], "rate": given["lr"]}
    return replace(spec, arch=replace(spec.arch, **choice))


@torch.inference_mode()
def stages(network: Fear, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The network on given, normalised crops, with every inner stage that the fixtures store."""
    template, search = scaled(meta, inputs)
    kernel = network.extract(template)
    seen = [search]
    for block in network.trunk.values():
        seen.append(block(seen[-1]))
    features = network.neck(seen[-1])
    maps = network.look(kernel, features)
    names = list(network.trunk)
    outputs = {
        "template_features": kernel,
        "search_stage1": seen[1 + names.index("2_2")],
        "search_stage3": seen[-1],
        "search_features": features,
        "cls_correlation": network.score.correlate(kernel, features),
        "reg_tower": network.box.tower(network.box.correlate(kernel, features)),
        "cls": maps.logits,
        "reg": maps.distances,
    }
    return {name: output.numpy() for name, output in outputs.items()}


@torch.inference_mode()
def tracked(network: Fear, found: Track) -> dict[str, Array]:
    """A whole run, with what the network said about every crop."""
    kernel = torch.from_numpy(found.first.arrays["kernel"])[None]
    maps, boxes = [], []
    before = [found.first, *found.states]
    for crop, state, estimate in zip(found.searches, before, found.estimates, strict=False):
        search = torch.from_numpy(crop)[None]
        maps.append(torch.sigmoid(network.look(kernel, network.extract(normalize(search))).logits[0, 0]).numpy())
        prior = torch.from_numpy(estimate.region.to_crop(state.box)[None].astype(np.float32))
        given = {} if network.arch.rate is None else {"prior": prior}
        cx, cy, w, h = (network.step(search, kernel, **given)["box"][0] * crop.shape[0]).tolist()
        boxes.append((cx - w / 2, cy - h / 2, w, h))
    regions = [estimate.region for estimate in found.estimates]
    return {
        "template_features": kernel.numpy(),
        "search_crop1": found.searches[0],
        "context": np.array([(region.x, region.y, region.width, region.height) for region in regions]),
        "score_maps": np.array(maps),
        "crop_boxes": np.array(boxes),
        "scores": found.scores,
        "boxes": found.boxes,
    }
