"""How good a network is on fixed pairs of the validation split: where it puts the box, and whether its score tells the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightline.box import iou, xywh_from_cxcywh
from sightline.train.pairs import Pairs

__all__ = ["Answers", "answers", "rank_auc"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network said about pairs: (N,) each; `overlap` is the IoU with the truth and means nothing where not `present`."""

    overlap: NDArray[np.float64]
    score: NDArray[np.float64]
    present: NDArray[np.bool_]

    def figures(self) -> dict[str, float]:
        """Mean IoU and share of IoU over 0.5 of the present; how well the score parts found targets from absent ones."""
        found = self.overlap[self.present]
        return {
            "iou": float(found.mean()),
            "success": float((found > 0.5).mean()),
            "presence_auc": rank_auc(self.score[self.present], self.score[~self.present]),
        }


@torch.inference_mode()
def answers(network: nn.Module, pairs: Pairs, *, batch: int = 32) -> Answers:
    """Run a network over all pairs, decoded as when tracking.

    Args:
        network: has `step` and perhaps `init` (`sightline.models`).
        pairs: what to run on.
        batch: pairs at a time.
    """
    network.eval()
    boxes, truths, scores, present = [], [], [], []
    for start in range(0, len(pairs), batch):
        members = [pairs[i] for i in range(start, min(start + batch, len(pairs)))]
        template, search = (torch.from_numpy(np.stack([member[name] for member in members])) for name in ("template", "search"))
        state = getattr(network, "init")(template=template) if hasattr(network, "init") else {"template": template}  # noqa: B009  # nn.Module's attributes are tensors or modules to mypy
        outputs = getattr(network, "step")(search=search, **state)  # noqa: B009  # likewise
        boxes.append(outputs["box"].double().numpy())
        scores.append(outputs["score"].double().numpy())
        truths.append(np.stack([member["box"] for member in members]).astype(np.float64))
        present.append(np.array([member["present"] > 0 for member in members]))
    overlap = iou(xywh_from_cxcywh(np.concatenate(boxes)), xywh_from_cxcywh(np.concatenate(truths)))
    return Answers(overlap.astype(np.float64), np.concatenate(scores), np.concatenate(present))


def rank_auc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """The chance that a positive scores above a negative, a tie counting half; NaN where one of them is empty."""
    if not len(positive) or not len(negative):
        return float("nan")
    above = (positive[:, np.newaxis] > negative).mean()
    ties = (positive[:, np.newaxis] == negative).mean()
    return float(above + 0.5 * ties)
