"""Fixtures golden/lighttrack: the network with made weights and with the published ones, and whole trackers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import models, zoo
from sightline.models.layers.decode import normalize
from sightline.models.layers.pixelwise import Pixelwise
from sightline.models.layers.siamese import hanning2d
from sightline.spec import Spec
from tests.golden.siamese import Track, fill_from, scaled, track

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = models.build(spec)
    assert isinstance(network, Pixelwise)
    fill_from(network, spec, meta, weights)
    if "init_box" not in meta["arguments"]:
        return stages(network, meta, inputs)
    outputs = tracked(network, track(network, spec, meta, inputs))
    return outputs | stages(network, meta, inputs) if "cls" in meta["outputs"] else outputs


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec, with the numbers that a fixture was made with."""
    given = meta["arguments"]
    spec = zoo.find("lighttrack-mobile")
    names = {"penalty": "penalty_k", "window": "window_influence", "rate": "lr"}
    return replace(spec, arch=replace(spec.arch, **{ours: given[theirs] for ours, theirs in names.items() if theirs in given}))


@torch.inference_mode()
def stages(network: Pixelwise, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The network on given, normalised crops, with every inner stage that the fixtures store."""
    template, search = scaled(meta, inputs)
    kernel, features, start = network.extract(template), network.extract(search), network.backbone.stem(search)
    response = network.correlation.compare(kernel, features)
    maps = network.look(kernel, features)
    outputs = {
        "template_features": kernel,
        "search_stage1": network.backbone.blocks[:2](start),
        "search_stage2": network.backbone.blocks[:3](start),
        "search_features": features,
        "correlation": response,
        "cls_tower": network.score_tower(network.correlation.join(response)),
        "cls": maps.logits,
        "reg": maps.distances,
    }
    return {name: output.numpy() for name, output in outputs.items()}


@torch.inference_mode()
def tracked(network: Pixelwise, found: Track) -> dict[str, Array]:
    """A whole run, with what the network said about every crop."""
    kernel = torch.from_numpy(found.first.arrays["kernel"])[None]
    crops = [normalize(torch.from_numpy(crop)[None]) for crop in found.searches]
    scores = np.array([torch.sigmoid(network.look(kernel, network.extract(crop)).logits[0, 0]).numpy() for crop in crops])
    boxes = [state.box for state in found.states]
    return {
        "template_features": kernel.numpy(),
        "search_crop1": found.searches[0].transpose(2, 0, 1).astype(np.float32),
        "window": hanning2d(scores.shape[-1], kernel.device).numpy(),
        "score_maps": scores,
        "centre_size": np.array([(*box.centre, box.w, box.h) for box in boxes]),
        "boxes": found.boxes,
        "max_scores": found.scores,
    }
