"""MixFormer: several templates and the search in one transformer, corners, and a score that decides about new templates.

Paper   Cui et al., CVPR 2022, arXiv:2203.11082 (MixCvT); T-PAMI 2024, arXiv:2302.02814 (MixViT)
Facts   docs/trackers/mixformer.md      Spec  sightline/zoo/mixformer.py      Golden  golden/mixformer

Templates never read the search, so `init` reads them when one has changed; every block then shows their keys and values.

B batch, K templates of T = n * n tokens, S = G * G search tokens, C channels of the last stage, H heads, D = C / H.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.boxes import xyxy_from_cxcywh
from sightline.models.layers.cvt import CVT_KEYS, MixedCvT
from sightline.models.layers.decode import decode_corners, normalize
from sightline.models.layers.heads import CORNER_KEYS, CornerHead, CornerMaps, PerceptronHead, conv_block, to_grid
from sightline.models.layers.mixed import MIXED_KEYS, MIXED_UNUSED, MixedTransformer
from sightline.models.layers.pool import precise_pool
from sightline.models.layers.resnet import FrozenNorm
from sightline.models.layers.vit import KeysValues, packed, unpacked
from sightline.zoo.mixformer import Arch

__all__ = ["KEYS", "UNUSED", "CornerUpHead", "Look", "MixFormer", "Score", "Shown", "build"]

KEYS = (
    *CVT_KEYS,
    *MIXED_KEYS,
    *CORNER_KEYS,
    ("box_head.adjust{}_tl", "head.top_left.adjust{}"),
    ("box_head.adjust{}_br", "head.bottom_right.adjust{}"),
    ("score_branch.score_token", "score.token"),
    ("score_branch.norm1", "score.norm"),
    ("score_branch.norm2.{}", "score.readers.{}.norm"),
    ("score_branch.proj_q.{}", "score.readers.{}.queries"),
    ("score_branch.proj_k.{}", "score.readers.{}.keys"),
    ("score_branch.proj_v.{}", "score.readers.{}.values"),
    ("score_branch.proj.{}", "score.readers.{}.out"),
    ("score_branch.score_head", "score.head"),
)
UNUSED = (
    *MIXED_UNUSED,
    "backbone.cls_token",
    "backbone.pos_embed",
    "backbone.norm.*",
    "backbone.head.*",
)  # the last four: of the pre-training

POOLED = (4, 4)  # cells of a box from which its score is read


class Shown(NamedTuple):
    """What templates show: keys and values of every block of every stage, and the first template's tokens (B, T, C) at the end."""

    memory: list[list[KeysValues]]
    first: Tensor


class Look(NamedTuple):
    """What a network sees in a search crop: its map (B, C, G, G), what the head says, box (B, 4) cx, cy, w, h, score (B,) logits."""

    grid: Tensor
    maps: CornerMaps
    box: Tensor
    score: Tensor


class UpTower(nn.Module):
    """The tower of a corner, its map growing fourfold on the way; what enters and what is on the way is added to what leaves."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        half, quarter, eighth = hidden // 2, hidden // 4, hidden // 8
        self.conv1, self.conv2 = conv_block(channels, hidden, FrozenNorm), conv_block(hidden, half, FrozenNorm)
        self.conv3, self.conv4 = conv_block(half, quarter, FrozenNorm), conv_block(quarter, eighth, FrozenNorm)
        self.conv5 = nn.Conv2d(eighth, 1, 1)
        self.adjust1, self.adjust2 = conv_block(channels, half, FrozenNorm), conv_block(channels, quarter, FrozenNorm)
        self.adjust3 = nn.Sequential(
            conv_block(half, quarter, FrozenNorm), conv_block(quarter, eighth, FrozenNorm), conv_block(eighth, 1, FrozenNorm)
        )
        self.adjust4 = nn.Sequential(conv_block(quarter, eighth, FrozenNorm), conv_block(eighth, 1, FrozenNorm))

    def forward(self, grid: Tensor) -> Tensor:
        """(B, C, G, G) to logits (B, 1, 4 G, 4 G)."""
        first = self.conv2(self.conv1(grid))
        second = self.conv3(larger(first, 2) + larger(self.adjust1(grid), 2))
        third = self.conv4(larger(second, 2) + larger(self.adjust2(grid), 4))
        return self.conv5(third) + larger(self.adjust3(first), 4) + larger(self.adjust4(second), 2)


def larger(grid: Tensor, times: int) -> Tensor:
    """Every cell of (B, C, G, G) repeated along both axes."""
    return functional.interpolate(grid, scale_factor=float(times), mode="nearest")


class CornerUpHead(nn.Module):
    """`CornerHead` in cells of 4 pixels. T-PAMI 2024, section 3.3."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.top_left, self.bottom_right = UpTower(channels, hidden), UpTower(channels, hidden)

    def forward(self, grid: Tensor) -> CornerMaps:
        """Search map (B, C, G, G) to `CornerMaps` of side 4 G."""
        return CornerMaps(self.top_left(grid), self.bottom_right(grid))


