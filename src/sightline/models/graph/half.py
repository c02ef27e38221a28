"""Large weights in half precision: half the file, computed with in full.

Rounding and storing are two steps: weights are rounded before other steps fold anything into them, so that all of them start from the
same rounded weights; they are stored when nothing changes them any more.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = ["round_to_half", "store_in_half"]

LARGE = 256  # numbers in a constant that is worth a cast


def round_to_half(graph: onnx.GraphProto) -> None:
    """Round large float32 constants to numbers that half precision holds; a constant with numbers beyond its range stays."""
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        rounded = values.astype(np.float16).astype(np.float32) if values.dtype == np.float32 else values
        if values.size >= LARGE and np.isfinite(rounded).all():
            constant.CopyFrom(numpy_helper.from_array(rounded, constant.name))


def store_in_half(graph: onnx.GraphProto) -> None:
    """Store large float32 constants that half precision holds exactly as float16, with a cast back, which engines compute once."""
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
