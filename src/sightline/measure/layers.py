"""Where the time of a network goes, layer by layer and by kind of layer, and the multiply-accumulates of each."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sightline.box import Box
from sightline.engines import Opening
from sightline.engines.kept import Kept
from sightline.errors import EngineError
from sightline.frame import Frame
from sightline.measure.profilers import Arithmetic, Operation, of_onnxruntime, of_openvino
from sightline.tracker import method_of
from sightline.weights import kind_of

__all__ = ["PROFILERS", "Layer", "Profile", "Share", "kinds_of", "macs_of", "profile", "profile_of"]

Shape: TypeAlias = Sequence[int]

CALLS = 30
WARM = 5
PROFILERS = {"onnxruntime": of_onnxruntime, "openvino": of_openvino}


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, as the engine runs it: what it has fused is one.

    Attributes:
        name: as the engine calls it.
        kind: of operation; on OpenVINO with the kernel that was taken.
        milliseconds: of one call of the network, the median of many.
        macs: multiply-accumulates that it takes, channels that the engine adds to fill a vector included; None where its shapes do not tell.
        arithmetic: what it computes in.
    """

    name: str
    kind: str
    milliseconds: float
    macs: int | None
    arithmetic: Arithmetic


@dataclass(frozen=True, slots=True)
class Share:
    """All layers of one kind and arithmetic.

    Attributes:
        name: of the kind.
        layers: how many.
        milliseconds: of one call of the network.
        share: of all, 0..1.
        macs: of those whose shapes tell; None where none does.
        arithmetic: what they compute in.
    """

    name: str
    layers: int
    milliseconds: float
    share: float
    macs: int | None
    arithmetic: Arithmetic


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the time of one network goes.

    Attributes:
        threads: of the call; None for one per physical core.
        kinds: of layers, those first that take longest.
        layers: in the order in which they run.
    """

    threads: int | None
    kinds: list[Share]
    layers: list[Layer]


def profile_of(opening: Opening, frames: Sequence[Frame], box: Box) -> Profile:
    """The profile of an exported network on the crop of the second frame.

    Args:
        opening: on an engine of `PROFILERS`.
        frames: at least two.
        box: of the target in the first.

    Raises:
        EngineError: the file is not ONNX.
    """
    kept = Kept(opening.open())
    method = method_of(kept)
    method.advance([frames[1]], [method.begin(frames[0], box)])
    layers = profile(opening, kept.given[-1])
    return Profile(opening.threads, kinds_of(layers), layers)


def profile(opening: Opening, arrays: Mapping[str, np.ndarray]) -> list[Layer]:
    """What each layer of an exported network takes, in the order in which they run.

    Args:
        opening: of a graph that Sightline exported, on an engine of `PROFILERS`.
        arrays: what it is given.

    Raises:
        EngineError: the file is not ONNX.
    """
    path = opening.file()
    if kind_of(path) != "onnx":
        raise EngineError(f"{path.name} is not ONNX, and only profilers of engines that read it are asked: run `sightline export` first.")
    profiles = PROFILERS[opening.engine](path, arrays, threads=opening.threads, precision=opening.rest, calls=WARM + CALLS)
    return [
        Layer(
            name=each.name,
            kind=each.kind,
            milliseconds=statistics.median(each.seconds[WARM:] or each.seconds) * 1e3,
            macs=macs_of(each.operation, each.inputs, each.outputs),
            arithmetic=each.arithmetic,
        )
        for each in profiles
    ]


def kinds_of(layers: Iterable[Layer]) -> list[Share]:
    """The layers by kind and arithmetic, those first that take longest."""
    groups: dict[tuple[str, Arithmetic], list[Layer]] = defaultdict(list)
    for layer in layers:
        groups[layer.kind, layer.arithmetic].append(layer)
    sums = {key: sum(layer.milliseconds for layer in group) for key, group in groups.items()}
    total = sum(sums.values()) or math.nan
    found = []
    for (kind, arithmetic), group in groups.items():
        macs = [layer.macs for layer in group if layer.macs is not None]
        taken = sums[kind, arithmetic]
        found.append(Share(kind, len(group), taken, taken / total, sum(macs) if macs else None, arithmetic))
    return sorted(found, key=lambda share: -share.milliseconds)


def macs_of(operation: Operation, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    """Multiply-accumulates of an operation by its shapes.

    Args:
        operation: "convolution" of kernels (O, C, ...) or (G, O, C, ...), "product" of two matrices or stacks of them, or "other".
        inputs: what it reads, the first one first; weights that an engine has packed are often not told.
        outputs: what it makes, the first one first.
    """
    if operation == "other" or not inputs or not outputs:
        return None
    out = outputs[0]
    if operation == "product":  # one axis of the first is summed over; the other is the rows of the result, whichever stands first
        rows = out[-2] if len(out) > 1 else 1
        return math.prod(out) * (math.prod(inputs[0][-2:]) // max(1, rows))
    kernels = next((shape for shape in inputs[1:] if len(shape) >= len(out)), None)
    if kernels is None:
        return None
    of_one = kernels[2:] if len(kernels) > len(out) else kernels[1:]  # numbers of a kernel, once for each that it makes
    return math.prod(out) * math.prod(of_one)
