"""Networks as ONNX graphs that carry their spec: pixels in as uint8, boxes out, any batch size."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from sightline import models
from sightline.engines import Role
from sightline.models.checkpoint import load
from sightline.models.graph import TRANSLATIONS, fold_normalisation, read_lines, split_wide
from sightline.spec import Spec, spec_to_json
from sightline.weights import SPEC_KEY, init_path, write_whole

__all__ = ["OF_STEP", "OPSET", "Call", "calls", "example", "export", "graphs"]

OPSET = 20  # the first with GELU as one node
OF_STEP = ("search", "prior", "history")  # beginnings of the names of what `step` alone is given, and new in every frame
LARGE = 256  # numbers in a constant that is worth a cast
CELL = 16  # pixels of a crop along each side of a cell of the network's grid


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


class _Graph(nn.Module):
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


def calls(network: nn.Module, spec: Spec, batch: int) -> Iterator[Call]:
    """The roles that a network has, in the order of their use, each with inputs of the right names, shapes and dtypes."""
    arrays = example(spec, batch)
    if hasattr(network, "describe"):
        yield Call("describe", {"search": arrays["search"]}, frozenset({"search"}))
        return
    searches = {name: arrays.pop(name) for name in list(arrays) if name.startswith(OF_STEP)}
    if hasattr(network, "init"):
        yield Call("init", arrays)
        with torch.no_grad():  # what inference mode makes cannot be given to the exporter
            arrays = getattr(network, "init")(**arrays)  # noqa: B009  # nn.Module's attributes are tensors or modules to mypy
    arrays = {name: value for name, value in arrays.items() if models.reads(network, "step", name.removeprefix("next."))}
    own = {name.removeprefix("next."): value for name, value in arrays.items() if name.startswith("next.")}
    templates = {name: value for name, value in arrays.items() if not name.startswith("next.")}
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


def _graph(network: nn.Module, call: Call, spec: Spec, *, half: bool) -> onnx.ModelProto:
    arrays = call.arrays
    wrapper = _Graph(network, call.role, list(arrays)).eval()  # a fresh module is in training mode, and the exporter keeps that
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
    model = program.model_proto
    if half:
        _round_to_half(model.graph)  # before anything is made of weights, so that the same weights are rounded whatever is folded into them
    fold_normalisation(model.graph)
    read_lines(model.graph)
    split_wide(model.graph)
    if half:
        _store_in_half(model.graph)
    for node in model.graph.node:  # the exporter's notes on where a node came from: a third of a small file
        del node.metadata_props[:]
        node.doc_string = ""
    model.metadata_props.add(key=SPEC_KEY, value=spec_to_json(spec))
    return model


def _round_to_half(graph: onnx.GraphProto) -> None:
    """Large float32 constants become numbers that half precision holds; those that it cannot hold stay."""
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        rounded = values.astype(np.float16).astype(np.float32) if values.dtype == np.float32 else values
        if values.size >= LARGE and np.isfinite(rounded).all():
            constant.CopyFrom(numpy_helper.from_array(rounded, constant.name))


def _store_in_half(graph: onnx.GraphProto) -> None:
    """Large float32 constants that half precision holds become float16 and a cast back."""
    casts = []
    for constant in graph.initializer:
        values, name = numpy_helper.to_array(constant), constant.name
        if values.dtype != np.float32 or values.size < LARGE or not np.array_equal(values.astype(np.float16), values):
            continue
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [constant.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


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
