"""int8 for OpenVINO, by NNCF: symmetric ranges, smoothed inputs of linear layers, corrected biases; the result is ONNX again.

Measured on kestrel-nano, vittrack-nano and nanotrack-v2 (docs/how-to/speed.md): asymmetric activations cost .03 to .05 of overlap; the
transformer scheme is needed where there is attention (.86 without) and ruins networks without it (.5 with).
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import nncf
import onnx

from sightline.engines import Array
from sightline.quantize.graph import exact, folded, has_attention

__all__ = ["quantize"]


def quantize(weights: Path, samples: Sequence[Mapping[str, Array]]) -> onnx.ModelProto:
    """An ONNX file with rounding in it.

    Args:
        weights: the graph in f32.
        samples: inputs of it, of batch 1.
    """
    model = folded(weights)
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        quantised = nncf.quantize(
            model,
            nncf.Dataset([dict(sample) for sample in samples]),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            model_type=nncf.ModelType.TRANSFORMER if has_attention(model.graph) else None,
            subset_size=len(samples),
            ignored_scope=nncf.IgnoredScope(names=exact(model.graph), validate=False),
        )
    assert isinstance(quantised, onnx.ModelProto)
    return quantised
