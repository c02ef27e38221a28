"""LoRAT: DINOv2 reads template and search tokens together, adapted by factors of low rank; every token foretells a box.

Paper   Lin et al., ECCV 2024, arXiv:2403.05231
Facts   docs/trackers/lorat.md      Spec  sightline/zoo/lorat.py      Golden  golden/lorat

Template tokens have the positions of the search region's top left corner, and are told whether they show the target.

B batch, T template tokens (a Z x Z grid), S search tokens (G x G), C channels, H heads. Pixels enter as float32 (B, h, w, 3) RGB
in 0..255; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.boxes import cxcywh_from_xyxy
from sightline.models.layers.decode import normalize
from sightline.models.layers.heads import PerceptronHead, to_grid
from sightline.models.layers.siamese import choose
from sightline.models.layers.trim import through
from sightline.models.layers.vit import BLOCK_KEYS, Attention, Mlp, ScaledBlock
from sightline.zoo.lorat import Arch

__all__ = ["KEYS", "UNUSED", "LoRAT", "LowRank", "Maps", "build", "target_mask"]

PATCH = 14  # pixels
BACKGROUND, TARGET, SEARCH = range(3)  # kinds of tokens
KEYS = (
    ("patch_embed.proj", "stem"),
    ("pos_embed", "positions"),
    ("token_type_embed", "kinds"),
    ("blocks.{}.ls1.gamma", "blocks.{}.gamma_1"),
    ("blocks.{}.ls2.gamma", "blocks.{}.gamma_2"),
    *BLOCK_KEYS,
    ("head.cls_mlp", "score"),
    ("head.reg_mlp", "box"),
)
UNUSED = ("lora_alpha", "use_rslora")  # `Arch.scale` says it


class Maps(NamedTuple):
    """What the head says about every cell: logits (B, G, G), and distances (B, 4, G, G) to the sides, as fractions of the crop."""

    logits: Tensor
    distances: Tensor


class LowRank(nn.Module):
    """A linear layer, and the product of two factors beside it: y = W x + scale B A x. Hu et al., ICLR 2022, arXiv:2106.09685."""

    def __init__(self, channels_in: int, channels_out: int, *, rank: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.linear = nn.Linear(channels_in, channels_out)
        shapes = {"A": (rank, channels_in), "B": (channels_out, rank)}
        # as published: no factor is zero, so the training does not start from what DINOv2 says
        self.lora = nn.ParameterDict({name: nn.Parameter(0.02 * torch.randn(shape)) for name, shape in shapes.items()})

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., C')."""
        narrow = functional.linear(x, self.lora["A"])
        return self.linear(x) + self.scale * functional.linear(narrow, self.lora["B"])


