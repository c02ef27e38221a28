"""Precise RoI pooling: the mean of a map over each cell of a box, exact and smooth in the box. Jiang et al., ECCV 2018, arXiv:1807.11590.

Between its cells a map is the bilinear surface through them, and zero beyond. The integral of that surface over a rectangle
is a product of two: along each axis a cell counts with the part of its triangle that lies inside. So no kernel of its own
is needed, gradients for map and box follow, and the graph exports as two products of matrices.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["pool_slope", "precise_pool"]


def precise_pool(maps: Tensor, boxes_xyxy: Tensor, size: tuple[int, int]) -> Tensor:
    """Means over the cells of boxes in maps.

    Args:
        maps: (B, C, H, W) float; the value of column j, row i stands at x = j, y = i.
        boxes_xyxy: (B, K, 4) as x1, y1, x2, y2 in columns and rows of the maps; may reach outside, where there is zero.
        size: rows and columns that each box is divided into.

    Returns:
        (B, K, C, *size), differentiable with respect to maps and boxes. A box without area gives zeros, and no gradient.

    Source: section 3.2 with its equation 4; golden/components/prroi_pool.
    """
    x1, y1, x2, y2 = boxes_xyxy.unbind(2)
    empty = ((x2 <= x1) | (y2 <= y1)).unsqueeze(2)
    across = _shares(x1, x2, size[1], maps.shape[3]).masked_fill(empty.unsqueeze(3), 0)  # (B, K, columns, W)
    down = _shares(y1, y2, size[0], maps.shape[2]).masked_fill(empty.unsqueeze(3), 0)
    rows = torch.einsum("bkph,bchw->bkpcw", down, maps)
    return torch.einsum("bkpcw,bkqw->bkcpq", rows, across)


def pool_slope(maps: Tensor, boxes_xyxy: Tensor, pull: Tensor) -> Tensor:
    """How a sum of pooled values changes with the boxes: the gradient of sum(pull * precise_pool(maps, boxes)), written out.

    So that a graph can hold it, in which nothing is differentiated.

    Args:
        maps: (B, C, H, W) float.
        boxes_xyxy: (B, K, 4).
        pull: (B, K, C, rows, columns), weights of the pooled values.

    Returns:
        (B, K, 4), the change with x1, y1, x2, y2; zero for a box without area.
    """
    sound = (boxes_xyxy[..., 2:] > boxes_xyxy[..., :2]).all(dim=2, keepdim=True)
    x1, y1, x2, y2 = torch.where(sound, boxes_xyxy, torch.tensor([0.0, 0.0, 1.0, 1.0], device=maps.device)).unbind(2)
    rows, columns = pull.shape[3:]
    across, down = _shares(x1, x2, columns, maps.shape[3]), _shares(y1, y2, rows, maps.shape[2])
    pulled = torch.einsum("bkpcw,bkcpq->bkqw", torch.einsum("bkph,bchw->bkpcw", down, maps), pull)
    left, right = ((pulled * slope).sum(dim=(2, 3)) for slope in _share_slopes(x1, x2, across))
    pulled = torch.einsum("bkqch,bkcpq->bkph", torch.einsum("bkqw,bchw->bkqch", across, maps), pull)
    top, bottom = ((pulled * slope).sum(dim=(2, 3)) for slope in _share_slopes(y1, y2, down))
    return torch.stack([left, top, right, bottom], dim=2) * sound


def _share_slopes(low: Tensor, high: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """How `shares` (B, K, parts, length) change with the beginnings and with the ends of their spans (B, K): two of the same shape."""
    parts, length = shares.shape[2:]
    steps = (torch.arange(parts + 1, device=low.device, dtype=low.dtype) / parts).unsqueeze(1)
    span = (high - low).unsqueeze(2).unsqueeze(3)
    edges = low.unsqueeze(2).unsqueeze(3) + span * steps  # (B, K, parts + 1, 1)
    triangle = (1 - (edges - torch.arange(length, device=low.device, dtype=low.dtype)).abs()).clamp(min=0)
    towards_low, towards_high = ((part[:, :, 1:] - part[:, :, :-1]) * parts for part in (triangle * (1 - steps), triangle * steps))
    return (towards_low + shares) / span, (towards_high - shares) / span


def _shares(low: Tensor, high: Tensor, parts: int, length: int) -> Tensor:
    """How much each of `length` cells has in the mean over each part of spans `low`..`high` (B, K): (B, K, parts, length)."""
    steps = torch.arange(parts + 1, device=low.device, dtype=low.dtype) / parts
    edges = low.unsqueeze(2) + (high - low).unsqueeze(2) * steps  # (B, K, parts + 1)
    begin, end = edges[..., :-1], edges[..., 1:]
    wide = end - begin
    wide = torch.where(wide > 0, wide, torch.ones_like(wide)).unsqueeze(3)  # the others are set to zero by the caller
    cells = torch.arange(length, device=low.device, dtype=low.dtype)
    before, after = ((edge.unsqueeze(3) - cells).clamp(-1, 1) for edge in (begin, end))
    right_before, right_after = torch.relu(before), torch.relu(after)  # whose gradient at 0 is 0: an edge on a cell counts once
    left, right = _half_triangle(before - right_before, after - right_after), _half_triangle(-right_after, -right_before)
    return (left + right) / wide


def _half_triangle(begin: Tensor, end: Tensor) -> Tensor:
    """Integral of 1 + x from `begin` to `end`, both in -1..0: without the cancellation of two squares, for narrow spans."""
    return (end - begin) * (1 + (begin + end) / 2)
