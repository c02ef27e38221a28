"""What an autoencoder draws, as a picture for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.models.layers.decode import MEAN, STD
from sightline.train.pretrain.masks import normalised_patches, patches_of, pixels_of

__all__ = ["reconstructions"]

GREY = 0.5
GAP = 4  # pixels


def reconstructions(
    crops: Sequence[Tensor], targets: Sequence[Tensor], visible: Tensor, drawn: Tensor, *, normalise: bool
) -> NDArray[np.uint8]:
    """A row for each sample; for each crop what was shown, what was drawn where nothing was shown, and what there was to draw.

    Args:
        crops: normalised pixels (B, 3, 16 G, 16 G) of each crop.
        targets: likewise, what was to be drawn.
        visible: (B, N) bool.
        drawn: (B, N, P) as the decoder gives them.
        normalise: as in `masks.reconstruction_loss`; the drawing then gets the true mean and deviation of each patch.

    Returns:
        (H, W, 3) RGB.
    """
    counts = [(crop.shape[-1] // 16) ** 2 for crop in crops]
    columns = []
    parts = zip(crops, targets, torch.split(visible, counts, dim=1), torch.split(drawn, counts, dim=1), strict=True)
    for crop, target, shown, guess in parts:
        wanted = patches_of(target)
        if normalise:
            _, mean, deviation = normalised_patches(wanted)
            guess = guess * deviation + mean
        seen, side = shown.unsqueeze(2), crop.shape[-1] // 16
        grey = patches_of(_grey(crop))
        pieces = (torch.where(seen, patches_of(crop), grey), torch.where(seen, wanted, guess), wanted)
        columns += [pixels_of(piece, side) for piece in pieces]
    height = max(column.shape[-1] for column in columns)
    rows = [np.concatenate([_framed(column[i], height) for column in columns], axis=1) for i in range(len(drawn))]
    return np.concatenate(rows, axis=0)


def _grey(like: Tensor) -> Tensor:
    """A grey crop, normalised."""
    level = [(GREY - mean) / std for mean, std in zip(MEAN, STD, strict=True)]
    return torch.tensor(level, dtype=like.dtype, device=like.device).reshape(1, 3, 1, 1).expand_as(like)


def _framed(pixels: Tensor, height: int) -> NDArray[np.uint8]:
    """Normalised pixels (3, h, w) as uint8 (height + gap, w + gap, 3), white around."""
    image = pixels.detach().cpu().float() * torch.tensor(STD).reshape(3, 1, 1) + torch.tensor(MEAN).reshape(3, 1, 1)
    canvas = np.full((height + GAP, image.shape[2] + GAP, 3), 255, np.uint8)
    canvas[: image.shape[1], : image.shape[2]] = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return canvas
