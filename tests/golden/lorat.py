"""Fixtures golden/lorat: the network with its factors merged and apart, and crops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.box import Box
from sightline.models.lorat import LoRAT
from sightline.placement import region_around
from sightline.region import Region
from sightline.spec import Crop, Spec
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    if "boxes" in inputs:
        return crops(meta, inputs)
    spec = spec_of(meta)
    return stages(filled(spec, weights, LoRAT), {name: torch.from_numpy(value) for name, value in inputs.items()})


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec with the shape that the tensors tell, and the factors of the fixture."""
    shapes, lora = meta["keys"], meta["arguments"]["lora"]
    depth = len({key.split(".")[1] for key in shapes if key.startswith("blocks.")})
    specs: tuple[Spec, ...] = zoo.FAMILIES["lorat"].SPECS
    spec = next(spec for spec in specs if not spec.arch.rank and same(spec, depth, shapes["pos_embed"]))
    if lora is None:
        return spec
    scale = lora["alpha"] / (math.sqrt(lora["r"]) if lora["use_rslora"] else lora["r"])
    return replace(spec, arch=replace(spec.arch, rank=lora["r"], scale=scale))


def same(spec: Spec, depth: int, positions: list[int]) -> bool:
    return bool((spec.arch.depth, spec.arch.search_grid**2, spec.arch.width) == (depth, *positions[1:]))


@torch.inference_mode()
def stages(network: LoRAT, inputs: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """The network on normalised crops, the target being in a box of template cells."""
    left, top, right, bottom = (int(value) for value in inputs["mask_box"])
    mask = torch.zeros(inputs["template"].shape[0], network.arch.template_grid, network.arch.template_grid, dtype=torch.bool)
    mask[:, top:bottom, left:right] = True
    tokens = network.embed(inputs["template"], inputs["search"], mask)
    encoded = network.encode(tokens)
    fused = network.finish(encoded[-1])
    maps = network.look(fused)
    x, y = network.middles().reshape(1, 1, -1), network.middles().reshape(1, -1, 1)
    low_x, low_y, high_x, high_y = maps.distances.unbind(1)
    outputs = {
        "tokens0": tokens,
        **{f"block{i}": block for i, block in enumerate(encoded)},
        "fused": fused,
        "score_map": maps.logits,
        "boxes": torch.stack([x - low_x, y - low_y, x + high_x, y + high_y], dim=-1),
    }
    return {name: output.numpy() for name, output in outputs.items()}


def crops(meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Template and search crops of boxes x1, y1, x2, y2, what they are scaled by, and a box of the search crop in the frame."""
    image = np.asarray(inputs["frame0"])
    size, fill = (image.shape[1], image.shape[0]), tuple(float(value) for value in image.mean(axis=(0, 1)))
    outputs: dict[str, Array] = {}
    for i, (x1, y1, x2, y2) in enumerate(inputs["boxes"].tolist()):
        for name in ("template", "search"):
            given, published = meta["arguments"][name], getattr(zoo.find("lorat-b224"), name)
            crop: Crop = replace(published, factor=(given["area_factor"] - 1) / 2, size=given["size"])
            box = Box(x1, y1, x2 - x1, y2 - y1)
            region = region_around(box, crop, size, (fill[0], fill[1], fill[2]))
            wanted = region_around(box, replace(crop, padded="after"), size)
            outputs[f"{name}{i}"] = region.take(image).transpose(2, 0, 1)
            assert isinstance(region, Region)
            assert isinstance(wanted, Region)
            outputs[f"{name}{i}_params"], outputs[f"{name}{i}_params_wanted"] = parameters(region), parameters(wanted)
        back = region.to_frame(np.array([(0.3 + 0.62) / 2, (0.35 + 0.7) / 2, 0.62 - 0.3, 0.7 - 0.35]))  # as the fixture's notes say
        outputs[f"back{i}"] = np.array([back.x, back.y, back.x + back.w, back.y + back.h])
    return outputs


def parameters(region: Region) -> Array:
    """What takes places of the frame to places of the crop: scales, then what is added, of x and y each."""
    across, down = region.size / region.frame.w, region.size / region.frame.h
    return np.array([[across, down], [-region.frame.x * across, -region.frame.y * down]])
