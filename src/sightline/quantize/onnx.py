"""int8 for onnxruntime: QDQ, tuned so that what it would fuse in f32 is still fused.

Bytes between a product and its bias, or between the pieces of a GELU, keep the two from being one operation; a softmax between quantised
products becomes one of integers, which takes longer than all others; a convolution of three channels is many times slower in int8.

Ranges are the means of those of all crops, which kept merlin's boxes best: better than the extremes of all, percentiles or entropy. For kestrel-nano
they are all alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from sightline.engines import Array
from sightline.quantize.graph import correlations, exact, on_pixels, products

__all__ = ["WAYS", "quantize"]

TYPES = ["Conv", "Gemm", "MatMul"]


@dataclass
class _Samples(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    left: Iterator[Mapping[str, Array]]

    def get_next(self) -> Mapping[str, Array] | None:
        return next(self.left, None)


def quantize(model: onnx.ModelProto, samples: Sequence[Mapping[str, Array]], spared: Sequence[str]) -> onnx.ModelProto:
    """As `sightline.quantize.openvino.quantize`."""
    graph = model.graph
    names = {entry.name for entry in graph.input}
    given = [{name: array for name, array in sample.items() if name in names} for sample in samples]
    with TemporaryDirectory() as folder:
        after = Path(folder, "after.onnx")
        quantize_static(
            model,
            after,
            _Samples(iter(given)),
            op_types_to_quantize=TYPES,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted({*exact(graph), *products(graph), *correlations(graph), *on_pixels(graph), *spared}),
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"], "CalibMovingAverage": True},
        )
        return onnx.load(after)


WAYS = {"biases as they were": quantize}
