"""Fixtures golden/sutrack: the network on given crops, and a whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.models.sutrack import SUTrack
from sightline.spec import Spec
from tests.golden.follow import follow
from tests.golden.layouts import maps_of
from tests.golden.networks import filled

Array = NDArray[Any]
SIZES = {"fastitpnt": "t", "fastitpnb": "b", "fastitpnl": "l"}


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, SUTrack)
    if "init_box" in meta["arguments"]:
        return dict(follow(network, spec, meta, inputs))
    return stages(network, {name: torch.from_numpy(np.asarray(value, np.float32)) for name, value in inputs.items()})


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec that a fixture's settings name."""
    arguments = meta["arguments"]
    return zoo.find(f"sutrack-{SIZES[arguments['MODEL']['ENCODER']['TYPE']]}{arguments['TEST']['SEARCH_SIZE']}")


@torch.inference_mode()
def stages(network: SUTrack, inputs: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """The network on normalised crops of six channels, with a token of words."""
    x, y, w, h = inputs["template_box"].tolist()
    corners = torch.tensor([[x, y, x + w, y + h]]).expand(inputs["template"].shape[0], -1)
    template = network.encoder.template_tokens(inputs["template"], corners)
    tokens = network.join(network.encoder.search_tokens(inputs["search"]), template, inputs["text"])
    blocks, encoded = network.encode(tokens)
    outputs = {
        "tokens0": tokens,
        **{f"block{i}": block for i, block in enumerate(blocks)},
        "encoder": encoded,
        **maps_of(network.look(encoded)),
        "task": network.task(encoded.mean(dim=1, keepdim=True)),
    }
    return {name: output.numpy() for name, output in outputs.items()}
