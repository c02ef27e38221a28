"""Anchors: boxes of a few shapes around every cell, which a network moves and stretches. Li et al., CVPR 2018 (SiamRPN), section 3.

B batch, A anchors of a cell, G x G cells. Boxes are in pixels of the search crop.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sightline.models.layers.siamese import Pick, hanning2d, pick

__all__ = ["anchor_sizes", "choose_anchor", "decode_anchors", "target_scores"]

RATIOS = (0.33, 0.5, 1, 2, 3)  # height over width
LARGEST = 40.0  # logarithm of how far a size can grow: keeps those of an untrained network finite


def anchor_sizes(*, stride: int = 8, scale: int = 8) -> Tensor:
    """Width and height (A, 2) float32: `scale` cells of `stride` pixels squared in area, of every one of `RATIOS`."""
    sizes = []
    for ratio in RATIOS:
        width = int(math.sqrt(stride * stride / ratio))  # as published: cut to whole pixels, twice
        sizes.append((width * scale, int(width * ratio) * scale))
    return torch.tensor(sizes, dtype=torch.float32)


def target_scores(logits: Tensor) -> Tensor:
    """The probability (B, A, G, G) that an anchor shows the target, from logits (B, 2 A, G, G): background of all, then target of all."""
    background, target = logits.chunk(2, dim=1)
    return torch.softmax(torch.stack([background, target], dim=1), dim=1)[:, 1]


def decode_anchors(offsets: Tensor, sizes: Tensor, points: Tensor) -> Tensor:
    """Boxes cx, cy, w, h (B, 4, A, G, G) from offsets (B, 4 A, G, G): dx of all anchors in their widths, dy, and logarithms of dw, dh.

    Args:
        offsets: what the network says.
        sizes: of the anchors (A, 2).
        points: (G,) where the cells of each axis stand.
    """
    side = points.shape[0]
    dx, dy, dw, dh = offsets.reshape(offsets.shape[0], 4, -1, side, side).unbind(1)
    width, height = sizes.reshape(1, -1, 1, 1, 2).unbind(4)
    x, y = points.reshape(1, 1, 1, -1), points.reshape(1, 1, -1, 1)
    return torch.stack(
        [dx * width + x, dy * height + y, torch.exp(dw.clamp(max=LARGEST)) * width, torch.exp(dh.clamp(max=LARGEST)) * height], dim=1
    )


def choose_anchor(boxes: Tensor, scores: Tensor, *, prior: Tensor, penalty: float, window: float) -> tuple[Tensor, Pick]:
    """The best box by score, change of size and shape, and distance from the middle.

    Args:
        boxes: (B, 4, A, G, G) as cx, cy, w, h.
        scores: (B, A, G, G) in 0..1.
        prior: (B, 2) width and height of the last box.
        penalty: k in exp(-k (change - 1)).
        window: its share in what is compared.

    Returns:
        Its box (B, 4) as cx, cy, w, h, and which one it is: anchor by anchor, then row by row.
    """
    cells = hanning2d(scores.shape[-1], scores.device).expand(scores.shape[1], -1, -1).flatten()
    flat = boxes.flatten(2)
    best = pick(scores.flatten(1), flat[:, 2:], prior=prior, penalty=penalty, window=cells, share=window)
    return flat.gather(2, best.place.unsqueeze(1).expand(-1, 4, -1)).squeeze(2), best
