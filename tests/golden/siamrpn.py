"""Fixtures golden/siamrpn: the networks at every level, and whole trackers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.models.layers.anchors import target_scores
from sightline.models.layers.siamese import grid_points, planes
from sightline.models.siamrpn import STRIDE, SiamRPN
from sightline.spec import Spec
from tests.golden.networks import filled
from tests.golden.siamese import Track, track

Array = NDArray[Any]
TRUNKS = {"alexnetlegacy": "siamrpn-alex", "mobilenetv2": "siamrpn-mobilev2", "resnet50": "siamrpn-r50"}


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, SiamRPN)
    if "init_box" in meta["arguments"]:
        return tracked(network, track(network, spec, meta, inputs))
    return stages(network, inputs)


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec of a fixture's trunk, with the numbers that the fixture was made with."""
    arguments = meta["arguments"]
    trunk, head, given = arguments["BACKBONE"], arguments["RPN"], arguments["TRACK"]
    published = zoo.find(TRUNKS[trunk["TYPE"]])
    return replace(
        sized(published, given),
        arch=replace(
            published.arch,
            levels=tuple(trunk["KWARGS"].get("used_layers", ())),
            weighted=head["KWARGS"].get("weighted", False),
            **choice_of(given),
        ),
    )


def choice_of(given: Mapping[str, Any]) -> dict[str, float]:
    """How a fixture's tracker chooses among its boxes."""
    return {"penalty": given["PENALTY_K"], "window": given["WINDOW_INFLUENCE"], "rate": given["LR"]}


def sized(spec: Spec, given: Mapping[str, Any]) -> Spec:
    """The spec with the sizes of crops of a fixture's tracker."""
    template, search = given["EXEMPLAR_SIZE"], given["INSTANCE_SIZE"]
    return replace(spec, template=replace(spec.template, size=template), search=replace(spec.search, size=search, factor=search / template))


@torch.inference_mode()
def stages(network: SiamRPN, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The network on given crops, with every inner stage that the fixtures store."""
    template, search = network.extract(torch.from_numpy(inputs["template"])), torch.from_numpy(inputs["search"])
    maps = network.look(*network.kernels(template), network.extract(search))
    outputs = {"cls": maps.logits, "loc": maps.offsets}
    numbers = range(len(template)) if len(template) > 1 else [""]
    for number, of_template, of_search in zip(numbers, template, network.trunk(search), strict=True):
        outputs |= {f"template_features{number}": of_template, f"search_backbone{number}": of_search}
    return {name: output.numpy() for name, output in outputs.items()}


@torch.inference_mode()
def tracked(network: SiamRPN, found: Track) -> dict[str, Array]:
    """A whole run, with what the network said about every crop."""
    scores, boxes = (torch.from_numpy(found.first.arrays[name])[None] for name in ("scores", "boxes"))
    maps = [network.look(scores, boxes, network.extract(planes(torch.from_numpy(crop)[None]))) for crop in found.searches]
    first = grid_points(maps[0].logits.shape[-1], STRIDE, 0.0, scores.device)[:1].expand(len(network.sizes), 2)
    return {
        "search_crop1": np.ascontiguousarray(found.searches[0][..., ::-1].transpose(2, 0, 1)),  # as published: BGR
        "score_maps": np.array([target_scores(one.logits)[0].numpy() for one in maps]),
        "anchors": torch.cat([first, network.sizes], dim=1).numpy(),
        "scores": found.scores,
        "boxes": found.boxes,
    }
