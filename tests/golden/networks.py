"""The network of a fixture, with the fixture's weights in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import nn

from sightline import models
from sightline.models.checkpoint import fill
from sightline.spec import Spec

N = TypeVar("N", bound=nn.Module)


def filled(spec: Spec, weights: Mapping[str, NDArray[Any]], kind: type[N]) -> N:
    """The network of a spec, of the class `kind`, with tensors given under their authors' names."""
    network = models.build(spec)
    fill(network, {key: torch.from_numpy(value) for key, value in weights.items()}, spec)
    assert isinstance(network, kind)
    return network
