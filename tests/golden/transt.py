"""Fixtures golden/transt: both depths, a batch, and a whole tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline import zoo
from sightline.box import Box
from sightline.methods.network import NetworkMethod
from sightline.models.layers.decode import normalize
from sightline.models.layers.detr import Verdicts
from sightline.models.session import TorchSession
from sightline.models.transt import TransT
from sightline.spec import Spec
from sightline.zoo.transt import Arch
from tests.golden.follow import follow, frames
from tests.golden.layouts import count, one_thread
from tests.golden.networks import filled

Array = NDArray[Any]


@one_thread()
def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, TransT)
    if "init_box" in meta["arguments"]:
        return track(network, network.window, spec.arch.window, spec, meta, inputs)
    with torch.inference_mode():
        outputs = stages(network, torch.from_numpy(inputs["template"]), torch.from_numpy(inputs["search"]))
    return {name: output.numpy() for name, output in outputs.items()}


def stages(network: TransT, template: Tensor, search: Tensor) -> dict[str, Tensor]:
    """Every inner stage that a fixture stores."""
    features = network.backbone(template)
    seen = network.look(network.keep(network.embed(template)), network.embed(search))
    return {
        "backbone_template": features,
        "projection_template": network.project(features),
        "fusion0_template": seen.templates[0].transpose(0, 1),
        "fusion0_search": seen.searches[0].transpose(0, 1),
        "fusion_search": seen.searches[-1].transpose(0, 1),
        "logits": seen.verdicts.logits,
        "boxes": seen.verdicts.boxes,
    }


def track(
    network: nn.Module, window: Tensor, share: float, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """A whole tracker, what its window made of the scores, and its first two crops."""
    best: list[float] = []

    def note(_module: nn.Module, _inputs: object, said: Verdicts) -> None:
        best.append(float((said.logits.softmax(2)[0, :, 0] * (1 - share) + window * share).max()))

    network.get_submodule("head").register_forward_hook(note)
    followed = follow(network, spec, meta, inputs)
    return followed | {"best_score": np.array(best), **crops(network, spec, meta, inputs)}


def crops(network: nn.Module, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The template and the first search crop, as the network takes them."""
    taken: dict[str, Array] = {}

    class Watched(TorchSession):
        def run(self, role: Any, arrays: Mapping[str, Array]) -> dict[str, Array]:
            taken.update({name: value for name, value in arrays.items() if name in ("template", "search")})
            return super().run(role, arrays)

    method = NetworkMethod(Watched(spec, network))
    first, second, *_ = frames(meta, inputs)
    state = method.begin(first, Box(*meta["arguments"]["init_box"]))
    method.advance([second], [state])
    names = {"template": "template_crop", "search": "search_crop_frame1"}
    return {names[name]: normalize(torch.from_numpy(value)).numpy() for name, value in taken.items()}


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: shape from its tensors, the rest from its arguments."""
    keys, arguments = meta["keys"], meta["arguments"]
    width = keys["input_proj.weight"][0]
    arch = Arch(
        layers=count(keys, "featurefusion_network.encoder.layers"),
        width=width,
        heads=arguments.get("heads", width // 32),
        hidden=keys["featurefusion_network.decoder.layers.0.linear1.weight"][0],
        window=arguments.get("window_penalty", Arch(layers=1).window),
    )
    return replace(zoo.find("transt-n4"), arch=arch)
