"""What Siamese trackers share: correlations of a template with a search region, and the choice among boxes around grid points.

B batch, C channels, K cells of the template, G x G grid of the search region. Points and boxes are in pixels of the search crop.
Li et al., CVPR 2018 (SiamRPN), section 4.3, for penalty, window and smoothing; Yan et al., CVPR 2021 (Alpha-Refine) for the
pixel-wise correlation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = [
    "ChannelAttention",
    "Choice",
    "DistanceMaps",
    "Pick",
    "PixelCorrelation",
    "choose",
    "correlate",
    "correlate_channels",
    "correlate_pixels",
    "grid_points",
    "hanning2d",
    "pick",
    "planes",
    "smooth",
]


def planes(pixels: Tensor) -> Tensor:
    """uint8 RGB (B, H, W, 3) to floats 0..255 (B, 3, H, W) in the order BGR, without normalisation."""
    return pixels.flip((3,)).permute(0, 3, 1, 2).contiguous().float()


def correlate_pixels(template: Tensor, search: Tensor) -> Tensor:
    """Every template cell as a 1x1 kernel: (B, C, h, w) and (B, C, G, G) to (B, h w, G, G), cells row by row."""
    kernels = template.flatten(2).transpose(1, 2)  # (B, K, C)
    response: Tensor = torch.matmul(kernels, search.flatten(2))
    return response.reshape(*response.shape[:2], *search.shape[-2:])


def correlate(kernels: Tensor, search: Tensor) -> Tensor:
    """Each kernel over all channels: (B, O, C, k, k) and (B, C, G, G) to (B, O, G', G'), G' = G - k + 1.

    A product of matrices, because a convolution does not export with kernels of their own for each of a batch.
    """
    height, width = search.shape[-2] - kernels.shape[-2] + 1, search.shape[-1] - kernels.shape[-1] + 1
    windows = nn.functional.unfold(search, kernels.shape[-1])  # (B, C k k, G' G')
    return (kernels.flatten(2) @ windows).reshape(*kernels.shape[:2], height, width)


def correlate_channels(kernel: Tensor, search: Tensor, padding: int = 0) -> Tensor:
    """Each channel with its own kernel: (B, C, k, k) and (B, C, G, G) to (B, C, G', G'), G' = G + 2 padding - k + 1.

    A sum of shifted products, because a grouped convolution does not export with a batch of any size.
    """
    search = nn.functional.pad(search, (padding, padding, padding, padding))
    height, width = search.shape[-2] - kernel.shape[-2] + 1, search.shape[-1] - kernel.shape[-1] + 1
    total = torch.zeros_like(search[..., :height, :width])
    for i in range(kernel.shape[-2]):
        for j in range(kernel.shape[-1]):
            # one rounding for product and sum, as in a convolution
            total = torch.addcmul(total, kernel[..., i : i + 1, j : j + 1], search[..., i : i + height, j : j + width])
    return total


class ChannelAttention(nn.Module):
    """Each channel times a gate that sees the mean of all channels; `fc1`, `fc2`: 1x1 convolutions with bias.

    Between them there are `hidden` channels, or as many as go in.
    """

    def __init__(self, channels: int, hidden: int | None = None) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden or channels, 1)
        self.fc2 = nn.Conv2d(hidden or channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, G, G) to the same."""
        gate: Tensor = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean(dim=(2, 3), keepdim=True)))))
        return x * gate


class PixelCorrelation(nn.Module):
    """Features of both crops, a norm for each, correlated pixel by pixel, gated, and joined by a 1x1 convolution.

    Yan et al., CVPR 2021, arXiv:2104.14545 (LightTrack), section 3.3.
    """

    def __init__(self, channels: int, cells: int, joined: int) -> None:
        super().__init__()
        self.template_norm, self.search_norm = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.attention = ChannelAttention(cells)
        self.join = nn.Conv2d(cells, joined, 1)

    def compare(self, template: Tensor, search: Tensor) -> Tensor:
        """How each search cell agrees with each template cell: (B, C, h, w) and (B, C, G, G) to (B, K, G, G)."""
        response: Tensor = self.attention(correlate_pixels(self.template_norm(template), self.search_norm(search)))
        return response

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        """(B, C, h, w) and (B, C, G, G) to (B, `joined`, G, G)."""
        return self.join(self.compare(template, search))