class TokenReader(nn.Module):
    """One token reads others; nothing is added to what it reads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries, self.keys, self.values = (nn.Linear(width, width) for _ in range(3))
        self.out, self.norm = nn.Linear(width, width), nn.LayerNorm(width)

    def forward(self, token: Tensor, others: Tensor) -> Tensor:
        """(B, 1, C) and (B, N, C) to (B, 1, C)."""
        parts = (self.queries(token), self.keys(others), self.values(others))
        queries, keys, values = (part.reshape(*part.shape[:2], self.heads, -1).transpose(1, 2) for part in parts)
        # as published: the scale is that of all heads together
        read = functional.scaled_dot_product_attention(queries, keys, values, scale=token.shape[2] ** -0.5)
        return self.norm(self.out(read.transpose(1, 2).flatten(2)))


class Score(nn.Module):
    """A token that reads the inside of a box, then the first template, says whether they show the same. CVPR 2022, section 3.3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.norm = nn.LayerNorm(width)
        self.readers = nn.ModuleList(TokenReader(width, width // 64) for _ in range(2))
        self.head = PerceptronHead(width, width, outputs=1)

    def forward(self, inside: Tensor, first: Tensor) -> Tensor:
        """Maps of a box (B, C, 4, 4) and tokens of the first template (B, T, C) to logits (B,)."""
        token = self.norm(self.token).expand(inside.shape[0], -1, -1)
        for reader, others in zip(self.readers, (inside.flatten(2).transpose(1, 2), first), strict=True):
            token = reader(token, others)
        return self.head(token)[:, 0, 0]


class MixFormer(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        width = arch.widths[-1]
        self.trunk: MixedCvT | MixedTransformer
        if arch.trunk == "cvt":
            self.trunk = MixedCvT(arch.widths, arch.depths, arch.heads)
        else:
            [depth], [heads] = arch.depths, arch.heads
            self.trunk = MixedTransformer(
                width=width, heads=heads, depth=depth, ratio=4, template_grid=arch.template_grid, search_grid=arch.search_grid
            )
        self.head = CornerHead(width, arch.head_width, norm=FrozenNorm) if arch.head == "corner" else CornerUpHead(width, arch.head_width)
        self.score = Score(width)

    def show(self, templates: Tensor, filled: Tensor | None = None) -> Shown:
        """What normalised templates (B, K, 3, 16 n, 16 n) show, those of them that are there: (B, K) bool, None for all."""
        batch, num = templates.shape[:2]
        if isinstance(self.trunk, MixedCvT):
            seen = self.trunk(templates.flatten(0, 1), num, filled=filled)
            grids = seen.stages[-1]  # (B * K, C, n, n)
            return Shown(seen.memory, grids.reshape(batch, num, *grids.shape[1:])[:, 0].flatten(2).transpose(1, 2))
        read = self.trunk.read_templates(self.trunk.embed_templates(templates), filled)
        tokens = read.stages[-1]
        return Shown([read.memory], tokens[:, : tokens.shape[1] // num])

    def look(self, search: Tensor, shown: Shown, filled: Tensor | None = None) -> Look:
        """The network on a normalised search crop (B, 3, 16 G, 16 G)."""
        if isinstance(self.trunk, MixedCvT):
            grid = self.trunk(search, memory=shown.memory, filled=filled).stages[-1]
        else:
            [memory] = shown.memory
            grid = to_grid(self.trunk.read_search(self.trunk.embed_search(search), memory, filled).stages[-1])
        maps = self.head(grid)
        box = decode_corners(maps)
        return Look(grid, maps, box, self.score(self.pool(grid, xyxy_from_cxcywh(box)), shown.first))

    def pool(self, grid: Tensor, corners_xyxy: Tensor) -> Tensor:
        """The inside of boxes (B, 4), x1, y1, x2, y2 in 0..1 of the crop, of search maps (B, C, G, G): (B, C, 4, 4)."""
        return precise_pool(grid, corners_xyxy.unsqueeze(1) * grid.shape[3], POOLED)[:, 0]

    def init(self, template: Tensor, filled: Tensor | None = None) -> dict[str, Tensor]:
        """State of a target: `keys0`, `values0`, ... of each stage (B, blocks, H, N, D), `first` (B, T, C), and `there`, `filled` as given.

        Args:
            template: uint8 (B, K, 16 n, 16 n, 3).
            filled: (B, K) bool, which of them are there; None: all.
        """
        pixels = normalize(template.flatten(0, 1))
        shown = self.show(pixels.reshape(*template.shape[:2], *pixels.shape[1:]), filled)
        state = {f"{name}{i}": value for i, memory in enumerate(shown.memory) for name, value in packed(memory).items()}
        return state | {"first": shown.first} | ({} if filled is None else {"there": filled})

    def step(self, search: Tensor, first: Tensor, there: Tensor | None = None, **state: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,), which also says whether this frame may become a template.

        Args:
            search: uint8 (B, 16 G, 16 G, 3).
            first: what `init` gave, as all others.
            there: (B, K) bool.
            **state: keys and values of each stage.
        """
        memory = [unpacked(state[f"keys{i}"], state[f"values{i}"]) for i in range(len(state) // 2)]
        seen = self.look(normalize(search), Shown(memory, first), there)
        return {"box": seen.box, "score": torch.sigmoid(seen.score)}


def build(arch: Arch) -> MixFormer:
    """An untrained network."""
    return MixFormer(arch)
