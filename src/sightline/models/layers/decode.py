"""Around the network: pixels in, boxes out. All of it is part of the exported graph."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sightline.models.layers.heads import CenterMaps, CornerMaps

__all__ = ["decode_center", "decode_corners", "hann2d", "normalize", "target_corners", "unit"]

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB, for values in 0..1
STD = (0.229, 0.224, 0.225)


def normalize(pixels: Tensor) -> Tensor:
    """uint8 RGB (B, H, W, 3) to zero-mean floats (B, 3, H, W), by the mean and deviation of ImageNet."""
    mean = torch.tensor(MEAN, device=pixels.device).reshape(1, 3, 1, 1)
    std = torch.tensor(STD, device=pixels.device).reshape(1, 3, 1, 1)
    return (unit(pixels) - mean) / std


def unit(pixels: Tensor) -> Tensor:
    """uint8 RGB (B, H, W, 3) to floats 0..1 (B, 3, H, W)."""
    planes = pixels.permute(0, 3, 1, 2).contiguous()  # convolutions add up in another order where channels come last in memory
    return planes.float() / 255.0


def target_corners(target: Tensor, size: int) -> Tensor:
    """Where the target is in the template crop, for networks of the PyTracking family that are told so.

    Args:
        target: (B, 4), the box as cx, cy, w, h in 0..1 of the template crop.
        size: of the template crop in pixels.

    Returns:
        (B, 4) as x1, y1, x2, y2 in 0..1 of the template crop.
    """
    centre = target[:, :2] - 0.5 / size  # as published: the middle of a crop is the pixel (size - 1) / 2
    return torch.cat([centre - target[:, 2:] / 2, centre + target[:, 2:] / 2], dim=1)


def hann2d(side: int, *, centered: bool = True) -> Tensor:
    """Window (1, 1, side, side) float32, largest in the middle; without `centered` the middle is the first cell.

    Centred: 0.5 (1 - cos(2 pi k / (side + 1))), k = 1..side, outer product. As in the PyTracking family.
    """
    line = hann1d(side, centered=centered)
    return line.reshape(1, 1, -1, 1) * line.reshape(1, 1, 1, -1)


def hann1d(side: int, *, centered: bool = True) -> Tensor:
    """One axis of `hann2d`: (side,) float32."""
    if centered:
        return 0.5 * (1 - torch.cos((2 * math.pi / (side + 1)) * torch.arange(1, side + 1).float()))
    half = 0.5 * (1 + torch.cos((2 * math.pi / (side + 2)) * torch.arange(0, side // 2 + 1).float()))
    return torch.cat([half, half[1 : side - side // 2].flip((0,))])


def decode_center(maps: CenterMaps, window: Tensor, *, windowed: bool = False) -> tuple[Tensor, Tensor]:
    """The box at the largest response, where the response is score times window.

    Args:
        maps: what the head says about every cell.
        window: (1, 1, G, G).
        windowed: the score is the largest response, not the largest score of the map.

    Returns:
        boxes (B, 4) as cx, cy, w, h in 0..1 of the search crop, and their scores (B,).
        The first of equal maxima wins.
    """
    side = maps.score.shape[-1]
    response = maps.score * window
    best = response.flatten(1).argmax(dim=1, keepdim=True)  # (B, 1)
    at = best.unsqueeze(1)  # (B, 1, 1)
    size = maps.size.flatten(2).gather(2, at.expand(-1, 2, -1)).squeeze(2)  # (B, 2)
    offset = maps.offset.flatten(2).gather(2, at.expand(-1, 2, -1)).squeeze(2)
    column, row = best % side, torch.div(best, side, rounding_mode="floor")
    centre = (torch.cat([column, row], dim=1) + offset) / side
    return torch.cat([centre, size], dim=1), (response if windowed else maps.score).flatten(1).amax(dim=1)


def decode_corners(maps: CornerMaps, *, shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """The box between the expected positions of two corners, each map read as a distribution over cells.

    Args:
        maps: logits of both corners.
        shift: where inside a cell the top-left and the bottom-right corner lie: 0 is its near side, 1 its far side.

    Returns:
        boxes (B, 4) as cx, cy, w, h in 0..1 of the search crop; w and h are negative where the corners have changed places.
    """
    low, high = _expected_cell(maps.top_left), _expected_cell(maps.bottom_right)
    side = maps.top_left.shape[-1]
    low, high = (low + shift[0]) / side, (high + shift[1]) / side
    return torch.cat([(low + high) / 2, high - low], dim=1)


def _expected_cell(logits: Tensor) -> Tensor:
    """Mean column and row (B, 2) of a map of logits (B, 1, G, G)."""
    side = logits.shape[-1]
    share = torch.softmax(logits.flatten(1), dim=1).reshape(-1, side, side)
    cells = torch.arange(side, device=logits.device, dtype=logits.dtype)
    return torch.stack([(share.sum(dim=1) * cells).sum(dim=1), (share.sum(dim=2) * cells).sum(dim=1)], dim=1)