def grid_points(side: int, stride: int, middle: float, device: torch.device) -> Tensor:
    """Where the cells of one axis stand: stride (i - side // 2) + middle, (side,) float32. Not symmetric where `side` is even."""
    return stride * (torch.arange(side, device=device) - side // 2).float() + middle


def hanning2d(side: int, device: torch.device) -> Tensor:
    """Window (side, side) float32 of numpy.hanning: zero at the border, one in the middle."""
    angle = torch.arange(side, device=device).float() * (2 * math.pi) / (side - 1)  # torch.hann_window would fix `side` in an export
    line = 0.5 - 0.5 * torch.cos(angle)
    return line.unsqueeze(1) * line


class Pick(NamedTuple):
    """Which of many boxes won: its place (B, 1), its score (B,) and its score times penalty (B,)."""

    place: Tensor
    score: Tensor
    confidence: Tensor


def pick(
    scores: Tensor, sizes: Tensor, *, prior: Tensor | None = None, penalty: float = 0.0, window: Tensor | None = None, share: float = 0.0
) -> Pick:
    """The best of N boxes by score, change of size and shape, and distance from the middle.

    Args:
        scores: (B, N) in 0..1.
        sizes: (B, 2, N) width and height.
        prior: (B, 2) width and height of the last box; None without penalty.
        penalty: k in exp(-k (change - 1)).
        window: (N,), largest in the middle; None without.
        share: of the window in what is compared.
    """
    confidence = scores if prior is None else _penalty(sizes, prior, penalty) * scores
    compared = confidence if window is None else confidence * (1 - share) + window * share
    best = compared.argmax(dim=1, keepdim=True)
    return Pick(best, scores.gather(1, best).squeeze(1), confidence.gather(1, best).squeeze(1))


class DistanceMaps(NamedTuple):
    """What heads say about every cell of the search region.

    logits     (B, 1, G, G) of the target, or (B, 2, G, G) of background and target
    distances  (B, 4, G, G) from its point to the left, top, right and bottom side of the box, in pixels of the crop
    """

    logits: Tensor
    distances: Tensor


class Choice(NamedTuple):
    """The cell that won: its box x1, y1, x2, y2 (B, 4), its score (B,) and its score times penalty (B,)."""

    box: Tensor
    score: Tensor
    confidence: Tensor


def choose(
    distances: Tensor,
    scores: Tensor,
    points: Tensor,
    *,
    prior: Tensor | None = None,
    penalty: float = 0.0,
    window: float = 0.0,
) -> Choice:
    """The best box of those around the points of a grid.

    Args:
        distances: (B, 4, G, G) from each point to the left, top, right and bottom side.
        scores: (B, G, G) in 0..1.
        points: (G,) of each axis.
        prior: as for `pick`, as penalty.
        penalty: k in exp(-k (change - 1)).
        window: its share in what is compared.
    """
    x, y = points.reshape(1, 1, -1), points.reshape(1, -1, 1)
    left, top, right, bottom = distances.unbind(1)
    boxes = torch.stack([x - left, y - top, x + right, y + bottom], dim=1).flatten(2)  # (B, 4, G * G)
    sizes = torch.stack([left + right, top + bottom], dim=1).flatten(2)
    cells = hanning2d(points.shape[0], points.device).flatten() if window else None
    best = pick(scores.flatten(1), sizes, prior=prior, penalty=penalty, window=cells, share=window)
    box = boxes.gather(2, best.place.unsqueeze(1).expand(-1, 4, -1)).squeeze(2)
    return Choice(box, best.score, best.confidence)


def _penalty(sizes: Tensor, prior: Tensor, strength: float) -> Tensor:
    """exp(-k (size change * shape change - 1)) of sizes (B, 2, N) against a last one (B, 2); 0 where a box has no extent."""
    width, height = sizes.clamp(min=1e-6).unbind(1)
    last_width, last_height = prior.unsqueeze(2).unbind(1)
    size = _change(_extent(width, height) / _extent(last_width, last_height))
    shape = _change((last_width / last_height) / (width / height))
    return torch.exp(-(size * shape - 1) * strength)


def _change(ratio: Tensor) -> Tensor:
    return torch.maximum(ratio, 1 / ratio)


def _extent(width: Tensor, height: Tensor) -> Tensor:
    """Side of SiamFC's square around a box."""
    context = (width + height) / 2
    return torch.sqrt((width + context) * (height + context))


def smooth(size: Tensor, prior: Tensor, rate: Tensor) -> Tensor:
    """Sizes (B, 2) moved from the last ones (B, 2) by a rate (B,) in 0..1."""
    rate = rate.unsqueeze(1)
    return prior * (1 - rate) + size * rate
