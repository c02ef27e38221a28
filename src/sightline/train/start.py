"""Weights that a run starts from, or learns from."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from sightline import models
from sightline.errors import WeightsMismatch
from sightline.models.checkpoint import fill, fits, read_tensors
from sightline.spec import Spec
from sightline.train.pretrain.start import pretrained_in, take_pretrained_
from sightline.weights import spec_in

__all__ = ["network_in", "take_over_"]


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


def take_over_(network: nn.Module, path: Path) -> int:
    """Copy the tensors of a weights file that have a namesake of the same shape, or a pre-trained encoder; how many there were.

    Raises:
        WeightsMismatch: not one, or an encoder of another shape.
    """
    encoder = pretrained_in(path)
    if encoder is not None:
        return len(take_pretrained_(network, encoder))
    given, own = network_in(path)[0].state_dict(), network.state_dict()
    common = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    if not common:
        raise WeightsMismatch(f"{path} has no tensor in common with the network to be trained; choose another start.")
    network.load_state_dict(common, strict=False)
    return len(common)
