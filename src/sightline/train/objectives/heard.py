"""What an objective is given: a network's answer, and the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.spec import Spec

__all__ = ["Heard", "Objective", "Parts", "balanced_entropy", "corners_of", "mean_of", "some"]

Parts: TypeAlias = dict[str, Tensor]


class Heard(NamedTuple):
    """One search crop of a batch.

    network  that answered, of `spec`
    said     outputs of `step`
    heard    what its parts returned
    box      (B, 4) the truth as cx, cy, w, h in 0..1 of the search crop; means nothing where not present
    present  (B,) bool
    arrays   what else the network was given for this crop, without templates
    """

    network: nn.Module
    spec: Spec
    said: dict[str, Tensor]
    heard: dict[str, Any]
    box: Tensor
    present: Tensor
    arrays: dict[str, Tensor]

    @property
    def size(self) -> int:
        """Of the search crop, in pixels."""
        return int(self.arrays["search"].shape[-2])


@dataclass(frozen=True, slots=True)
class Objective:
    """How a kind of networks learns.

    Attributes:
        listen: the parts that are listened to (`forward.listening`).
        parts: the losses by name, scalars without their weights (`recipe.Loss`).
    """

    listen: tuple[str, ...]
    parts: Callable[[Heard], Parts]


def corners_of(boxes_cxcywh: Tensor) -> Tensor:
    """Corners (..., 4) of boxes given by centre and size, cut off at the crop: what is outside cannot be seen."""
    return xyxy_from_cxcywh(boxes_cxcywh).clamp(0, 1)


def mean_of(values: Tensor) -> Tensor:
    """The mean of some values; 0 where there is none, with a gradient of 0."""
    return values.sum() / max(1, values.numel())


def some(allowed: Tensor, most: int | Tensor) -> Tensor:
    """At most so many (for all, or (B,)) of what is allowed (B, ...) bool in each of a batch, at random."""
    flat = allowed.flatten(1)
    rank = torch.where(flat, torch.rand(flat.shape, device=flat.device), 2.0).argsort(dim=1).argsort(dim=1)
    limit = most.unsqueeze(1) if isinstance(most, Tensor) else most
    return (flat & (rank < limit)).reshape(allowed.shape)


def balanced_entropy(logits: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Binary cross entropy in which cells on the target and others have half of the weight each; the rest does not count.

    Args:
        logits: any shape.
        positive: bool, likewise.
        negative: bool, likewise.
    """
    here = mean_of(torch.nn.functional.softplus(-logits[positive]))
    gone = mean_of(torch.nn.functional.softplus(logits[negative]))
    return 0.5 * here + 0.5 * gone
