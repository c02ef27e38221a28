"""Fixtures golden/artrack: ViT, encoder, what the decoder says of given and of its own words, and a whole tracker."""

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
from sightline.models.artrack import ARTrack
from sightline.models.layers.vit import KeysValues
from sightline.spec import History, Spec
from sightline.zoo.artrack import Arch
from tests.golden.follow import follow
from tests.golden.layouts import Shapes, count
from tests.golden.networks import filled

Array = NDArray[Any]

GIVEN = (300, 280, 520, 490)  # words behind the start, as the notes of the fixtures say


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, ARTrack)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, meta, {name: torch.from_numpy(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    published = zoo.find("artrack-b256")
    arch = Arch(
        template_grid=math.isqrt(keys["backbone.pos_embed_z"][1]),
        search_grid=math.isqrt(keys["backbone.pos_embed_x"][1]),
        bins=arguments["MODEL"]["BINS"],
        history=keys.get("pix_head.prev_position_embeddings.weight", [0])[0] // 4,
        depth=count(keys, "backbone.blocks"),
        width=keys["identity"][2],
        heads=arguments["MODEL"]["NUM_HEADS"],
        encoder=count(keys, "pix_head.encoder.layers"),
        decoder=count(keys, "pix_head.decoder.layers"),
    )
    template, search = replace(published.template, size=arguments["template"]), replace(published.search, size=arguments["search"])
    return replace(published, arch=arch, template=template, search=search, history=History(length=arch.history) if arch.history else None)


def stages(network: ARTrack, meta: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    positions = network.positions()
    encoded, blocks = network.encode(torch.cat([network.stem(inputs["template"]), network.stem(inputs["search"])], dim=1) + positions)
    fused = network.fuse(encoded)
    writer = network.writer
    sentence = writer(fused, positions, inputs.get("trajectory"), writer.vocabulary.unseen(fused))
    outputs = {
        "backbone": encoded,
        "fused": fused,
        "tokens": sentence.words,
        "likelihood": sentence.likelihood,
        "logits": sentence.logits.transpose(0, 1),
    }
    for name in meta["outputs"]:
        if block := re.fullmatch(r"block(\d+)", name):
            outputs[name] = blocks[int(block[1])]
    if "teacher_forced_logits" in meta["outputs"]:
        outputs["teacher_forced_logits"] = spoken(network, fused, sentence.seen)
    return outputs


def spoken(network: ARTrack, fused: Tensor, seen: Tensor) -> Tensor:
    """Logits (5, B, V) after the start and each of the given words, all of which have been read before the first is said."""
    writer = network.writer
    words = torch.tensor([writer.start, *GIVEN]).repeat(fused.shape[0], 1)
    memory, seen = writer.read(fused, network.positions()), seen.scatter(1, words, 1.0)
    said, logits = list[KeysValues](), []
    for place, word in enumerate(torch.split(words, 1, dim=1)):
        after, said = writer.say(word, writer.positions[place : place + 1], said, memory, seen)
        logits.append(after)
    return torch.stack(logits)


def track(network: ARTrack, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, what it said in every frame, and behind which past boxes."""
    past: list[Tensor] = []
    words: list[Tensor] = []
    network.writer.register_forward_pre_hook(lambda _module, given: past.append(given[2]))
    network.writer.register_forward_hook(lambda _module, _given, sentence: words.append(sentence.words))
    followed = follow(network, spec, meta, inputs)
    return followed | {"trajectories": torch.cat(past).numpy(), "tokens": torch.cat(words).numpy()}
