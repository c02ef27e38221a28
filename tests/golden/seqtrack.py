"""Fixtures golden/seqtrack: tokens, encoder, what the decoder says of given and of its own words, and a whole tracker."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline import zoo
from sightline.box import Box
from sightline.models.layers.vit import KeysValues
from sightline.models.seqtrack import Decoder, Sentence, SeqTrack
from sightline.placement import region_around
from sightline.spec import Memory, Spec
from sightline.zoo.seqtrack import Arch
from tests.golden.follow import follow, frames
from tests.golden.layouts import Shapes, count
from tests.golden.networks import filled

Array = NDArray[Any]

GIVEN = (2000, 1800, 700, 650)  # words behind the start, as the notes of the fixtures say


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, SeqTrack)
    if "init_box" in meta["arguments"]:
        return track(network, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, meta, {name: torch.from_numpy(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys: Shapes = meta["keys"]
    arguments = meta["arguments"]
    published = zoo.find("seqtrack-b256")
    width = keys["bottleneck.weight"][1]
    arch = Arch(
        grid=math.isqrt(keys["pos_embed"][1]),
        depth=count(keys, "encoder.body.blocks"),
        width=width,
        heads=width // 64,
        layers=count(keys, "decoder.body.layers"),
        layer_width=keys["bottleneck.weight"][0],
        layer_heads=arguments["MODEL"]["DECODER"]["NHEADS"],
        layer_hidden=keys["decoder.body.layers.0.linear1.weight"][0],
        bins=arguments["MODEL"]["BINS"],
        window=arguments.get("window", published.arch.window),
    )
    memory = published.memory
    if "update_interval" in arguments:
        memory = Memory(every=(arguments["update_interval"],), above=arguments["update_threshold"])
    template, search = (replace(published.search, size=arguments[name]) for name in ("template", "search"))
    return replace(published, arch=arch, template=template, search=search, memory=memory)


def stages(network: SeqTrack, meta: Mapping[str, Any], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every inner stage that a fixture may store."""
    search = network.embed_search(inputs["search"])
    templates = [network.embed_template(inputs[f"template{i}"]) for i in range(meta["arguments"]["num_templates"])]
    features, encoded = network.encode(torch.cat([search, *templates], dim=1))
    seen = network.bottleneck(features[:, : network.num_search])
    decoder = network.decoder
    logits = list(spoken(decoder, seen, (decoder.start, *GIVEN)))
    outputs = {
        "tokens0": torch.cat([search, templates[0]], dim=1),
        "encoder": features,
        "teacher_forced_logits": torch.stack(logits, dim=1),
        "first_likelihood": logits[0].softmax(dim=1),
    }
    for name in meta["outputs"]:
        if block := re.fullmatch(r"block(\d+)", name):
            outputs[name] = encoded[int(block[1])]
    for kind, window in (("plain", False), ("window", True)):
        decoder.window = Decoder(replace(network.arch, window=window)).window
        outputs |= {f"{name}_{kind}": value for name, value in said(decoder(seen)).items()}
    return outputs


def spoken(decoder: Decoder, seen: Tensor, words: Sequence[int]) -> Iterator[Tensor]:
    """Logits (B, V) after each of some words."""
    past: list[KeysValues] = []
    for place, word in enumerate(words):
        logits, past = decoder.say(torch.full((seen.shape[0],), word), place, past, decoder.read(seen))
        yield logits


def said(sentence: Sentence) -> dict[str, Tensor]:
    """A sentence as the fixtures name it."""
    return {"tokens": sentence.words, "confidence": sentence.likelihood.double()}


def track(network: SeqTrack, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole tracker, what it said in every frame, and how often it took another template."""
    sentences: list[Sentence] = []
    looks: list[None] = []
    network.decoder.register_forward_hook(lambda _module, _inputs, sentence: sentences.append(sentence))
    network.stem.register_forward_hook(lambda _module, _inputs, _tokens: looks.append(None))
    followed = follow(network, spec, meta, inputs)
    _, frame, *_ = frames(meta, inputs)
    region = region_around(Box(*meta["arguments"]["init_box"]), spec.search, frame.size)
    outputs = {name: torch.cat([said(sentence)[name] for sentence in sentences]).numpy() for name in ("tokens", "confidence")}
    updates = len(looks) - len(sentences) - 1  # a search each, and the first template
    return followed | outputs | {"search_crop1": region.take(frame.image), "template_updates": np.array([updates])}
