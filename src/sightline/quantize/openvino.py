"""int8 for OpenVINO, by NNCF: symmetric ranges, smoothed inputs of linear layers, biases corrected or not; the result is ONNX again.

Corrected biases move the mean of what a layer says to where it was. That is worked out of the mean of each channel of what the layer reads: pixels in
lines are one channel of three colours, which is too few, and corrections of early layers are worth little to later ones. So both ways are tried.

What was tried on kestrel-nano, vittrack-nano, nanotrack-v2 and merlin and kept their boxes less well: asymmetric activations; NNCF's transformer scheme
where there is no attention, and its plain one where there is; extremes of ranges, with and without outliers, in place of their means.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Mapping, Sequence
from functools import partial

import nncf
import onnx

from sightline.engines import Array
from sightline.quantize.graph import correlations, exact, has_attention

__all__ = ["WAYS", "quantize"]


def quantize(
    model: onnx.ModelProto, samples: Sequence[Mapping[str, Array]], spared: Sequence[str], *, corrects_biases: bool = False
) -> onnx.ModelProto:
    """A graph with rounding in it.

    Args:
        model: in f32 (`graph.whole`; for onnxruntime, `graph.folded`).
        samples: inputs of it, of batch 1.
        spared: names of nodes that stay in f32, besides those that decode.
        corrects_biases: of convolutions and linear layers.
    """
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        quantised = nncf.quantize(
            model,
            nncf.Dataset([dict(sample) for sample in samples]),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            model_type=nncf.ModelType.TRANSFORMER if has_attention(model.graph) else None,
            subset_size=len(samples),
            ignored_scope=nncf.IgnoredScope(names=sorted({*exact(model.graph), *correlations(model.graph), *spared}), validate=False),
            advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=not corrects_biases),
        )
    assert isinstance(quantised, onnx.ModelProto)
    return quantised


WAYS = {"biases as they were": quantize, "biases corrected": partial(quantize, corrects_biases=True)}
