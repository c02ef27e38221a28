"""The networks, in torch. Everything below this room works without it.

A family is one module with
    build(arch) -> nn.Module     untrained, authors' initial values where they matter
    KEYS                         (name in the authors' file, name here) pairs, see `checkpoint.rename`
    UNUSED                       patterns of entries in the authors' files that the network never reads

and a network has one method for each of its roles, named tensors in and out:
    step(**arrays) -> dict       `template` or state, `search` and what `Spec.feed` asks for in; `box` and, mostly, `score` out
    init(**arrays) -> dict       where the template can be read once: `template` in, state for `step` out
    describe(**arrays) -> dict   in place of both, where the method finds the target in features: `search` in, maps out
Names, shapes and dtypes are those of `sightline.engines.Session`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType

from torch import nn

from sightline.models import (
    aqatrack,
    artrack,
    artrackv2,
    atom,
    dasiamrpn,
    dcfnet,
    dimp,
    eco,
    efficienttrack,
    efficienttrack_ln,
    ettrack,
    evptrack,
    fear,
    grm,
    hcat,
    hit,
    kestrel,
    lighttrack,
    litetrack,
    lorat,
    mcitrack,
    merlin,
    mixformer,
    mixformerv2,
    mvt,
    nanotrack,
    odtrack,
    ostrack,
    seqtrack,
    siamfc,
    siamrpn,
    simtrack,
    smat,
    stark,
    stark_lightning,
    sutrack,
    swintrack,
    tomp,
    transt,
    vittrack,
    vittrack_dist,
)
from sightline.spec import Spec

__all__ = ["FAMILIES", "build", "reads"]

FAMILIES: dict[str, ModuleType] = {
    "aqatrack": aqatrack,
    "artrack": artrack,
    "artrackv2": artrackv2,
    "atom": atom,
    "dasiamrpn": dasiamrpn,
    "dcfnet": dcfnet,
    "dimp": dimp,
    "eco": eco,
    "efficienttrack": efficienttrack,
    "efficienttrack_ln": efficienttrack_ln,
    "ettrack": ettrack,
    "evptrack": evptrack,
    "fear": fear,
    "grm": grm,
    "hcat": hcat,
    "hit": hit,
    "kestrel": kestrel,
    "lighttrack": lighttrack,
    "litetrack": litetrack,
    "lorat": lorat,
    "mcitrack": mcitrack,
    "merlin": merlin,
    "mixformer": mixformer,
    "mixformerv2": mixformerv2,
    "mvt": mvt,
    "nanotrack": nanotrack,
    "odtrack": odtrack,
    "ostrack": ostrack,
    "seqtrack": seqtrack,
    "siamfc": siamfc,
    "siamrpn": siamrpn,
    "simtrack": simtrack,
    "smat": smat,
    "stark": stark,
    "stark_lightning": stark_lightning,
    "sutrack": sutrack,
    "swintrack": swintrack,
    "tomp": tomp,
    "transt": transt,
    "vittrack": vittrack,
    "vittrack_dist": vittrack_dist,
}


def reads(network: nn.Module, role: str, name: str) -> bool:
    """Whether a role of a network is given the array `name`: there may be state which is not for it."""
    names, takes_all = _taken(getattr(type(network), role))
    return takes_all or name in names


@functools.cache  # asked for every array of every frame
def _taken(method: Callable[..., object]) -> tuple[frozenset[str], bool]:
    """The names that a method is given, and whether it takes any other."""
    parameters = inspect.signature(method).parameters
    return frozenset(parameters), any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def build(spec: Spec) -> nn.Module:
    """An untrained network of a spec, in evaluation mode."""
    network: nn.Module = FAMILIES[spec.family].build(spec.arch)
    return network.eval()
