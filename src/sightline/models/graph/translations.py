"""How torch's exporter writes two operations of transformers, in place of its own longer way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from onnx import numpy_helper
from onnxscript import ir
from onnxscript import opset20 as op

__all__ = ["TRANSLATIONS"]


def attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,  # noqa: ARG001  # the names are torch's; nothing is dropped outside training
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: ARG001  # all heads have keys of their own
) -> Any:
    """`torch.nn.functional.scaled_dot_product_attention` in ONNX, of (B, H, N, D) and (B, H, M, D).

    Two products and a softmax. Torch's own translation computes the scale from the shape at run time: nine nodes more in each block.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    logits = op.Mul(op.MatMul(query, op.Transpose(key, perm=[0, 1, 3, 2])), op.Constant(value_float=float(scale)))
    if is_causal:
        seen = np.tril(np.ones((query.shape[-2], key.shape[-2]), bool))
        attn_mask = op.Constant(value=numpy_helper.from_array(seen))
    if attn_mask is None:
        return op.MatMul(op.Softmax(logits, axis=-1), value)
    if not is_causal and attn_mask.dtype != ir.DataType.BOOL:
        return op.MatMul(op.Softmax(op.Add(logits, attn_mask), axis=-1), value)
    logits = op.Where(attn_mask, logits, op.Constant(value_float=float("-inf")))
    return op.MatMul(op.Softmax(logits, axis=-1), value)


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """`torch.nn.functional.linear` in ONNX, of (..., C) by (O, C) and (O,).

    One Gemm of two matrices, which begins with the bias. Torch's own translation adds the bias in a second pass over the result.
    """
    *rows, channels = x.shape
    num_unknown = sum(not isinstance(length, int) for length in rows)
    if bias is None or not rows or num_unknown > 1:  # a Reshape can leave one length open, not two
        product = op.MatMul(x, op.Transpose(weight, perm=[1, 0]))
        return product if bias is None else op.Add(product, bias)
    if len(rows) == 1:
        return op.Gemm(x, weight, bias, transB=1)
    flat: Any = op.Constant(value_ints=[-1, channels])
    shape: Any = op.Constant(value_ints=[*(length if isinstance(length, int) else -1 for length in rows), weight.shape[0]])
    return op.Reshape(op.Gemm(op.Reshape(x, flat), weight, bias, transB=1), shape)


TRANSLATIONS: Mapping[Any, Callable[..., Any]] = {
    torch.ops.aten.scaled_dot_product_attention.default: attention,
    torch.ops.aten.linear.default: linear,
}
