"""Merlin: the larger built-in tracker. FEAR-XS's network under rules of our own, and a score that says whether the target is there.

Facts  src/sightline/builtin/merlin.md, recipes/LOG.md      Spec  sightline/zoo/merlin.py

Trunk, correlation and heads are those of FEAR-XS (Borsuk et al., ECCV 2022), so the network starts from its weights. Ours:
- The picture of the template reaches as far as a search region. Its middle is FEAR's template, and the whole, made smaller, is a first
  look: how the marked box differs from the one that the network sees there is how this user means boxes (whole drone or its body, tail
  or not), and every later box is changed likewise.
- The best box is a mean of those around it that overlap it (box voting: Gidaris and Komodakis, ICCV 2015).
- Boxes are not rounded to whole pixels, and sizes are smoothed about the centre.
- `presence` compares what is found with the first look. FEAR's own score is high for whatever looks like an object.

B batch, C channels, G x G cells of the search region, stride 16. Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in
0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.boxes import cxcywh_from_xyxy
from sightline.models.layers.decode import normalize
from sightline.models.layers.fbnet import STRIDE, Fbnet
from sightline.models.layers.siamese import grid_points, hanning2d, pick, smooth
from sightline.zoo.merlin import Arch

__all__ = ["KEYS", "UNUSED", "Found", "Merlin", "build"]

KEYS: tuple[tuple[str, str], ...] = ()  # ours: no other names
UNUSED: tuple[str, ...] = ()

TEMPLATE = 128  # pixels of what is compared, out of the middle of the picture
MOST = 0.35  # largest change of a logarithm of a side by the first look
FAR = 0.7  # a first look that is off by more saw another thing than was marked
WEAK = 0.3  # share of the best score under which a box has no vote


class Found(NamedTuple):
    """One look: logits (B, G, G), boxes x1, y1, x2, y2 (B, 4, G * G) in 0..1 of the crop, and evidence (B, E, G, G) for `presence`."""

    logits: Tensor
    boxes_xyxy: Tensor
    evidence: Tensor


class Merlin(Fbnet):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__(arch.width, arch.tower)
        self.arch = arch
        self.presence = Presence(arch.width, arch.hidden)

    def find(self, kernel: Tensor, pixels: Tensor) -> Found:
        """What every cell of a normalised crop (B, 3, 16 G, 16 G) says, given the features (B, C, 8, 8) of the template."""
        features = self.extract(pixels)
        tower = self.score.tower(self.score.correlate(kernel, features))
        logits = 0.1 * self.score.last(tower)
        left, top, right, bottom = torch.exp(self.adjust * self.box(kernel, features) + self.bias).unbind(1)
        points = grid_points(logits.shape[-1], STRIDE, pixels.shape[-1] / 2, pixels.device)
        x, y = points.reshape(1, 1, -1), points.reshape(1, -1, 1)
        boxes = torch.stack([x - left, y - top, x + right, y + bottom], dim=1).flatten(2) / pixels.shape[-1]
        nearby = functional.avg_pool2d(features, 3, stride=1, padding=1)
        return Found(logits[:, 0], boxes, torch.cat([tower, nearby, logits], dim=1))

    def init(self, template: Tensor, target: Tensor) -> dict[str, Tensor]:
        """State of one target.

        Args:
            template: uint8 (B, 458, 458, 3), five times the marked box along each side.
            target: (B, 4) the marked box in it.

        Returns:
            `kernel` (B, C, 8, 8); `meant` (B, 4): what to add to centres, in sizes of a box, and to logarithms of sizes;
            `first` (B, E): evidence at the first look's middle.
        """
        pixels = normalize(template)
        edge = (pixels.shape[-1] - TEMPLATE) // 2
        kernel = self.extract(pixels[:, :, edge : edge + TEMPLATE, edge : edge + TEMPLATE])
        found = self.find(kernel, functional.interpolate(pixels, (self.arch.look, self.arch.look), mode="bilinear"))
        cells = self.arch.look // STRIDE
        middle = cells // 2
        seen = cxcywh_from_xyxy(found.boxes_xyxy[:, :, middle * (cells + 1)])
        size = torch.log(target[:, 2:] / seen[:, 2:])
        believed = (size.abs().amax(dim=1, keepdim=True) < FAR).to(size.dtype)
        off = (target[:, :2] - seen[:, :2]) / seen[:, 2:]
        centre, sides = self.arch.correct
        meant = torch.cat([centre * off, sides * size.clamp(-MOST, MOST)], dim=1) * believed
        return {"kernel": kernel, "meant": meant, "first": found.evidence[:, :, middle, middle]}

    def step(self, search: Tensor, kernel: Tensor, meant: Tensor, first: Tensor, prior: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,), the chance that it is the target's, in a search crop.

        Args:
            search: uint8 (B, 256, 256, 3).
            kernel: from `init`, as `meant` and `first`.
            meant: (B, 4).
            first: (B, E).
            prior: (B, 4), the last box as cx, cy, w, h in 0..1 of the search crop.
        """
        place, box, confidence, found = self.choose(search, kernel, meant, prior)
        box = torch.cat([box[:, :2], smooth(box[:, 2:], prior[:, 2:], confidence * self.arch.rate)], dim=1)
        evidence = found.evidence.flatten(2).gather(2, place.unsqueeze(1).expand(-1, found.evidence.shape[1], -1)).squeeze(2)
        return {"box": box, "score": torch.sigmoid(self.presence(evidence, first))}

    def choose(self, search: Tensor, kernel: Tensor, meant: Tensor, prior: Tensor) -> tuple[Tensor, Tensor, Tensor, Found]:
        """The best cell (B, 1), its box (B, 4) as cx, cy, w, h before smoothing, its confidence (B,), and all that was found."""
        arch = self.arch
        found = self.find(kernel, normalize(search))
        low, high = found.boxes_xyxy.chunk(2, dim=1)
        sizes = (high - low) * torch.exp(meant[:, 2:]).unsqueeze(2)
        centres = (low + high) / 2 + meant[:, :2].unsqueeze(2) * (high - low)
        scores = torch.sigmoid(found.logits.flatten(1))
        window = hanning2d(found.logits.shape[-1], search.device).flatten()
        best = pick(scores, sizes, prior=prior[:, 2:], penalty=arch.penalty, window=window, share=arch.window)
        box = vote(torch.cat([centres, sizes], dim=1), scores, best.place, arch.alike)
        return best.place, box, best.confidence, found


