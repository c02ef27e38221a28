"""Losses of networks in which every search token or cell says a box and whether it is on the target.

TransT and HCAT (`tokens.py`), SwinTrack (`overlap.py`), LoRAT; and SiamFC's and DCFNet's maps of responses (`responses.py`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from sightline.models.layers.peaks import gaussian_labels
from sightline.train import responses as maps
from sightline.train.losses import giou
from sightline.train.objectives.heard import Heard, Parts, corners_of, mean_of
from sightline.train.overlap import overlap_losses
from sightline.train.tokens import target_cells, token_losses

__all__ = ["bumps", "overlaps", "qualities", "responses", "tokens"]


def tokens(given: Heard) -> Parts:
    """`cells`: cross entropy of all tokens; `l1`, `giou` of those on the target."""
    logits, boxes = (value.float() for value in given.heard["head"])
    entropy, l1, overlap = token_losses(logits[given.present], boxes[given.present], given.box[given.present])
    return {"cells": entropy, "l1": l1, "giou": overlap}


def overlaps(given: Heard) -> Parts:
    """`varifocal` of the overlap that every token foretells; `giou` of those on the target."""
    seen = given.heard["look"]
    side = math.isqrt(seen.score.shape[1])
    score, boxes = seen.score.float().sigmoid().unflatten(1, (side, side)), seen.boxes.float().unflatten(1, (side, side))
    truth = corners_of(given.box)
    varifocal, overlap, _ = overlap_losses(score[given.present], boxes[given.present], truth[given.present])
    return {"varifocal": varifocal, "giou": overlap}


def qualities(given: Heard) -> Parts:
    """`score`: cross entropy with the overlap of its box as the truth of every cell on the target; `giou` of those. Lin et al., ECCV 2024."""
    logits, distances = given.heard["look"].logits.float(), given.heard["look"].distances.float()
    side = logits.shape[-1]
    middle = (torch.arange(side, device=logits.device) + 0.5) / side
    x, y = middle.reshape(1, 1, -1), middle.reshape(1, -1, 1)
    left, top, right, bottom = distances.unbind(1)
    said = torch.stack([x - left, y - top, x + right, y + bottom], dim=3)  # (B, G, G, 4)
    truth = corners_of(given.box)
    on_target = target_cells(truth, side) & given.present.reshape(-1, 1, 1)
    full, plain = giou(said[on_target], truth.reshape(-1, 1, 1, 4).expand_as(said)[on_target])
    quality = torch.zeros_like(logits)
    quality[on_target] = plain.detach().clamp(0, 1)
    entropy = functional.binary_cross_entropy_with_logits(logits, quality, reduction="sum") / on_target.sum().clamp(min=1)
    return {"score": entropy, "giou": mean_of(1 - full)}


def responses(given: Heard) -> Parts:
    """`score`: balanced cross entropy of SiamFC's responses; the target stands in the middle of the search crop."""
    found: Tensor = given.heard["correlate"].float()  # (B, 1, R, R)
    labels = maps.response_labels(found.shape[-1], stride=8, positive=16.0).to(found.device)
    return {"score": maps.balanced(found, labels.expand_as(found))}


def bumps(given: Heard) -> Parts:
    """`score`: squared distance of DCFNet's response from a bump at the target, whose place is the first cell when it has not moved."""
    found: Tensor = given.heard["waves.back"].float()[:, 0]  # (B, S, S)
    side = found.shape[-1]
    sigma = side / given.spec.arch.context * given.spec.arch.sigma
    # rows and columns from the middle cell; then the middle becomes the first cell
    label = gaussian_labels((given.box[:, [1, 0]] - 0.5) * side, sigma, side)
    label = torch.roll(label, (-(side // 2), -(side // 2)), dims=(1, 2))
    return {"score": (found - label).square().sum(dim=(1, 2)).mean()}
