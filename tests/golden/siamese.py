"""Fixtures of Siamese trackers: ours over the same frames, with what it saw on its way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightline.box import Box
from sightline.engines import Role, Session
from sightline.estimate import Estimate
from sightline.methods.network import NetworkMethod, Target
from sightline.models.checkpoint import fill, read_tensors
from sightline.models.session import TorchSession
from sightline.spec import Spec
from tests.conftest import shared_dir
from tests.golden.follow import frames

Array = NDArray[Any]


@dataclass
class Watched:
    """A session that keeps the search crops it was given."""

    session: TorchSession
    searches: list[Array] = field(default_factory=list)

    @property
    def spec(self) -> Spec:
        return self.session.spec

    @property
    def roles(self) -> frozenset[Role]:
        return self.session.roles

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
        if role == "step":
            self.searches.append(arrays["search"][0])
        return self.session.run(role, arrays)


@dataclass(frozen=True)
class Track:
    """A run over a fixture: the state after `init`, the states and estimates of all later frames, and their search crops, RGB."""

    first: Target
    states: list[Target]
    estimates: list[Estimate]
    searches: list[Array]

    @property
    def boxes(self) -> Array:
        return np.array([estimate.box for estimate in self.estimates])

    @property
    def scores(self) -> Array:
        return np.array([estimate.score for estimate in self.estimates])


def track(network: nn.Module, spec: Spec, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> Track:
    """Follow the frames of a fixture."""
    arguments = meta["arguments"]
    if (arguments["init_box_format"], arguments["first_row"]) != ("xywh", "tracked"):
        raise ValueError("expected a box x, y, w, h, and rows from the second frame on")
    session = Watched(TorchSession(spec, network))
    return Track(*follow_with(session, meta, inputs), session.searches)


def follow_with(session: Session, meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> tuple[Target, list[Target], list[Estimate]]:
    """The state after the first frame of a fixture, and the states and estimates of all later ones."""
    method, pictures = NetworkMethod(session), frames(meta, inputs)
    first = state = method.begin(next(pictures), Box(*meta["arguments"]["init_box"]))
    states, estimates = [], []
    for picture in pictures:
        [(state, estimate)] = method.advance([picture], [state])
        states.append(state)
        estimates.append(estimate)
    return first, states, estimates


def fill_from(network: nn.Module, spec: Spec, meta: Mapping[str, Any], weights: Mapping[str, Array]) -> None:
    """The weights that a fixture was made with: its own, or those of a published file with the sha256 that it names."""
    if "sha256" not in meta["arguments"]:
        fill(network, {key: torch.from_numpy(value) for key, value in weights.items()}, spec)
        return
    digest = meta["arguments"]["sha256"]
    for path in (shared_dir() / "weights").glob("*/*.pth"):
        if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            fill(network, read_tensors(path), spec, path.name)
            return
    raise ValueError(f"no file below weights has the sha256 {digest}")


def scaled(meta: Mapping[str, Any], inputs: Mapping[str, Array]) -> tuple[torch.Tensor, torch.Tensor]:
    """Template and search of a fixture as it feeds them to the network."""
    factors = meta["arguments"].get("scale_of_inputs", {})
    template, search = (torch.from_numpy(inputs[name] * np.float32(factors.get(name, 1.0))) for name in ("template", "search"))
    return template, search
