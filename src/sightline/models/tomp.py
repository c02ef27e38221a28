"""ToMP: a transformer reads remembered frames and the search frame, and says a filter for the target's place and one for its box.

Paper   Mayer et al., CVPR 2022, arXiv:2203.11192
Facts   docs/trackers/dimp_tomp.md      Spec  sightline/zoo/tomp.py      Golden  golden/tomp

B batch, G x G cells of stride 16, N = G * G tokens of a frame, row by row, C channels. Two frames are remembered: the first, and
the last one in which the target was found surely. The box is read with the first alone: the other may be wrong about it.
Pixels enter as float32 (B, H, W, 3) RGB in 0..255; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sightline.engines.state import HARD, LOST, NORMAL
from sightline.models.layers.conv import EvenConv
from sightline.models.layers.decode import normalize
from sightline.models.layers.detr import Reader, transformer_keys
from sightline.models.layers.heads import to_grid
from sightline.models.layers.peaks import find_target, gaussian_labels
from sightline.models.layers.resnet import ResNet
from sightline.zoo.tomp import Arch

__all__ = ["KEYS", "UNUSED", "Read", "Tomp", "build", "linear_sines"]

HEAD = "head.filter_predictor"
KEYS = (
    ("feature_extractor", "backbone"),
    ("head.feature_extractor", "features"),
    *transformer_keys(f"{HEAD}.transformer"),
    (f"{HEAD}.box_encoding", "edges"),
    (f"{HEAD}.query_embed_fg", "target"),
    (f"{HEAD}.query_embed_fg_decoder", "query"),
    ("head.classifier.linear", "score"),
    ("head.bb_regressor.linear", "attend"),
    ("head.bb_regressor.tower", "tower"),
    ("head.bb_regressor.bbreg_layer", "sides"),
)
UNUSED = ("feature_extractor.layer4.*", "feature_extractor.fc.*")

STRIDE = 16
SIGMA = 1 / 4  # of the labels, over the side of a target


class Read(NamedTuple):
    """What the transformer has read.

    search  tokens (B, N, C) of the search frame
    found   (B, C), the filter
    """

    search: Tensor
    found: Tensor


class Tomp(nn.Module):
    """See the module's docstring."""

    positions: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.size, self.cells, self.sure = arch.size, arch.size // STRIDE, arch.sure
        self.sigma = SIGMA * self.cells / arch.area
        width = arch.width
        self.backbone = ResNet(arch.depth)
        self.features = EvenConv(self.backbone.channels, width, 1)
        self.encoder = nn.ModuleList(Reader(width, arch.heads, arch.hidden) for _ in range(arch.encoder))
        self.decoder = nn.ModuleList(Reader(width, arch.heads, arch.hidden, reads_itself=True) for _ in range(arch.decoder))
        self.norm = nn.LayerNorm(width)
        self.target = nn.Embedding(1, width)
        self.query = self.target  # one parameter: what the query looks for is what marks the target
        parts: list[nn.Module] = []
        for channels_in, channels_out in ((4, width // 4), (width // 4, width)):
            parts += [nn.Conv1d(channels_in, channels_out, 1), nn.BatchNorm1d(channels_out), nn.ReLU()]
        self.edges = nn.Sequential(*parts, nn.Conv1d(width, width, 1))
        self.score, self.attend = nn.Linear(width, width), nn.Linear(width, width)
        tower: list[nn.Module] = []
        for _ in range(4):
            tower += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(1, width), nn.ReLU()]
        self.tower = nn.Sequential(*tower)
        self.sides = nn.Conv2d(width, 4, 3, padding=1)
        self.register_buffer("positions", linear_sines(self.cells, width), persistent=False)

    def tokens(self, pixels: Tensor) -> Tensor:
        """Tokens (B, N, C) of normalised pictures (B, 3, H, W)."""
        return self.features(self.backbone(pixels)).flatten(2).transpose(1, 2)

    def remembered(self, tokens: Tensor, label: Tensor, ltrb: Tensor) -> Tensor:
        """Tokens (B, N, C) of a frame in which the target is known.

        Args:
            tokens: (B, N, C).
            label: (B, G, G), 1 at the target.
            ltrb: (B, 4, G, G), from each cell to the left, top, right and bottom of the target, in sides of the crop.
        """
        marked = label.flatten(1).unsqueeze(2) * self.target.weight
        return tokens + marked + self.edges(ltrb.flatten(2)).transpose(1, 2)

    def read(self, frames: Tensor, search: Tensor, mask: Tensor | None = None) -> Read:
        """What is read in remembered frames and the search frame.

        Args:
            frames: (B, F, N, C), as `remembered` gives them.
            search: (B, N, C), as `tokens` gives them.
            mask: (B, F) bool, true for frames that are not to be read.
        """
        batch, num_frames, num, _ = frames.shape
        tokens = torch.cat([frames.flatten(1, 2), search], dim=1)
        positions = self.positions.repeat(1, num_frames + 1, 1)
        if mask is not None:
            mask = torch.cat([mask, torch.zeros_like(mask[:, :1])], dim=1).unsqueeze(2).expand(-1, -1, num).flatten(1)
        for layer in self.encoder:
            tokens = layer(tokens, positions, tokens, positions, mask)
        query = self.query.weight.expand(batch, 1, -1)
        found = torch.zeros_like(query)
        for layer in self.decoder:
            assert isinstance(layer, Reader)
            found = layer(layer.read_itself(found, query), query, tokens, positions, mask)
        return Read(tokens[:, -num:], self.norm(found)[:, 0])

    def scores(self, read: Read) -> Tensor:
        """The score of every cell: (B, G, G), about 1 at the target."""
        return to_grid(read.search @ self.score(read.found).unsqueeze(2)).squeeze(1)

    def ltrb(self, read: Read) -> Tensor:
        """From every cell to the sides of the target: (B, 4, G, G), in sides of the crop."""
        attention = read.search @ self.attend(read.found).unsqueeze(2)
        return self.sides(self.tower(to_grid(read.search * attention))).exp()

    def init(self, template: Tensor, target: Tensor) -> dict[str, Tensor]:
        """`first` and `recent` (B, N, C), remembered tokens, and `known` (B,): 1 where there is a recent frame.

        Args:
            template: float32 (B, H, W, 3).
            target: (B, 4) cx, cy, w, h in 0..1 of the template.
        """
        first = self.told(self.tokens(normalize(template)), target)
        return {"first": first, "recent": first.clone(), "known": torch.zeros_like(target[:, 0])}

    def step(self, search: Tensor, prior: Tensor, first: Tensor, recent: Tensor, known: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4), `score` (B,), and `next.recent`, `next.known`: this frame, where the target was found surely.

        Args:
            search: float32 (B, H, W, 3).
            prior: (B, 4), the last box in this crop.
            first: (B, N, C), as `init` gives it.
            recent: likewise.
            known: (B,).
        """
        tokens = self.tokens(normalize(search))
        frames = torch.stack([first, recent], dim=1)
        is_missing = known.unsqueeze(1) < 0.5
        no = torch.zeros_like(is_missing)
        masks = torch.cat([torch.cat([no, is_missing], dim=1), torch.cat([no, ~no], dim=1)])
        both = self.read(frames.repeat(2, 1, 1, 1), tokens.repeat(2, 1, 1), masks)
        batch = tokens.shape[0]
        scores = self.scores(Read(both.search[:batch], both.found[:batch]))
        ltrb = self.ltrb(Read(both.search[batch:], both.found[batch:]))
        # cell i lies at i + 1/2 of G, its middle cell at G // 2
        before = prior[:, [1, 0]] * self.cells - 0.5 - self.cells // 2
        found = find_target(scores, prior[:, [3, 2]] * self.cells, before)
        box = torch.where((found.flag == LOST).unsqueeze(1), prior, self.box_at(ltrb, found.shift))
        is_sure = ((found.flag == NORMAL) | (found.flag == HARD)) & (found.best > self.sure)
        changed = torch.where(is_sure.reshape(-1, 1, 1), self.told(tokens, box), recent)
        return {"box": box, "score": found.best, "next.recent": changed, "next.known": torch.maximum(known, is_sure.float())}

    def told(self, tokens: Tensor, box: Tensor) -> Tensor:
        """Tokens (B, N, C) of a frame to those that are remembered, with a target (B, 4) as cx, cy, w, h in 0..1 of the crop."""
        label = gaussian_labels((box[:, [1, 0]] - 0.5) * self.cells, self.sigma, self.cells)
        middle = (torch.arange(self.cells, device=box.device) + 0.5) / self.cells
        low, high = box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2
        left, right = ((middle - low[:, :1]), (high[:, :1] - middle))
        top, bottom = ((middle - low[:, 1:]), (high[:, 1:] - middle))
        shape = (-1, self.cells, self.cells)
        sides = [part.unsqueeze(axis).expand(shape) for part, axis in ((left, 1), (top, 2), (right, 1), (bottom, 2))]
        return self.remembered(tokens, label, torch.stack(sides, dim=1))

    def box_at(self, ltrb: Tensor, shift: Tensor) -> Tensor:
        """The box (B, 4) cx, cy, w, h that the cell at rows and columns (B, 2) from the middle cell says."""
        cell = shift + self.cells // 2
        place = (cell[:, 0] * self.cells + cell[:, 1]).long().reshape(-1, 1, 1)
        sides = ltrb.flatten(2).gather(2, place.expand(-1, 4, -1)).squeeze(2)
        middle = (cell[:, [1, 0]] + 0.5) / self.cells
        low, high = middle - sides[:, :2], middle + sides[:, 2:]
        return torch.cat([(low + high) / 2, high - low], dim=1)


def linear_sines(side: int, width: int) -> Tensor:
    """Positions (1, side * side, width) of the cells of a grid, row by row: sines of x and y in turn, then their cosines.

    Place (i + 1/2) / side, at frequencies 1, 2, ... width / 4, over width / 4 cells a half turn for the first.
    """
    waves = torch.arange(1, width // 4 + 1) * (side / (width // 4) * math.pi)
    angle = torch.outer((torch.arange(side) + 0.5) / side, waves)  # (side, width / 4)
    both = torch.stack([angle.unsqueeze(0).expand(side, -1, -1), angle.unsqueeze(1).expand(-1, side, -1)], dim=3).flatten(2)
    return torch.cat([both.sin(), both.cos()], dim=2).reshape(1, side * side, width)


def build(arch: Arch) -> Tomp:
    """An untrained network."""
    return Tomp(arch)
