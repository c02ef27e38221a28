"""Networks as ONNX graphs that carry their spec: pixels in as uint8, boxes out, any batch size."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from sightline.engines import Role
from sightline.models.calls import Call, calls
from sightline.models.checkpoint import load
from sightline.models.graph.half import round_to_half, store_in_half
from sightline.models.graph.pixels import fold_normalisation, read_lines
from sightline.models.graph.residuals import split_wide
from sightline.models.graph.translations import TRANSLATIONS
from sightline.spec import Spec, spec_to_json
from sightline.weights import SPEC_KEY, init_path, write_whole

__all__ = ["OPSET", "export", "graphs"]

OPSET = 20  # the first with GELU as one node
CELL = 16  # pixels of a crop along each side of a cell of the network's grid


class _Role(nn.Module):
    """One role of a network as a module with tensors in and out, in a fixed order."""

    def __init__(self, network: nn.Module, role: Role, names: list[str]) -> None:
        super().__init__()
        self.network, self.role, self.names = network, role, names

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        outputs = getattr(self.network, self.role)(**dict(zip(self.names, arrays, strict=True)))
        return tuple(outputs.values())


def export(weights: Path, output: Path, spec: Spec | None = None, *, half: bool = False) -> list[Path]:
    """Write a weights file as ONNX: `output`, and `*.init.onnx` beside it where the template is read once.

    Args:
        weights: what `checkpoint.load` reads.
        output: file to write, suffix .onnx.
        spec: what the network is, where the file does not say.
        half: store large constants in half precision; they are computed with in full, as engines widen them once, when they open the file.

    Returns:
        The files that were written; all of them or none.
    """
    network, found = load(weights, spec)
    made = graphs(network, found, half=half)
    files = {init_path(output) if role == "init" else output: model.SerializeToString() for role, model in made.items()}
    write_whole(files)
    return list(files)


def graphs(network: nn.Module, spec: Spec, *, half: bool = False) -> dict[Role, onnx.ModelProto]:
    """The graphs of a network, by role; `half` as for `export`."""
    network.eval()
    return {call.role: _graph(network, call, spec, half=half) for call in calls(network, spec, 2)}


def _graph(network: nn.Module, call: Call, spec: Spec, *, half: bool) -> onnx.ModelProto:
    """One role as a graph that engines have little to do with, with the spec inside."""
    model = _exported(network, call, spec)
    if half:
        round_to_half(model.graph)
    fold_normalisation(model.graph)
    read_lines(model.graph)
    split_wide(model.graph)
    if half:
        store_in_half(model.graph)
    for node in model.graph.node:  # the exporter's notes on where a node came from: a third of a small file
        del node.metadata_props[:]
        node.doc_string = ""
    model.metadata_props.add(key=SPEC_KEY, value=spec_to_json(spec))
    return model


def _exported(network: nn.Module, call: Call, spec: Spec) -> onnx.ModelProto:
    """What torch's exporter makes of one role."""
    arrays = call.arrays
    wrapper = _Role(network, call.role, list(arrays)).eval()  # a fresh module is in training mode, and the exporter keeps that
    with torch.inference_mode():
        outputs = list(getattr(network, call.role)(**arrays))
    with _quiet_exporter():
        program = torch.onnx.export(
            wrapper,
            tuple(arrays.values()),
            input_names=list(arrays),
            output_names=outputs,
            dynamic_shapes=(tuple(_dynamic(name, spec, varies=name in call.vary) for name in arrays),),
            opset_version=OPSET,
            dynamo=True,
            custom_translation_table=dict(TRANSLATIONS),
            verbose=False,
        )
    if program is None:  # only the exporter that was not asked for returns nothing
        raise RuntimeError("torch.onnx.export returned no program")
    model: onnx.ModelProto = program.model_proto
    return model


def _dynamic(name: str, spec: Spec, *, varies: bool) -> dict[int, Any]:
    """The axes of an input which may have any length: the batch, templates or crops that vary in number, the sides of a crop of several sizes."""
    axes: dict[int, Any] = {0: torch.export.Dim("batch", min=1, max=4096)}
    if varies:
        axes[1] = torch.export.Dim("number", min=1, max=4096 if name == "search" else spec.memory.samples + 1)
    if name == "search" and (spec.search.small is not None or spec.search.fitted is not None):
        side, first = CELL * torch.export.Dim("cells", min=4, max=64) + spec.search.size % CELL, len(axes)
        axes |= {first: side, first + 1: side}
    return axes


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hide what torch's exporter says about its own deprecated calls and about torchvision: a user can do nothing about it."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"torch\..*|copyreg")
            yield
    finally:
        logger.setLevel(level)
