"""How good a network is on fixed pairs of the validation split: where it puts the box, and whether its score tells the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
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

__all__ = ["Answers", "answers", "in_the_middle", "rank_auc"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network said about pairs: (N,) each; `overlap` is the IoU with the truth and means nothing where not `present`.

    `notes` are of what could not be read, by name, and why: other pairs were drawn instead. `middle` is the mean overlap of `in_the_middle`.
    """

    overlap: NDArray[np.float64]
    score: NDArray[np.float64]
    present: NDArray[np.bool_]
    notes: tuple[tuple[str, str], ...] = ()
    middle: float = math.nan

    def figures(self) -> dict[str, float]:
        """Mean IoU and share of IoU over 0.5 of the present, and the IoU of a guess; how well the score parts found targets from absent ones.

        What there is none of is left out.
        """
        found = self.overlap[self.present]
        figures = {
            "presence_auc": rank_auc(self.score[self.present], self.score[~self.present]),
            "middle": self.middle,
        }
        if len(found):
            figures |= {"iou": float(found.mean()), "success": float((found > 0.5).mean())}
        return {name: value for name, value in figures.items() if math.isfinite(value)}


@torch.inference_mode()
def answers(
    network: nn.Module, samples: SampleList | Pairs, spec: Spec, *, batch: int = 32, seen: Callable[[int, int], None] = lambda *_: None
) -> Answers:
    """Run a network over all samples, decoded as when tracking.

    Args:
        network: has `step` and perhaps `init` (`sightline.models`).
        samples: what to run on.
        spec: of the network.
        batch: samples at a time.
        seen: called with how many samples are done, 0 first, and how many there are.
    """
    network.eval()
    samples = PairSamples(samples) if isinstance(samples, Pairs) else samples
    device = next(network.parameters()).device
    boxes, truths, scores, present = [], [], [], []
    notes: list[tuple[str, str]] = []
    seen(0, len(samples))
    for start in range(0, len(samples), batch):
        arrays, _, found = collate([samples[i] for i in range(start, min(start + batch, len(samples)))])
        notes += found
        for place, (said, _) in enumerate(answer(network, spec, {name: value.to(device) for name, value in arrays.items()})):
            boxes.append(said["box"].double().cpu().numpy())
            scores.append(said["score"].double().cpu().numpy() if "score" in said else np.full(len(boxes[-1]), np.nan))
            truths.append(arrays["box"][:, place].double().numpy())
            present.append(arrays["present"][:, place].numpy() > 0)
        seen(min(start + batch, len(samples)), len(samples))
    truth, is_present = np.concatenate(truths), np.concatenate(present)
    overlap = iou(xywh_from_cxcywh(np.concatenate(boxes)), xywh_from_cxcywh(truth))
    guess = in_the_middle(truth[is_present])
    return Answers(
        overlap.astype(np.float64), np.concatenate(scores), is_present, tuple(notes), float(guess.mean()) if len(guess) else math.nan
    )


def in_the_middle(truth_cxcywh: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU (N,) of a box of the median width and height in the middle of the crop: what a network can say that has learnt nothing.

    Args:
        truth_cxcywh: (N, 4) in 0..1 of the crop.
    """
    if not len(truth_cxcywh):
        return np.zeros(0)
    guess = np.concatenate([[0.5, 0.5], np.median(truth_cxcywh[:, 2:], axis=0)])
    return iou(xywh_from_cxcywh(np.broadcast_to(guess, truth_cxcywh.shape)), xywh_from_cxcywh(truth_cxcywh)).astype(np.float64)


def rank_auc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """The chance that a positive scores above a negative, a tie counting half; NaN where one of them is empty."""
    if not len(positive) or not len(negative):
        return float("nan")
    above = (positive[:, np.newaxis] > negative).mean()
    ties = (positive[:, np.newaxis] == negative).mean()
    return float(above + 0.5 * ties)
