"""Fixtures golden/mcitrack: the network over two frames in a row, and a whole tracker with its memory and state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import zoo
from sightline.engines import Role
from sightline.models.layers.fastitpn import corners_of
from sightline.models.mcitrack import MCITrack
from sightline.models.session import TorchSession
from sightline.spec import Spec
from tests.golden.layouts import maps_of
from tests.golden.networks import filled
from tests.golden.siamese import follow_with

Array = NDArray[Any]
SIZES = {"fastitpnt": "t", "fastitpns": "s", "fastitpnb": "b", "fastitpnl": "l"}
RULE = "UAV"  # whose numbers the notes of the fixture of a whole tracker name


def run(meta: Mapping[str, Any], weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of one fixture, whole."""
    spec = spec_of(meta)
    network = filled(spec, {**weights, **decays(meta)}, MCITrack)
    if "init_box" in meta["arguments"]:
        return tracked(network, spec, meta, inputs)
    return stages(network, {name: torch.from_numpy(np.asarray(value, np.float32)) for name, value in inputs.items()})


def spec_of(meta: Mapping[str, Any]) -> Spec:
    """The published spec that a fixture's settings name, with the numbers of its rule where it runs a whole tracker."""
    arguments = meta["arguments"]
    settings = arguments["TEST"]
    spec = zoo.find(f"mcitrack-{SIZES[arguments['MODEL']['ENCODER']['TYPE']]}{settings['SEARCH_SIZE']}")
    if "init_box" not in arguments:
        return spec
    every, above, bank = (settings[name][RULE] for name in ("INTER", "UPT", "MB"))
    memory = replace(spec.memory, every=(every,) * (settings["NUM_TEMPLATES"] - 1), above=above, bank=bank)
    return replace(spec, arch=replace(spec.arch, sure=settings["UPH"][RULE]), memory=memory)


def decays(meta: Mapping[str, Any]) -> dict[str, Array]:
    """The tensors that the fixture leaves as the authors construct them: by its `kept_formula`, log(j + 1) in column j."""
    shapes = {key: meta["kept"][key] for key in meta["arguments"]["kept_formula"] if key.endswith(".A_log")}
    return {key: np.tile(np.log(np.arange(1, shape[1] + 1, dtype=np.float32)), (shape[0], 1)) for key, shape in shapes.items()}


@torch.inference_mode()
def stages(network: MCITrack, inputs: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """The network on normalised crops."""
    x, y, w, h = inputs["template_box"].tolist()
    batch = inputs["search0"].shape[0]
    corners = torch.tensor([[x, y, x + w, y + h]]).expand(batch, -1)
    names = sorted(name for name in inputs if name.startswith("template") and name != "template_box")
    templates = [network.encoder.template_tokens(inputs[name], corners) for name in names]
    state = network.untold(batch, torch.device("cpu"))
    outputs: dict[str, torch.Tensor] = {}
    for i in range(sum(name.startswith("search") for name in inputs)):
        tokens = torch.cat([network.encoder.search_tokens(inputs[f"search{i}"]), *templates], dim=1)
        outputs.setdefault("tokens", tokens)
        features, state = network.encode(tokens, state)
        outputs[f"neck{i}"] = features
        outputs |= {f"{name}{i}": value for name, value in maps_of(network.look(features)).items()}
    outputs |= {"state0": state[:, 0], "state_last": state[:, -1]}
    return {name: output.numpy() for name, output in outputs.items()}


@dataclass
class Watched:
    """A session that keeps where the target was in every template that it read, and what it read."""

    session: TorchSession
    read: list[tuple[Array, Array]] = field(default_factory=list)

    @property
    def spec(self) -> Spec:
        return self.session.spec

    @property
    def roles(self) -> frozenset[Role]:
        return self.session.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        outputs = self.session.run(role, arrays)
        if role == "init":
            self.read.append((arrays["target"], outputs["tokens"][0]))
        return outputs

    def box_of(self, tokens: Array, size: int) -> Array:
        """The box x, y, w, h, as the network is told it, of the template whose tokens these are."""
        [target] = [target for target, read in self.read if np.array_equal(read, tokens)]
        x1, y1, x2, y2 = corners_of(torch.from_numpy(target), size)[0].tolist()
        return np.array([x1, y1, x2 - x1, y2 - y1], np.float32)


def tracked(network: MCITrack, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """A whole run, and what was remembered after every frame."""
    session = Watched(TorchSession(spec, network))
    _, states, estimates = follow_with(session, meta, inputs)
    return {
        "boxes": np.array([estimate.box for estimate in estimates]),
        "scores": np.array([estimate.score for estimate in estimates]),
        "memory_length": np.array([len(state.templates) for state in states]),
        "state_kept": np.array([float(state.arrays["state"].any()) for state in states]),
        "template_boxes": np.stack([session.box_of(tokens, spec.template.size) for tokens in states[-1].arrays["tokens"]]),
    }
