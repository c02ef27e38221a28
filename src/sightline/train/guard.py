"""Whatever is not finite is found, and named: the loss, gradients, what modules say. Half precision overflows without a word.

A loss that is not finite tells nothing of where it came from. So the same samples go through the network once more, and every module
is looked at until one says something that is not finite, and for which samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Trouble", "in_gradients", "in_modules", "watching"]


class Trouble(NamedTuple):
    """What is not finite.

    what     it is
    where    the module or parameter; empty where it could not be told
    samples  names of the samples concerned; all of the batch where it could not be told
    """

    what: Literal["loss", "gradient", "activation"]
    where: str
    samples: tuple[str, ...]

    def __str__(self) -> str:
        where = f" of {self.where}" if self.where else ""
        named = ", ".join(self.samples[:4]) + (", ..." if len(self.samples) > 4 else "")
        return f"the {self.what}{where} is not finite, for {named}"


def in_gradients(network: nn.Module, names: Sequence[str]) -> Trouble | None:
    """The first parameter, in the order of the network, whose gradient is not finite; None: all are."""
    for name, value in network.named_parameters():
        if value.grad is not None and not bool(value.grad.isfinite().all()):
            return Trouble("gradient", name, tuple(names))
    return None


def in_modules(network: nn.Module, run: Callable[[], object], names: Sequence[str]) -> Trouble | None:
    """The first module that says something not finite while `run` runs, and the samples (in axis 0, names in their order) it is about."""
    found: list[Trouble] = []

    def look(name: str, said: Tensor) -> None:
        if found or bool(said.isfinite().all()):
            return
        concerned = _rows(said, len(names))
        found.append(Trouble("activation", name, tuple(names[i] for i in concerned) or tuple(names)))

    with _hooked(network, look):
        run()
    return found[0] if found else None


@contextmanager
def watching(network: nn.Module, *, active: bool) -> Iterator[Callable[[], bool]]:
    """While the context lasts, every module is watched; the function says whether all they said was finite. Not `active`: it says yes."""
    verdicts: list[Tensor] = []
    if not active:
        yield lambda: True
        return
    with _hooked(network, lambda _, said: verdicts.append(said.isfinite().all())):
        yield lambda: not verdicts or bool(torch.stack(verdicts).all())


@contextmanager
def _hooked(network: nn.Module, look: Callable[[str, Tensor], None]) -> Iterator[None]:
    """`look` is shown every tensor that a module returns: its name, and what it said, without gradients."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(_module: nn.Module, _given: Any, said: Any) -> None:
            for tensor in _tensors(said):
                look(name, tensor.detach())

        return note

    handles = [module.register_forward_hook(hook(name or "the network")) for name, module in network.named_modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensors(said: Any) -> Iterator[Tensor]:
    if isinstance(said, Tensor):
        if said.is_floating_point():
            yield said
    elif isinstance(said, (tuple, list)):
        for part in said:
            yield from _tensors(part)
    elif isinstance(said, dict):
        yield from _tensors(list(said.values()))


def _rows(said: Tensor, batch: int) -> list[int]:
    """The samples in axis 0 that something is not finite for; those of K templates of one sample stand together."""
    if said.ndim == 0 or not batch or said.shape[0] % batch:
        return []
    bad = ~said.isfinite().reshape(said.shape[0], -1).all(dim=1)
    return [int(i) for i in bad.reshape(batch, -1).any(dim=1).nonzero().flatten()]
