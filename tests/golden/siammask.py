"""Fixtures golden/siammask: the network with its masks, and the whole tracker with masks in the frame and rectangles around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.models.siamrpn import SiamRPN
from sightline.spec import Spec
from tests.golden import siamrpn
from tests.golden.networks import filled
from tests.golden.siamese import Track, track

Array = NDArray[Any]
CELL = (11, 13)  # row and column that the fixtures refine a mask for, as their notes say


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, SiamRPN)
    if "init_box" not in meta["arguments"]:
        return stages(network, inputs)
    found = track(network, spec, meta, inputs)
    height, width, _ = meta["inputs"]["frame0"]["shape"]
    return siamrpn.tracked(network, found) | outlined(found, (width, height))


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec, with the numbers that the fixture was made with."""
    given = meta["arguments"]["TRACK"]
    published = siamrpn.sized(zoo.find("siammask-r50"), given)
    return replace(published, arch=replace(published.arch, **siamrpn.choice_of(given)), mask_above=given["MASK_THERSHOLD"])


@torch.inference_mode()
def stages(network: SiamRPN, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The network on given crops, with every inner stage that the fixtures store."""
    [template] = network.extract(torch.from_numpy(inputs["template"]))
    levels = network.trunk(torch.from_numpy(inputs["search"]))
    [features] = network.adjust(levels)
    maps = network.look(*network.kernels([template]), [features])
    kernel = network.mask.template(template)
    side = maps.logits.shape[-1]
    refined, _ = network.outline(kernel, levels, torch.tensor([[CELL[0] * side + CELL[1]]]))
    outputs = {
        "cls": maps.logits,
        "loc": maps.offsets,
        "template_features": template,
        "mask_corr": network.mask.correlate(kernel, features),
        "mask": network.mask(kernel, features),
        "mask_refine": refined.flatten(1),
        **{f"search_backbone{i}": level for i, level in enumerate(levels)},
    }
    return {name: output.numpy() for name, output in outputs.items()}


def outlined(found: Track, size: tuple[int, int]) -> dict[str, Array]:
    """Masks in the frame, and the rectangles around them; where there is none, the box."""
    masks, polygons = [], []
    for estimate in found.estimates:
        assert estimate.mask is not None
        masks.append(estimate.mask.paste(size))
        corners = estimate.mask.corners(size)
        x, y, w, h = estimate.box
        polygons.append(np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)]) if corners is None else corners)
    return {"masks": np.array(masks), "polygons": np.array(polygons).reshape(-1, 8)}
