"""Boxes as four words, x1, y1, x2, y2, each a place along a side of the search crop or half a side beyond it (ARTrack).

Wei et al., CVPR 2023, section 3.2. With N bins to a side there are 2 N words, from 0 half a side before the crop on; behind them
stand words that mean something else. V all of them, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BEYOND", "Vocabulary", "places"]

BEYOND = 0.5  # sides of the crop on either side of it


def places(boxes: Tensor, bins: int, size: int) -> Tensor:
    """Where boxes lie on the scale of words; the word is the whole number below.

    Args:
        boxes: (B, K, 4) as cx, cy, w, h in 0..1 of the search crop.
        bins: to a side of it.
        size: of it in pixels.

    Returns:
        (B, 4 K) float32 in 0..2 (N - 1): x1, y1, x2, y2 of every box, one after another.
    """
    half = boxes[..., 2:] / 2
    centre = boxes[..., :2] - 0.5 / size  # as published: the middle of a crop is the pixel (size - 1) / 2
    corners = torch.cat([centre - half, centre + half], dim=2).clamp(-BEYOND, 1 + BEYOND)
    return (corners.flatten(1) + BEYOND) * (bins - 1)


class Vocabulary(nn.Module):
    """Words as vectors: to read them, and to write the one that is most like a feature.

    As published: a word that is longer than 1 is shortened for good when it is first read, while what is written is compared
    with words as they are. So which have been read is state (`seen`), and no weight changes.
    """

    def __init__(self, num: int, width: int) -> None:
        super().__init__()
        self.words = nn.Parameter(torch.randn(num, width) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(num))

    def shortening(self) -> Tensor:
        """What every word (V, 1) is multiplied by so that none is longer than 1."""
        length = self.words.norm(dim=1, keepdim=True)
        return torch.where(length > 1, 1 / (length + 1e-7), torch.ones_like(length))

    def unseen(self, like: Tensor) -> Tensor:
        """Zeros (B, V) for a batch like that of (B, ...): nothing was read yet."""
        return torch.zeros_like(self.bias).repeat(like.shape[0], 1)

    def read(self, words: Tensor) -> Tensor:
        """Vectors (B, n, C) of words (B, n) int64."""
        return functional.embedding(words, self.words * self.shortening())

    def compare(self, features: Tensor, seen: Tensor) -> Tensor:
        """Logits (B, n, V) of the words for features (B, n, C), given `seen` (B, V): 1 for words that were read, else 0."""
        logits = features @ self.words.T
        return logits * (1 + seen * (self.shortening()[:, 0] - 1)).unsqueeze(1) + self.bias