class _Projections(nn.Module):
    """Queries, keys and values, each with factors of its own."""

    def __init__(self, width: int, *, rank: int, scale: float) -> None:
        super().__init__()
        self.q, self.k, self.v = (LowRank(width, width, rank=rank, scale=scale) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, N, 3 C)."""
        return torch.cat([self.q(x), self.k(x), self.v(x)], dim=-1)


def _block(arch: Arch) -> ScaledBlock:
    """A block of DINOv2, with factors beside all of its linear layers where there is a rank."""
    width = arch.width
    qkv = _Projections(width, rank=arch.rank, scale=arch.scale) if arch.rank else None
    block = ScaledBlock(width, Attention(width, arch.heads, qkv=qkv), Mlp(width, 4 * width), start=1e-5)
    if arch.rank:
        for name, widths in (("attention.out", (width, width)), ("mlp.up", (width, 4 * width)), ("mlp.down", (4 * width, width))):
            block.set_submodule(name, LowRank(*widths, rank=arch.rank, scale=arch.scale))
    return block


def target_mask(target: Tensor, side: int) -> Tensor:
    """Which cells of a grid show something of a box.

    Args:
        target: (B, 4) as cx, cy, w, h in 0..1 of the crop.
        side: cells along each side.

    Returns:
        (B, side, side) bool.
    """
    first = torch.floor((target[:, :2] - target[:, 2:] / 2) * side)
    end = torch.floor((target[:, :2] + target[:, 2:] / 2) * side + (1 - 1e-4))
    cells = torch.arange(side, device=target.device)
    across, down = ((cells >= first[:, axis, None]) & (cells < end[:, axis, None]) for axis in (0, 1))
    return down.unsqueeze(2) & across.unsqueeze(1)


class LoRAT(nn.Module):
    """See the module's docstring."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.stem = nn.Conv2d(3, arch.width, PATCH, PATCH)
        self.positions = nn.Parameter(torch.zeros(1, arch.search_grid**2, arch.width))
        self.kinds = nn.Parameter(0.02 * torch.randn(3, arch.width))
        self.blocks = nn.ModuleList(_block(arch) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=1e-6)
        self.score = PerceptronHead(arch.width, arch.width, outputs=1, activation=functional.gelu)
        self.box = PerceptronHead(arch.width, arch.width, activation=functional.gelu)

    def embed(self, template: Tensor, search: Tensor, mask: Tensor) -> Tensor:
        """Tokens (B, T + S, C), template first.

        Args:
            template: normalised (B, 3, 14 Z, 14 Z).
            search: normalised (B, 3, 14 G, 14 G).
            mask: (B, Z, Z) bool, true where the template shows the target.
        """
        return torch.cat([self.embed_template(template, mask), self.embed_search(search)], dim=1)

    def embed_template(self, template: Tensor, mask: Tensor) -> Tensor:
        """Tokens (B, T, C); arguments as in `embed`."""
        side, grid = self.arch.template_grid, self.arch.search_grid
        corner = self.positions.reshape(1, grid, grid, -1)[:, :side, :side].flatten(1, 2)
        told = torch.where(mask.flatten(1).unsqueeze(2), self.kinds[TARGET], self.kinds[BACKGROUND])
        return self.stem(template).flatten(2).transpose(1, 2) + corner + told

    def embed_search(self, search: Tensor) -> Tensor:
        """Tokens (B, S, C) of a normalised crop (B, 3, 14 G, 14 G)."""
        return self.stem(search).flatten(2).transpose(1, 2) + self.positions + self.kinds[SEARCH]

    def encode(self, tokens: Tensor) -> list[Tensor]:
        """Tokens (B, T + S, C) after each block, the last norm left out."""
        stages = []
        for block in self.blocks:
            tokens = block(tokens)
            stages.append(tokens)
        return stages

    def finish(self, tokens: Tensor) -> Tensor:
        """Search tokens (B, S, C) that the head reads."""
        return self.norm(tokens[:, -(self.arch.search_grid**2) :])

    def look(self, tokens: Tensor) -> Maps:
        """What the head says about search tokens (B, S, C)."""
        return Maps(to_grid(self.score(tokens))[:, 0], torch.sigmoid(to_grid(self.box(tokens))))

    def init(self, template: Tensor, target: Tensor) -> dict[str, Tensor]:
        """State of a target: `tokens` (B, T, C).

        Args:
            template: float32 (B, 14 Z, 14 Z, 3).
            target: (B, 4), the box in it as cx, cy, w, h in 0..1.
        """
        return {"tokens": self.embed_template(normalize(template), target_mask(target, self.arch.template_grid))}

    def step(self, search: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,), without the window, of the cell that is chosen in a search crop, float32 (B, 14 G, 14 G, 3)."""
        joined = torch.cat([tokens, self.embed_search(normalize(search))], dim=1)
        maps = self.look(self.norm(through(self.blocks, joined, slice(tokens.shape[1], None))))
        best = choose(maps.distances, torch.sigmoid(maps.logits), self.middles(), window=self.arch.window)
        return {"box": cxcywh_from_xyxy(best.box), "score": best.score}

    def middles(self) -> Tensor:
        """Where the middles of the search cells lie on either axis, (G,) in 0..1 of the crop."""
        side = self.arch.search_grid
        return (torch.arange(side, device=self.positions.device) + 0.5) / side


def build(arch: Arch) -> LoRAT:
    """An untrained network."""
    return LoRAT(arch)
