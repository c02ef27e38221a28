"""Networks with nothing left at a neutral value, so that a part which is left out shows."""

from __future__ import annotations

import torch
from torch import nn


def stirred(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with noise on every parameter and on the statistics of every batch norm; the same for one seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=generator)
                tensor.copy_(1 + 0.2 * noise.abs() if name.endswith("running_var") else tensor + 0.1 * noise)
    return network
