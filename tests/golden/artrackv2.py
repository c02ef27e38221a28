"""Fixtures golden/artrackv2: ViT, words, score, the next appearance, and a whole tracker."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.models.artrackv2 import ARTrackV2, Look
from sightline.spec import History, Spec
from sightline.zoo.artrackv2 import Arch
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, ARTrackV2)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, meta, {name: torch.from_numpy(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    drawing = arguments["MODEL"]["DECODER"]
    published = zoo.find("artrackv2-b256")
    arch = Arch(
        template_grid=math.isqrt(keys["backbone.pos_embed_z1"][1]),
        search_grid=math.isqrt(keys["backbone.pos_embed_x"][1]),
        bins=arguments["MODEL"]["BINS"],
        history=keys["backbone.prev_position_embeddings.weight"][0] // 4,
        depth=count(keys, "backbone.blocks"),
        extension=count(keys, "backbone.extension"),
        width=keys["identity"][2],
        heads=arguments["MODEL"]["NUM_HEADS"],
        appearance_depth=count(keys, "cross_2_decoder.decoder_blocks"),
        appearance_width=keys["cross_2_decoder.decoder_embed.weight"][0],
        appearance_heads=drawing["NUMHEADS"],
    )
    template, search = replace(published.template, size=arguments["template"]), replace(published.search, size=arguments["search"])
    return replace(published, arch=arch, template=template, search=search, history=History(length=arch.history))


def stages(network: ARTrackV2, meta: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    template, appearance, search = (network.stem(inputs[name]) for name in ("template", "template1", "search"))
    of_template, memory = network.read_template(template)
    seen = network.vocabulary.unseen(search)
    seen[:, inputs["trajectory"].long().flatten()] = 1.0  # as published: what one of a batch reads is shortened for all of them
    look = network(search, memory, appearance, seen, inputs["trajectory"])
    outputs = {
        "backbone": look.commands,
        "logits": look.logits.transpose(0, 1),
        "score": look.score,
        "next_template_features": look.appearance,
        "likelihood": look.logits.softmax(dim=2).amax(dim=2),
        "tokens": look.logits.argmax(dim=2),
    }
    for name in meta["outputs"]:
        if block := re.fullmatch(r"block(\d+)", name):
            outputs[name] = torch.cat([of_template[int(block[1])], look.stages[int(block[1])]], dim=1)
    return outputs


def track(network: ARTrackV2, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, what it said in every frame, and behind which past boxes."""
    past: list[Tensor] = []
    looks: list[Look] = []
    network.register_forward_pre_hook(lambda _module, given: past.append(given[-1]))
    network.register_forward_hook(lambda _module, _given, look: looks.append(look))
    followed = follow(network, spec, meta, inputs)
    tokens = torch.cat([look.logits.argmax(dim=2) for look in looks])
    return followed | {"trajectories": torch.cat(past).numpy(), "tokens": tokens.numpy()}
