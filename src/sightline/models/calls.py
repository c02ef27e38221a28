"""How a network is called: the roles that it has, and for each some inputs of the right names, shapes and dtypes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline import models
from sightline.engines import Role
from sightline.engines.state import apart
from sightline.spec import Spec

__all__ = ["OF_STEP", "OF_TEMPLATE", "Call", "calls", "example"]

# how the names of arrays begin that are read with a template, and of those that `step` alone reads, new in every frame
OF_TEMPLATE = ("template", "target")
OF_STEP = ("search", "prior", "history")


class Call(NamedTuple):
    """One use of a network.

    Attributes:
        role: which of its methods.
        arrays: what it is given, by name.
        vary: the names of those that hold any number of templates, or of crops.
    """

    role: Role
    arrays: dict[str, Tensor]
    vary: frozenset[str] = frozenset()


def calls(network: nn.Module, spec: Spec, batch: int) -> Iterator[Call]:
    """The calls of a network, one for each role, in the order of their use."""
    arrays = example(spec, batch)
    if hasattr(network, "describe"):
        yield Call("describe", {"search": arrays["search"]}, frozenset({"search"}))
        return
    searches = {name: arrays.pop(name) for name in list(arrays) if name.startswith(OF_STEP)}
    if hasattr(network, "init"):
        yield Call("init", arrays)
        with torch.no_grad():  # what inference mode makes cannot be given to the exporter
            arrays = getattr(network, "init")(**arrays)  # noqa: B009  # nn.Module's attributes are tensors or modules to mypy
    templates, own = ({name: value for name, value in part.items() if models.reads(network, "step", name)} for part in apart(arrays))
    num = spec.memory.samples or spec.memory.slots
    if num > 1 and not spec.memory.together:
        templates = {name: torch.stack([value] * num, dim=1) for name, value in templates.items()}
    yield Call("step", {**searches, **templates, **own}, frozenset(templates) if spec.memory.samples else frozenset())


def example(spec: Spec, batch: int) -> dict[str, Tensor]:
    """Inputs of the right names, shapes and dtypes for a network of `spec` that reads one template, or all of them together."""
    crops = {"template": spec.template, "search": spec.search}
    shapes = {name: (batch, *([len(crop.scales)] if len(crop.scales) > 1 else []), crop.size, crop.size) for name, crop in crops.items()}
    kinds = {name: getattr(torch, crop.pixels) for name, crop in crops.items()}
    arrays = {name: torch.randint(0, 256, (*shape, 3)).to(kinds[name]) for name, shape in shapes.items()}
    if "extra" in spec.feed:
        arrays |= {f"{name}_extra": torch.randint(0, 256, (*shape, 3)).to(kinds[name]) for name, shape in shapes.items()}
    if "padding" in spec.feed:  # a third of the columns, on the right
        arrays |= {
            f"{name}_padding": (torch.arange(shape[-1]) > shape[-1] * 2 // 3).expand(shape).clone() for name, shape in shapes.items()
        }
    if "target" in spec.feed:
        arrays["target"] = torch.tensor([[0.5, 0.5, 0.5, 0.5]]).repeat(batch, 1)
    if spec.memory.together:
        arrays = {
            name: value if name.startswith(OF_STEP) else torch.stack([value] * spec.memory.slots, dim=1) for name, value in arrays.items()
        }
    if "filled" in spec.feed:  # all but the last
        arrays["filled"] = (torch.arange(spec.memory.slots) < spec.memory.slots - 1).repeat(batch, 1)
    if "prior" in spec.feed:
        arrays["prior"] = torch.tensor([[0.5, 0.5, 0.25, 0.2]]).repeat(batch, 1)
    if spec.history is not None:
        arrays["history"] = torch.tensor([0.5, 0.5, 0.25, 0.2]).repeat(batch, spec.history.length, 1)
    return arrays
