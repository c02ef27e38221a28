"""Running a network as when tracking, with gradients, and overhearing what its parts say on the way.

Losses look at maps and logits that `step` decodes and does not return. Instead of a second way through every family, its own way is
gone, and the parts that a loss asks for are listened to. B batch, K templates, N search crops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sightline import models
from sightline.engines.state import apart
from sightline.errors import BadSpec
from sightline.models.calls import OF_STEP, OF_TEMPLATE
from sightline.spec import Spec

__all__ = ["Answer", "answer", "listening", "read_templates"]


class Answer(NamedTuple):
    """What a network says about one search crop.

    said   the outputs of `step`: `box` (B, 4), perhaps `score` (B,), ...
    heard  what the parts that were listened to returned, by their names
    """

    said: dict[str, Tensor]
    heard: dict[str, Any]


def answer(
    network: nn.Module, spec: Spec, arrays: Mapping[str, Tensor], listen: Sequence[str] = (), keep: float | None = None
) -> list[Answer]:
    """What a network says about every search crop of a batch, one after another: state goes from one to the next, and gradients back.

    Args:
        network: of the spec.
        spec: how templates are remembered.
        arrays: of a batch (`sightline.train.samples`).
        listen: names of submodules or methods whose results are wanted.
        keep: share of search tokens that stays at eliminations, for networks that take one.

    Raises:
        BadSpec: a part that is listened to says nothing.
    """
    answers = []
    with listening(network, listen) as heard:
        state = read_templates(network, spec, {name: value for name, value in arrays.items() if name.startswith(OF_TEMPLATE)})
        looked_at = {name: value for name, value in arrays.items() if name.startswith(OF_STEP)}
        more = {"keep": keep} if keep is not None and models.reads(network, "step", "keep") else {}
        step: Callable[..., dict[str, Tensor]] = getattr(network, "step")  # noqa: B009  # likewise
        for place in range(arrays["search"].shape[1]):
            given = {**state, **{name: value[:, place] for name, value in looked_at.items()}}
            said = step(**{name: value for name, value in given.items() if models.reads(network, "step", name)}, **more)
            state |= apart(said)[1]
            if len(heard) < len(set(listen)):
                raise BadSpec(
                    f"{spec.name} has no part called {', '.join(name for name in listen if name not in heard)} that speaks in a step."
                )
            answers.append(Answer(said, dict(heard)))
    return answers


def read_templates(network: nn.Module, spec: Spec, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State of targets from their templates (B, K, ...), as `methods.network` keeps it."""
    num, several = given["template"].shape[1], spec.memory.slots > 1 or spec.memory.samples > 0
    if not hasattr(network, "init"):
        return {name: value if several else value[:, 0] for name, value in given.items()}
    if spec.memory.together:
        filled = {"filled": torch.ones_like(given["template"][:, :, 0, 0, 0], dtype=torch.bool)} if "filled" in spec.feed else {}
        kept, own = apart(_init(network, {**given, **filled}))
        return kept | own
    reads = [apart(_init(network, {name: value[:, place] for name, value in given.items()})) for place in range(num)]
    (kept, own), *_ = reads
    if several:
        kept = {name: torch.stack([read[name] for read, _ in reads], dim=1) for name in kept}
    return kept | own


def _init(network: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    init: Callable[..., dict[str, Tensor]] = getattr(network, "init")  # noqa: B009  # nn.Module's attributes are tensors or modules to mypy
    return init(**{name: value for name, value in given.items() if models.reads(network, "init", name)})


@contextmanager
def listening(network: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What submodules ("" is the network itself) and methods return while the context lasts, the last time by their names."""
    heard: dict[str, Any] = {}
    modules = dict(network.named_modules())
    unknown = [name for name in names if name not in modules and not hasattr(modules.get(name.rpartition(".")[0]), name.rpartition(".")[2])]
    if unknown:
        raise BadSpec(f"the network has no part called {', '.join(unknown)}.")
    with ExitStack() as stack:
        for name in names:
            if name in modules:
                stack.callback(modules[name].register_forward_hook(_hook(heard, name)).remove)
            else:
                owner, _, method = name.rpartition(".")
                own = modules[owner].__dict__
                own[method] = _overheard(heard, name, getattr(modules[owner], method))  # in front of the class's
                stack.callback(own.pop, method)
        yield heard


def _hook(heard: dict[str, Any], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def note(_module: nn.Module, _given: Any, said: Any) -> None:
        heard[name] = said

    return note


def _overheard(heard: dict[str, Any], name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        heard[name] = method(*given, **named)
        return heard[name]

    return call
