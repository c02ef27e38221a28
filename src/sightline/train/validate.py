"""How good a network is on fixed pairs of the validation split: where it puts the box, and whether its score tells the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightline.box import iou, xywh_from_cxcywh
from sightline.spec import Spec
from sightline.train.forward import answer
from sightline.train.pairs import Pairs
from sightline.train.samples import PairSamples, SampleList, collate

__all__ = ["Answers", "answers", "rank_auc"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network said about pairs: (N,) each; `overlap` is the IoU with the truth and means nothing where not `present`.

    `notes` are of what could not be read, by name, and why: other pairs were drawn instead.
    """

    overlap: NDArray[np.float64]
    score: NDArray[np.float64]
    present: NDArray[np.bool_]
    notes: tuple[tuple[str, str], ...] = ()

    def figures(self) -> dict[str, float]:
        """Mean IoU and share of IoU over 0.5 of the present; how well the score parts found targets from absent ones. What there is none of is left out."""
        found = self.overlap[self.present]
        figures = {"presence_auc": rank_auc(self.score[self.present], self.score[~self.present])}
        if len(found):
            figures |= {"iou": float(found.mean()), "success": float((found > 0.5).mean())}
        return {name: value for name, value in figures.items() if math.isfinite(value)}


@torch.inference_mode()
def answers(network: nn.Module, samples: SampleList | Pairs, spec: Spec, *, batch: int = 32) -> Answers:
    """Run a network over all samples, decoded as when tracking.

    Args:
        network: has `step` and perhaps `init` (`sightline.models`).
        samples: what to run on.
        spec: of the network.
        batch: samples at a time.
    """
    network.eval()
    samples = PairSamples(samples) if isinstance(samples, Pairs) else samples
    device = next(network.parameters()).device
    boxes, truths, scores, present = [], [], [], []
    notes: list[tuple[str, str]] = []
    for start in range(0, len(samples), batch):
        arrays, _, found = collate([samples[i] for i in range(start, min(start + batch, len(samples)))])
        notes += found
        for place, (said, _) in enumerate(answer(network, spec, {name: value.to(device) for name, value in arrays.items()})):
            boxes.append(said["box"].double().cpu().numpy())
            scores.append(said["score"].double().cpu().numpy() if "score" in said else np.full(len(boxes[-1]), np.nan))
            truths.append(arrays["box"][:, place].double().numpy())
            present.append(arrays["present"][:, place].numpy() > 0)
    overlap = iou(xywh_from_cxcywh(np.concatenate(boxes)), xywh_from_cxcywh(np.concatenate(truths)))
    return Answers(overlap.astype(np.float64), np.concatenate(scores), np.concatenate(present), tuple(notes))


def rank_auc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """The chance that a positive scores above a negative, a tie counting half; NaN where one of them is empty."""
    if not len(positive) or not len(negative):
        return float("nan")
    above = (positive[:, np.newaxis] > negative).mean()
    ties = (positive[:, np.newaxis] == negative).mean()
    return float(above + 0.5 * ties)
