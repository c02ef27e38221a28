"""One run over several processes, by torchrun: each learns from its share of every batch, and gradients are averaged.

The number of processes changes the result by rounding only, as long as every share of a batch has as many targets: losses that are
divided by their number are averaged over processes, not over targets. Seed, samples and steps do not depend on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from sightline.errors import BadSpec

__all__ = ["World", "joined"]

CPU = torch.device("cpu")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """Which of how many processes this is, and where its tensors lie."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, batch: int, passes: int) -> int:
        """Samples of one pass in one process.

        Raises:
            BadSpec: a batch that cannot be shared out.
        """
        if batch % (self.size * passes):
            raise BadSpec(f"a batch of {batch} cannot be shared out to {self.size} processes and {passes} passes; choose a multiple.")
        return batch // (self.size * passes)

    def average_(self, network: nn.Module) -> None:
        """Make every gradient the mean over all processes."""
        if self.size == 1:
            return
        gradients = [value.grad for value in network.parameters() if value.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        for gradient, piece in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(piece.reshape(gradient.shape))

    def agreed(self, is_fine: bool) -> bool:
        """Whether it is in all processes."""
        if self.size == 1:
            return is_fine
        verdict = torch.tensor(float(is_fine), device=self.device)
        distributed.all_reduce(verdict, distributed.ReduceOp.MIN)
        return bool(verdict)

    def gathered(self, value: T) -> list[T]:
        """Any value, of every process."""
        if self.size == 1:
            return [value]
        everything: list[Any] = [None] * self.size
        distributed.all_gather_object(everything, value)
        return everything

    def mean(self, figures: Iterable[Tensor]) -> list[float]:
        """The mean of scalars over all processes."""
        flat = torch.stack([value.detach().float() for value in figures])
        if self.size > 1:
            distributed.all_reduce(flat)
            flat /= self.size
        return [float(value) for value in flat]


@contextmanager
def joined() -> Iterator[World]:
    """The world that torchrun has started this process in, or this process alone; on its GPU where there is one.

    Raises:
        BadSpec: more processes than GPUs.
    """
    size, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    num = torch.cuda.device_count()
    if 0 < num <= local:
        raise BadSpec(f"this machine has {num} GPUs, too few for process {local + 1}; start no more processes than that.")
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where what is not a tensor is gathered
    if size == 1:
        yield World(device=device)
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(distributed.get_rank(), size, device)
    finally:
        distributed.destroy_process_group()
