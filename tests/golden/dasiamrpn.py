"""Fixtures golden/dasiamrpn: the networks with their kernels, and whole trackers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.models.dasiamrpn import DaSiamRPN
from sightline.spec import Spec
from tests.golden.networks import filled
from tests.golden.siamese import Track, track

Array = NDArray[Any]


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, weights, DaSiamRPN)
    if "init_box" in meta["arguments"]:
        return tracked(network, track(network, spec, meta, inputs))
    return stages(network, inputs)


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The network of a fixture: widths from its tensors, the rest from its arguments."""
    keys, arguments = meta["keys"], meta["arguments"]
    published = zoo.find("dasiamrpn-big" if arguments.get("adaptive") else "dasiamrpn-vot")
    arch = replace(
        published.arch,
        widths=tuple(keys[f"featureExtract.{i}.weight"][0] for i in (0, 4, 8, 11, 14)),
        width=keys["conv_cls2.weight"][0],
    )
    if "init_box" not in arguments:
        return replace(published, arch=arch)
    choice = {"penalty": arguments["penalty_k"], "window": arguments["window_influence"], "rate": arguments["lr"]}
    size = arguments["instance_size"]
    search = replace(published.search, size=size, factor=size / published.template.size)
    return replace(published, arch=replace(arch, **choice), search=search)


@torch.inference_mode()
def stages(network: DaSiamRPN, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The network on given crops, with every inner stage that the fixtures store; one template may serve several search crops."""
    template, search = (network.extract(torch.from_numpy(inputs[name])) for name in ("template", "search"))
    kernels = network.kernels(template)
    logits, offsets = network.look(type(kernels)(*(kernel.expand(search.shape[0], -1, -1, -1, -1) for kernel in kernels)), search)
    outputs = {
        "template_features": template,
        "search_features": search,
        "cls_kernel": kernels.scores[0],
        "loc_kernel": kernels.boxes[0],
        "cls": logits,
        "loc": offsets,
    }
    return {name: output.numpy() for name, output in outputs.items()}


def tracked(network: DaSiamRPN, found: Track) -> dict[str, Array]:
    """A whole run, with the anchors that it started from."""
    side = (found.searches[0].shape[0] - 127) // 8 + 1
    points = network.points(side, network.sizes.device)
    first = torch.cat([points[:1].expand(len(network.sizes), 2), network.sizes], dim=1)
    return {"anchors": first.numpy(), "first_grid": points.numpy(), "scores": np.array(found.scores), "boxes": found.boxes}
