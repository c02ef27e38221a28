"""Fixtures golden/vittrack_dist: the network with made weights and with the published ones, and whole trackers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from sightline import models, zoo
from sightline.models.checkpoint import fill, read_tensors
from sightline.models.layers.onestream import OneStream
from sightline.spec import Spec
from sightline.zoo.vittrack_dist import Arch
from tests.conftest import shared_dir
from tests.golden.follow import follow
from tests.golden.layouts import count, maps_of

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    if "weights" in meta["arguments"]:
        tensors = read_tensors(published(meta["arguments"]))
        spec = zoo.find("vittrack-nano")
    else:
        tensors = {key: torch.from_numpy(value) for key, value in weights.items()}
        spec = spec_of(meta)
    network = models.build(spec)
    fill(network, tensors, spec)
    assert isinstance(network, OneStream)
    if "init_box" in meta["arguments"]:
        return follow(network, spec, meta, inputs)
    return stages(network, inputs)


def stages(network: OneStream, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every inner stage that the fixtures of one-stream networks store."""
    with torch.inference_mode():
        tokens = network.embed(torch.from_numpy(inputs["template"]), torch.from_numpy(inputs["search"]))
        first = network.blocks[0](tokens)
        encoded = network.encode(tokens)
        outputs = {"tokens_in": tokens, "block0": first, "backbone": encoded, **maps_of(network.look(encoded))}
    return {name: output.numpy() for name, output in outputs.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network that a fixture's tensors belong to. The authors use one head for 48 channels, else four."""
    keys = meta["keys"]
    width = keys["pos_embed_x"][-1]
    arch = Arch(
        depth=count(keys, "blocks"),
        width=width,
        heads=meta["arguments"].get("heads", 1 if width == 48 else 4),
        head_width=keys["box_head.conv1_ctr.0.weight"][0],
    )
    return replace(zoo.find("vittrack-nano"), arch=arch)


def published(arguments: Mapping[str, Any]) -> Path:
    """The published file that a fixture names, checked by its sha256."""
    [path] = (shared_dir() / "weights").rglob(arguments["weights"])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != arguments["sha256"]:
        raise ValueError(f"{path} has sha256 {digest}; the fixture was made with {arguments['sha256']}")
    return path