class Presence(nn.Module):
    """How likely what was found is what was marked: evidence of both (B, E) to a logit (B,)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.width = width
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.inner = nn.Linear(4 * width + 2, hidden)
        self.outer = nn.Linear(hidden, 1)

    def forward(self, evidence: Tensor, first: Tensor) -> Tensor:
        """See the class."""
        ends = (self.width, 2 * self.width)
        tower, nearby, logit = evidence.tensor_split(ends, dim=1)
        tower_first, nearby_first, logit_first = first.tensor_split(ends, dim=1)
        tower, tower_first = self.norms[0](tower), self.norms[0](tower_first)
        nearby, nearby_first = self.norms[1](nearby), self.norms[1](nearby_first)
        compared = torch.cat([tower, tower * tower_first, nearby, nearby * nearby_first, logit, logit_first], dim=1)
        return self.outer(torch.relu(self.inner(compared))).squeeze(1)


def vote(boxes: Tensor, scores: Tensor, place: Tensor, alike: float) -> Tensor:
    """The mean of the boxes that overlap the chosen one, by the square of their scores and by overlap.

    Args:
        boxes: (B, 4, N) cx, cy, w, h.
        scores: (B, N) in 0..1.
        place: (B, 1) the chosen box.
        alike: IoU under which a box has no vote.

    Returns:
        (B, 4), as the boxes.
    """
    best = boxes.gather(2, place.unsqueeze(1).expand(-1, 4, -1))  # (B, 4, 1)
    low = torch.maximum(boxes[:, :2] - boxes[:, 2:] / 2, best[:, :2] - best[:, 2:] / 2)
    high = torch.minimum(boxes[:, :2] + boxes[:, 2:] / 2, best[:, :2] + best[:, 2:] / 2)
    common = (high - low).clamp(min=0).prod(dim=1)
    overlap = common / (boxes[:, 2:].prod(dim=1) + best[:, 2:].prod(dim=1) - common)
    votes = torch.where((overlap > alike) & (scores > WEAK * scores.gather(1, place)), scores.square() * overlap, 0.0)
    return (boxes * votes.unsqueeze(1)).sum(dim=2) / votes.sum(dim=1, keepdim=True)


def build(arch: Arch) -> Merlin:
    """An untrained network."""
    return Merlin(arch)
