"""Labels and losses for a map of responses, as SiamFC is trained: is the target in this cell?

B batch, R x R response. Bertinetto et al. 2016, section 3.3, for labels and the balanced loss; Lin et al., ICCV 2017 (focal);
Li et al., AAAI 2019 (gradient harmonizing); Shrivastava et al., CVPR 2016 (hard examples). Golden: components/siamfc_labels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["balanced", "focal", "hard_negatives", "harmonized", "response_labels"]


def response_labels(side: int, *, stride: int, positive: float, negative: float = 0.0) -> Tensor:
    """Where the target is: 1 near the middle, 0 far from it, 0.5 (does not count) between: (1, 1, side, side) float32.

    Args:
        side: R.
        stride: pixels between two cells.
        positive: up to this distance in pixels, along both axes together, the target is here.
        negative: from this distance on it is not.
    """
    line = (torch.arange(side) - (side - 1) / 2).abs()
    distance = line.unsqueeze(1) + line
    far = torch.where(distance < negative / stride, 0.5, 0.0)
    return torch.where(distance <= positive / stride, 1.0, far).reshape(1, 1, side, side)


def balanced(logits: Tensor, labels: Tensor, *, negative: float = 1.0) -> Tensor:
    """Cross entropy in which cells with and without the target weigh alike, the latter times `negative`.

    Args:
        logits: (B, 1, R, R), as `labels` of 0, 0.5 and 1.
        labels: at least one 1 and one 0 among them.
        negative: weight of cells without the target, against one.
    """
    here, gone = (labels == 1).float(), (labels == 0).float()
    weights = here / here.sum() + negative * gone / gone.sum()
    return (_entropy(logits, labels) * weights).sum() / weights.sum()


def focal(logits: Tensor, labels: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Cross entropy in which a cell weighs by its error to the power of gamma, over the mean of that; arguments as `balanced`."""
    weights = (torch.sigmoid(logits) - labels).abs() ** gamma
    return (_entropy(logits, labels) * weights).mean() / weights.mean()  # as published: gradients pass through the mean too


def hard_negatives(logits: Tensor, labels: Tensor, *, ratio: float = 3.0) -> Tensor:
    """Mean cross entropy of all cells with the target and `ratio` times as many of the largest logits among those without."""
    entropy, here, gone = _entropy(logits, labels).flatten(), (labels == 1).flatten(), (labels == 0).flatten()
    wanted = min(int(ratio * int(here.sum())), int(gone.sum()))
    hardest = logits.detach().flatten().masked_fill(~gone, -torch.inf).topk(wanted).indices
    return torch.cat([entropy[here], entropy[hardest]]).mean()


def harmonized(
    logits: Tensor, labels: Tensor, *, bins: int = 30, before: Tensor | None = None, momentum: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Cross entropy in which a cell weighs less the more cells have a gradient as large as its own.

    Args:
        logits: (B, 1, R, R), as `labels`.
        labels: 0..1.
        bins: of gradients, which lie in 0..1.
        before: (bins,) what the call before returned; None in the first.
        momentum: share of `before` in the counts.

    Returns:
        The loss, and counts (bins,) for the next call.
    """
    gradient = (torch.sigmoid(logits) - labels).abs().detach()
    bin_of = (gradient * bins).long().clamp(max=bins - 1)
    found = torch.bincount(bin_of.flatten(), minlength=bins).float()
    counts = found * (1 - momentum) if before is None else before * momentum + found * (1 - momentum)
    weights = 1 / counts[bin_of]
    return (_entropy(logits, labels) * weights).sum() / weights.sum(), counts


def _entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
