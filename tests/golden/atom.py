"""Fixtures golden/atom: maps, factors, what is said of boxes and its gradient, refinement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.atom import Atom
from sightline.models.layers.overlap import Overlap, Pair
from sightline.spec import Spec
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    network = filled(spec_of(meta), weights, Atom)
    given = {name: torch.from_numpy(value).float() for name, value in inputs.items()}
    with torch.inference_mode():
        template, search = network.maps(given["template"]), network.maps(given["search"])
        outputs = {"layer2_search": search.fine, "layer3_search": search.coarse}
        outputs |= overlap(network.overlap, template, search, given["template_box"], given["proposals"], meta["arguments"])
    return {name: value.numpy() for name, value in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture; the filter is none of its tensors."""
    published = zoo.find("atom-resnet18")
    return replace(published, arch=replace(published.arch, size=meta["arguments"]["image_size"]))


def overlap(
    network: Overlap, template: Pair, search: Pair, box: Tensor, proposals: Tensor, arguments: Mapping[str, Any]
) -> dict[str, Tensor]:
    """What is said of proposals."""
    factors, maps = network.modulation(template, box), network.prepare(search)
    said, slope = network.rate(maps, factors, proposals)
    steps, length = arguments["refinement_steps"], arguments["refinement_step_length"]
    climbed, _ = network.climb(maps, factors, proposals, steps=steps, length=length)
    return {
        "modulation3": factors.fine[..., None, None],
        "modulation4": factors.coarse[..., None, None],
        "iou_feature3": maps.fine,
        "iou_feature4": maps.coarse,
        "iou": said,
        "iou_gradient_boxes": slope,
        f"boxes_refined{steps}": climbed,
    }
