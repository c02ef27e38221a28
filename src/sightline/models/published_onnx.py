"""The published VitTrack-nano graph (opencv_zoo, Apache-2.0) read back into a checkpoint.

Batch norms were fused into the convolutions before it was exported, and most of its tensors have lost their names. What
they are follows from the order of the nodes, which is the order of the computation. Facts: docs/trackers/vittrack.md.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from sightline.errors import WeightsMismatch, first_line
from sightline.weights import SPEC_KEY

__all__ = ["identity_norm", "open_graph", "read_vittrack_onnx"]

BATCH_NORM_EPS = 1e-5
STEM = [f"patch_embed.net.{i}" for i in (0, 2, 4, 6)]
HEAD = [
    *(f"box_head.conv{i}_ctr" for i in range(1, 5)),
    *(f"box_head.conv{i}_offset" for i in range(1, 6)),
    *(f"box_head.conv{i}_size" for i in range(1, 5)),
    "box_head.conv5_ctr",
    "box_head.conv5_size",
]
CONVOLUTIONS = [*STEM, *STEM, *HEAD]  # the stem runs twice, on template and search, with the same weights
LINEARS = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")  # of every block
NAMED = ("pos_embed_z", "pos_embed_x", "norm.", "blocks.")  # what kept its name


def read_vittrack_onnx(path: Path) -> dict[str, Tensor]:
    """The tensors of the published VitTrack graph, float32, under the keys of its authors' checkpoint.

    Every batch norm becomes the identity: weight 1, mean 0, variance 1 - eps, and as bias the fused one where the
    convolution before it has none. Works for the file of September 2023 and for the first one of August 2023.

    Raises:
        WeightsMismatch: another graph; the message says what was found.
    """
    graph = open_graph(path)
    given = {entry.name: torch.from_numpy(numpy_helper.to_array(entry).copy()) for entry in graph.initializer}
    convolutions = [list(node.input[1:]) for node in graph.node if node.op_type == "Conv"]
    products = [node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in given]
    products = [name for name in products if given[name].ndim == 2]
    plain = sum(len(names) != 2 or not given.keys() >= set(names) for names in convolutions)
    if len(convolutions) != len(CONVOLUTIONS) or plain or not products or len(products) % len(LINEARS):
        raise WeightsMismatch(
            f"{path.name} is not the published VitTrack graph: it has {len(convolutions)} convolutions ({plain} of them without a constant "
            f"weight and bias) and {len(products)} products with a constant, and takes {', '.join(entry.name for entry in graph.input)}; "
            f"expected {len(CONVOLUTIONS)} convolutions with weight and bias and {len(LINEARS)} products in each block."
        )
    tensors = {name: value for name, value in given.items() if name.startswith(NAMED)}
    for name, (weight, bias) in zip(CONVOLUTIONS, convolutions, strict=True):
        tensors |= _convolution(name, given[weight], given[bias])
    for i, product in enumerate(products):
        block, part = divmod(i, len(LINEARS))
        tensors[f"blocks.{block}.{LINEARS[part]}.weight"] = given[product].T.contiguous()
    return tensors


def open_graph(path: Path) -> onnx.GraphProto:
    """The graph of an ONNX file that others made.

    Raises:
        WeightsMismatch: not readable, or one of ours.
    """
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's own error class is not part of onnx's interface
        raise WeightsMismatch(f"{path} cannot be read as ONNX ({first_line(error)}); download it again.") from error
    if any(entry.key == SPEC_KEY for entry in model.metadata_props):
        raise WeightsMismatch(f"{path.name} was exported by Sightline: track with it as it is. What is converted are authors' files.")
    return model.graph


def _convolution(name: str, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """A fused convolution as its authors name it: with a batch norm behind it, except where the head ends."""
    if name in STEM:
        return {f"{name}.c.weight": weight, **identity_norm(f"{name}.bn", bias)}
    if "conv5" in name:
        return {f"{name}.weight": weight, f"{name}.bias": bias}
    return {f"{name}.0.weight": weight, f"{name}.0.bias": bias, **identity_norm(f"{name}.1", torch.zeros_like(bias))}


def identity_norm(name: str, bias: Tensor) -> dict[str, Tensor]:
    """A batch norm that adds `bias` and nothing else."""
    return {
        f"{name}.weight": torch.ones_like(bias),
        f"{name}.bias": bias,
        f"{name}.running_mean": torch.zeros_like(bias),
        f"{name}.running_var": torch.full_like(bias, 1 - BATCH_NORM_EPS),
    }
