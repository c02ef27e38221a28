"""How alike two networks see the same pictures, layer by layer: linear CKA.

Sources: Kornblith et al., "Similarity of Neural Network Representations Revisited", ICML 2019, sections 2 and 3 (linear kernel, centred);
Nguyen et al., "Do Wide and Deep Networks Learn the Same Things?", ICLR 2021, section 3 (the estimator without bias, after Song et al., JMLR
2012), without which layers of many more channels than there are examples all look alike.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.box import Box
from sightline.errors import SightlineError
from sightline.frame import Frame
from sightline.methods import Method
from sightline.models.session import TorchSession

__all__ = ["FEWEST", "Example", "Similarity", "cka", "layers_of", "recorded", "similarity"]

Floats = NDArray[np.float64]

FEWEST = 4  # examples below which the estimator is not defined


@dataclass(frozen=True, slots=True)
class Example:
    """What both networks are shown: a target marked in one frame, and looked for in another."""

    first: Frame
    box: Box
    then: Frame


@dataclass(frozen=True, slots=True)
class Similarity:
    """CKA of every layer of one network with every layer of another.

    Attributes:
        rows: layers of the first, in the order in which they run.
        columns: of the second.
        values: (rows, columns); 1 for the same representation up to rotation and scale, about 0 for unrelated ones.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Floats


def cka(a: Floats, b: Floats) -> float:
    """Linear CKA of two representations of the same N >= 4 examples, without bias; may lie a little below 0.

    Args:
        a: (N, P) activations.
        b: (N, Q).
    """
    grams = [_hollow_gram(x) for x in (a, b)]
    own = [_hsic(gram, gram) for gram in grams]
    if min(own) <= 0:
        return float("nan")  # a layer that says the same of every example
    return _hsic(*grams) / float(np.sqrt(own[0] * own[1]))


def _hollow_gram(x: Floats) -> Floats:
    x = x - x.mean(axis=0)
    gram: Floats = x @ x.T
    np.fill_diagonal(gram, 0.0)
    return gram


def _hsic(k: Floats, m: Floats) -> float:
    """Hilbert-Schmidt independence criterion without bias (Song et al. 2012, equation 5), of Gram matrices (N, N) with a zero diagonal."""
    n = len(k)
    across = k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2.0 * (k.sum(axis=0) @ m.sum(axis=1)) / (n - 2)
    return float(((k * m).sum() + across) / (n * (n - 3)))


def layers_of(network: nn.Module, pattern: str | None = None) -> dict[str, nn.Module]:
    """The layers that are compared.

    Args:
        network: any.
        pattern: regular expression; all modules whose whole name matches. Where None, the members of lists and sequences of modules (blocks of a
            transformer, stages of a convolutional network), the outermost ones.

    Returns:
        By name, in the order in which the network has them.
    """
    if pattern is not None:
        return {name: module for name, module in network.named_modules() if name and re.fullmatch(pattern, name)}
    return dict(_blocks(network, "", within=False))


def _blocks(module: nn.Module, name: str, *, within: bool) -> Iterator[tuple[str, nn.Module]]:
    """The outermost members of lists and sequences; a sequence of nothing but single layers is one itself."""
    container = isinstance(module, nn.ModuleList | nn.Sequential)
    simple = isinstance(module, nn.Sequential) and not any(list(child.children()) for child in module)
    if name and (simple or (within and not container)):
        yield name, module
        return
    for child, inner in module.named_children():
        yield from _blocks(inner, f"{name}.{child}" if name else child, within=container)


@contextlib.contextmanager
def recorded(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """What each layer gave when it last ran, by its name."""
    seen: dict[str, Tensor] = {}

    def note(name: str, output: Any) -> None:
        first = output[0] if isinstance(output, tuple | list) else output
        if isinstance(first, Tensor) and first.is_floating_point():
            seen.pop(name, None)  # in the order of the last run
            seen[name] = first.detach()

    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: note(name, output)) for name, module in layers.items()
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def representations(method: Method[Any], examples: Sequence[Example], *, pattern: str | None = None) -> dict[str, Floats]:
    """What the layers make of the examples while the tracker follows their targets: (N, P) for each layer that runs.

    Raises:
        SightlineError: the tracker's network does not run in torch, or no layer is called so.
    """
    session = getattr(method, "session", None)
    if not isinstance(session, TorchSession):
        raise SightlineError(f"{method.spec.name} does not run in torch here, so its layers cannot be seen; give a .safetensors file.")
    rows: dict[str, list[NDArray[np.float32]]] = {}
    with recorded(layers_of(session.network, pattern)) as seen:
        for example in examples:
            state = method.begin(example.first, example.box)
            seen.clear()
            method.advance([example.then], [state])
            for name, output in seen.items():
                rows.setdefault(name, []).append(output.to(torch.float32).flatten().cpu().numpy())
    # a layer whose output changes its shape from example to example (what is pruned, say) has no common axis
    whole = {name: found for name, found in rows.items() if len(found) == len(examples) and len({len(row) for row in found}) == 1}
    if not whole:
        raise SightlineError(f"no layer of {method.spec.name} can be compared{f': none that runs matches {pattern!r}' if pattern else ''}.")
    return {name: np.stack(found).astype(np.float64) for name, found in whole.items()}


def similarity(a: Method[Any], b: Method[Any], examples: Sequence[Example], *, pattern: str | None = None) -> Similarity:
    """CKA of all pairs of layers.

    Args:
        a: a tracker on the torch engine.
        b: another, of any family.
        examples: at least `FEWEST`; some tens give two digits.
        pattern: see `layers_of`.

    Raises:
        SightlineError: too few examples, or a tracker without layers to compare.
    """
    if len(examples) < FEWEST:
        raise SightlineError(f"{len(examples)} examples are too few to compare layers; expected at least {FEWEST}, better 64.")
    mine, theirs = (representations(method, examples, pattern=pattern) for method in (a, b))
    values = np.array([[cka(x, y) for y in theirs.values()] for x in mine.values()])
    return Similarity(tuple(mine), tuple(theirs), values)
