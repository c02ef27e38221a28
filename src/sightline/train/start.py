"""Weights that a run starts from, or learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from sightline import models
from sightline.errors import WeightsMismatch, WeightsMissing
from sightline.methods.network import NetworkMethod
from sightline.models.checkpoint import fill, fits, load, read_tensors
from sightline.models.session import TorchSession
from sightline.spec import Spec
from sightline.tracker import Tracker
from sightline.tracker import load as open_tracker
from sightline.train.pretrain.start import pretrained_in, take_pretrained_
from sightline.weights import spec_in

__all__ = ["network_in", "take_over_", "tracker_in"]


def network_in(path: Path) -> tuple[nn.Module, Spec]:
    """Any network in a weights file, by the spec in it or by its tensors.

    Raises:
        WeightsMissing, WeightsMismatch: no such file, or nothing that Sightline knows.
    """
    tensors = read_tensors(path)
    spec = spec_in(path) or next(iter(fits(tensors)), None)
    if spec is None:
        raise WeightsMismatch(f"{path} holds no network that Sightline knows; convert it first with `sightline convert`.")
    network = models.build(spec)
    fill(network, tensors, spec, path.name)
    return network, spec


def tracker_in(path: Path, spec: Spec | None = None) -> Tracker[Any]:
    """Any network in a weights file as a tracker on RGB pictures, on one thread: an exported graph as it is, which is several times faster.

    Args:
        path: of the file.
        spec: what it is, for a file that does not say so itself; None finds it by its tensors.

    Raises:
        WeightsMissing, WeightsMismatch: no such file, or nothing that Sightline knows.
    """
    if path.suffix == ".onnx" and spec_in(path) is not None:
        return open_tracker(path, threads=1, channels="rgb")
    network, known = network_in(path) if spec is None else load(path, spec)
    return Tracker(NetworkMethod(TorchSession(known, network.eval())), channels="rgb")


def take_over_(network: nn.Module, path: Path) -> int:
    """Copy the tensors of a weights file that have a namesake of the same shape, or a pre-trained encoder; how many there were.

    Raises:
        WeightsMissing: there is no such file.
        WeightsMismatch: not one, or an encoder of another shape.
    """
    if not path.exists():
        raise WeightsMissing(
            f"the run starts from {path}, and there is no such file here; --start names another, recipes/README.md those of ours."
        )
    encoder = pretrained_in(path)
    if encoder is not None:
        return len(take_pretrained_(network, encoder))
    given, own = network_in(path)[0].state_dict(), network.state_dict()
    common = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if not common:
        raise WeightsMismatch(f"{path} has no tensor in common with the network to be trained; choose another start.")
    network.load_state_dict(common, strict=False)
    return len(common)
