"""The published FEAR-XS network as two ONNX graphs, read back into a checkpoint.

Its publishers released it as Core ML, batch norms folded; the graphs are that file layer by layer, cut behind the neck:
`*encoder.onnx` from `image` to `features`, `*head.onnx` beside it. What a convolution is follows from the order of the nodes.
Facts: docs/trackers/fear.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from sightline.errors import WeightsMismatch, WeightsMissing
from sightline.models.layers.fbnet import BLOCKS, PARTS
from sightline.models.published_onnx import identity_norm, open_graph

__all__ = ["is_fear", "read_fear_onnx"]

TRUNK = "encoder.model.backbone.stages.xif"
HEAD = (  # separable convolutions in the order of their nodes, each with the batch norm behind it, if any
    ("cls_encode.matrix11_s.0", "cls_encode.matrix11_s.1"),
    ("reg_encode.matrix11_s.0", "reg_encode.matrix11_s.1"),
    ("cls_dw.enc.0", "cls_dw.enc.1"),
    ("reg_dw.enc.0", "reg_dw.enc.1"),
    ("bbox_tower.0", "bbox_tower.1"),
    ("bbox_tower.3", "bbox_tower.4"),
    ("bbox_pred", ""),
    ("cls_tower.0", "cls_tower.1"),
    ("cls_tower.3", "cls_tower.4"),
    ("cls_pred", ""),
)


class _Convolution(NamedTuple):
    """Weight, and bias where there is one, float32."""

    weight: Tensor
    bias: Tensor | None


def is_fear(path: Path) -> bool:
    """Whether an ONNX file is one of the two graphs, by its inputs and outputs."""
    graph = open_graph(path)
    names = {entry.name for entry in graph.input}, {entry.name for entry in graph.output}
    return names in (({"image"}, {"features"}), ({"template_features", "search_features"}, {"bbox", "cls"}))


def read_fear_onnx(path: Path) -> dict[str, Tensor]:
    """The tensors of both graphs under the keys of the authors' checkpoint; every batch norm becomes the identity.

    Args:
        path: of either graph; their names differ in "encoder" and "head" only.

    Raises:
        WeightsMissing: the other graph does not lie beside it.
        WeightsMismatch: another network.
    """
    paths = [path.with_name(path.name.replace(*words)) for words in (("head", "encoder"), ("encoder", "head"))]
    for part in paths:
        if not part.is_file():
            raise WeightsMissing(f"{path.name} is one half of FEAR-XS: put {part.name} into the same folder, and convert again.")
    encoder, head = (list(_convolutions(open_graph(part), part.name)) for part in paths)
    names = [f"{TRUNK}0_0", *(f"{TRUNK}{block}.{part}" for block, form in BLOCKS.items() for part, _ in PARTS if form[1] or part != "pw")]
    if len(encoder) != len(names) + 1 or len(head) != 2 * len(HEAD):
        raise WeightsMismatch(
            f"{path.name} is not the published FEAR-XS: the two graphs hold {len(encoder)} and {len(head)} convolutions; "
            f"expected {len(names) + 1} and {2 * len(HEAD)}."
        )
    tensors = {"connect_model.adjust": torch.ones(1), "connect_model.bias": torch.zeros(1, 4, 1, 1)}  # folded as well
    for name, convolution in zip(names, encoder[:-1], strict=True):
        tensors |= _put(f"{name}.conv", f"{name}.bn", convolution, biased=True)
    tensors |= _put("neck.downsample.0", "neck.downsample.1", encoder[-1], biased=False)
    for (name, norm), depthwise, pointwise in zip(HEAD, head[::2], head[1::2], strict=True):
        biased = "encode" not in name
        tensors |= _put(f"connect_model.{name}.depthwise", "", depthwise, biased=biased)
        if name == "cls_pred":  # the network's factor of 0.1 was folded
            pointwise = _Convolution(10 * pointwise.weight, None if pointwise.bias is None else 10 * pointwise.bias)
        tensors |= _put(f"connect_model.{name}.pointwise", norm and f"connect_model.{norm}", pointwise, biased=biased)
    return tensors


def _convolutions(graph: onnx.GraphProto, name: str) -> Iterator[_Convolution]:
    """The convolutions of a graph in order; their constants are float16 that are cast to float32."""
    given = {entry.name: torch.from_numpy(numpy_helper.to_array(entry).copy()).float() for entry in graph.initializer}
    given |= {node.output[0]: given[node.input[0]] for node in graph.node if node.op_type == "Cast" and node.input[0] in given}
    for node in graph.node:
        if node.op_type == "Conv":
            constants = [given.get(constant) for constant in node.input[1:]]
            if constants[0] is None or None in constants[1:]:
                raise WeightsMismatch(f"{name} is not the published FEAR-XS: a convolution of it has no constant weight and bias.")
            yield _Convolution(constants[0], constants[1] if len(constants) > 1 else None)


def _put(name: str, norm: str, convolution: _Convolution, *, biased: bool) -> dict[str, Tensor]:
    """A convolution and the batch norm behind it; the folded bias goes to the norm where the convolution has none."""
    weight, bias = convolution
    zero = torch.zeros(weight.shape[0])
    tensors = {f"{name}.weight": weight} | ({f"{name}.bias": zero if bias is None else bias} if biased else {})
    return tensors | (identity_norm(norm, zero if biased or bias is None else bias) if norm else {})
