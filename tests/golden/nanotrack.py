"""Fixtures golden/nanotrack: the networks with made weights and with the published ones, and whole trackers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import models, zoo
from sightline.models.layers.siamese import DistanceMaps, hanning2d, planes
from sightline.models.nanotrack import JoinedHead, NanoTrack, PairedHead, SharedHead
from sightline.spec import Spec
from tests.golden.siamese import Track, fill_from, scaled, track

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = models.build(spec)
    assert isinstance(network, NanoTrack)
    fill_from(network, spec, meta, weights)
    if "init_box" not in meta["arguments"]:
        return stages(network, meta, inputs)
    outputs = tracked(network, track(network, spec, meta, inputs))
    return outputs | stages(network, meta, inputs) if "cls" in meta["outputs"] else outputs


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec of a fixture's version, with the numbers that the fixture was made with."""
    given = meta["arguments"]["TRACK"]
    spec = zoo.find("nanotrack-" + meta["arguments"].get("network", f"{meta['system']}/{meta['config']}").split("/")[1][:2])
    choice = {"penalty": given["PENALTY_K"], "window": given["WINDOW_INFLUENCE"], "rate": given["LR"]}
    return replace(spec, arch=replace(spec.arch, **choice))


@torch.inference_mode()
def stages(network: NanoTrack, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The network on given crops, with every inner stage that the fixtures store."""
    template, search = scaled(meta, inputs)
    kernel, features = network.extract(template), network.extract(search)
    maps: DistanceMaps = network.head(kernel, features)
    outputs = {
        "template_features": kernel,
        "search_block3": network.trunk[:4](search),
        "search_features": features,
        "cls": maps.logits,
        "loc": maps.distances,
    }
    if isinstance(network.head, SharedHead):
        outputs["correlation"] = network.head.pixels(kernel, features)
    elif isinstance(network.head, (PairedHead, JoinedHead)):
        outputs["correlation_cls"] = network.head.score_pixels(kernel, features)
    if isinstance(network.head, JoinedHead):
        outputs["depthwise_cls"] = network.head.score_channels(kernel, features)
    return {name: output.numpy() for name, output in outputs.items()}


@torch.inference_mode()
def tracked(network: NanoTrack, found: Track) -> dict[str, Array]:
    """A whole run, with what the network said about every crop."""
    kernel = torch.from_numpy(found.first.arrays["kernel"])[None]
    maps = [network.head(kernel, network.extract(planes(torch.from_numpy(crop)[None]))) for crop in found.searches]
    scores = np.array([torch.softmax(one.logits, dim=1)[0, 1].numpy() for one in maps])
    return {
        "template_features": kernel.numpy(),
        "search_crop1": np.ascontiguousarray(found.searches[0][..., ::-1].transpose(2, 0, 1)),  # as published: BGR
        "window": hanning2d(scores.shape[-1], kernel.device).numpy(),
        "score_maps": scores,
        "scores": found.scores,
        "boxes": found.boxes,
    }
