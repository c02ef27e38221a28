"""How large a network is: parameters, and multiply-accumulates of one call. Shapes only: nothing is computed, no weights are needed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sightline import models
from sightline.models.calls import calls
from sightline.spec import Spec

__all__ = ["Size", "size_of"]


@dataclass(frozen=True, slots=True)
class Size:
    """What a network costs.

    Attributes:
        parameters: numbers that were learned.
        macs: multiply-accumulates of one frame of one target: convolutions and matrix products, those of attention included.
        template_macs: the same of reading one template, where that is done apart; else 0.
    """

    parameters: int
    macs: int
    template_macs: int


def size_of(spec: Spec) -> Size:
    """The size of the network of a spec."""
    macs = {}
    with FakeTensorMode(), torch.no_grad(), sdpa_kernel(SDPBackend.MATH):  # attention as one fused call would count as nothing
        network = models.build(spec).requires_grad_(False)
        for call in calls(network, spec, 1):
            with FlopCounterMode(display=False) as counter:
                getattr(network, call.role)(**call.arrays)
            macs[call.role] = counter.get_total_flops() // 2  # torch counts a multiply-accumulate as two operations
    return Size(
        sum(parameter.numel() for parameter in network.parameters()), macs.get("step", 0) + macs.get("describe", 0), macs.get("init", 0)
    )
