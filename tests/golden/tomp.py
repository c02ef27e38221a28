"""Fixtures golden/tomp: features, positions, the two filters, scores and sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.models.layers.heads import to_grid
from sightline.models.tomp import Tomp
from sightline.spec import Spec
from tests.golden.networks import filled

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    network = filled(spec_of(meta), weights, Tomp)
    given = {name: torch.from_numpy(value).float() for name, value in inputs.items()}
    with torch.inference_mode():
        search = network.tokens(given["search"][0])
        frames = network.remembered(network.tokens(given["train_images"][:, 0]), given["train_label"][:, 0], given["train_ltrb"][:, 0])
        read = network.read(frames.unsqueeze(0), search)
        first_only = torch.arange(len(frames)) > 0
        masks = torch.stack([torch.zeros_like(first_only), first_only])
        both = network.read(frames.expand(2, -1, -1, -1), search.expand(2, -1, -1), masks)
        outputs = {
            "feature_search": to_grid(search)[None],
            "position": to_grid(network.positions)[None],
            "filter": read.found[..., None, None],
            "encoded_search": to_grid(read.search)[None],
            "scores": network.scores(read)[None],
            "ltrb": network.ltrb(read)[None],
            "parallel_cls_filter": both.found[:1, :, None, None],
            "parallel_box_filter": both.found[1:, :, None, None],
        }
    return {name: value.numpy() for name, value in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture."""
    arguments = meta["arguments"]
    published = zoo.find("tomp50")
    arch = replace(
        published.arch,
        depth=int(arguments["backbone"].removeprefix("resnet")),
        size=16 * arguments["feature_sz"],
        width=arguments["d_model"],
        heads=arguments["heads"],
        hidden=arguments["feedforward"],
        encoder=arguments["encoder_layers"],
        decoder=arguments["decoder_layers"],
    )
    return replace(published, arch=arch)
