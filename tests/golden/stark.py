"""Fixtures golden/stark of the large networks: features, masks, positions, transformer, heads, and whole trackers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.layers.heads import CornerMaps
from sightline.models.stark import Features, Stark
from sightline.spec import Memory, Spec
from sightline.zoo.stark import Arch
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, Stark)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, meta, {name: torch.from_numpy(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    width = keys["bottleneck.weight"][0]
    arch = Arch(
        depth=101 if "backbone.0.body.layer3.22.conv1.weight" in keys else 50,
        stages=len({key.split(".")[3] for key in keys if key.startswith("backbone.0.body.layer")}),
        width=width,
        heads=arguments.get("heads", width // 32),
        hidden=keys["transformer.encoder.layers.0.linear1.weight"][0],
        encoder=count(keys, "transformer.encoder.layers"),
        decoder=count(keys, "transformer.decoder.layers"),
        head="corner" if "box_head.conv5_tl.weight" in keys else "perceptron",
        score="cls_head.layers.0.weight" in keys,
    )
    published = zoo.find("stark-st50" if arch.score else "stark-s50")
    memory = published.memory
    if "update_interval" in arguments:
        memory = Memory(every=tuple(arguments["update_interval"]), above=arguments["update_threshold"])
    return replace(published, arch=arch, memory=memory)


def padding_of(rows: Sequence[Sequence[int]], size: tuple[int, int]) -> Tensor:
    """(B, *size) bool, true within left, top, right, bottom cells of the border."""
    mask = torch.ones(len(rows), *size, dtype=torch.bool)
    for row, (left, top, right, bottom) in zip(mask, rows, strict=True):
        row[top : size[0] - bottom, left : size[1] - right] = False
    return mask


def stages(network: Stark, meta: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    outputs: dict[str, Tensor] = {}
    read: dict[str, Features] = {}
    for name, pixels in inputs.items():
        mask = padding_of(meta["arguments"]["padding"][name], (pixels.shape[2], pixels.shape[3]))
        outputs[f"backbone_{name}"] = network.backbone(pixels)
        features = read[name] = network.read(pixels, mask)
        tokens, positions = (value.transpose(0, 1) for value in (features.tokens, features.positions))
        outputs |= {f"bottleneck_{name}": tokens, f"position_{name}": positions, f"mask_{name}": features.mask}
    search = read.pop("search")
    seen = network.look(Features(*(torch.cat(parts, dim=1) for parts in zip(*read.values(), strict=True))), search)
    outputs |= {f"encoder_layer{i}": tokens.transpose(0, 1) for i, tokens in enumerate(seen.stages)}
    outputs |= {"encoder_out": seen.stages[-1].transpose(0, 1), "decoder_out": seen.read[None, :, None], "boxes": seen.box.unsqueeze(1)}
    if isinstance(seen.maps, CornerMaps):
        outputs |= {"corner_tl": seen.maps.top_left, "corner_br": seen.maps.bottom_right}
    if seen.score is not None:
        outputs["cls_logits"] = seen.score[:, None, None]
    return outputs


def track(network: Stark, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, and after which frames it took another template."""
    sides: list[int] = []
    network.bottleneck.register_forward_hook(lambda _module, _inputs, grid: sides.append(grid.shape[-1]))
    followed = follow(network, spec, meta, inputs)
    searched = sides[1]  # after the first template
    updated = [i + 1 < len(sides) and sides[i + 1] < searched for i, side in enumerate(sides) if side == searched]
    return followed | {"confidence": followed["scores"], "template_updated": np.array(updated)}
