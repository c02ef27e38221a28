"""GRM: one stream through a plain ViT; a small classifier in every block decides which search tokens the template may see.

Paper   Gao et al., CVPR 2023, arXiv:2303.16580
Facts   docs/trackers/grm.md      Spec  sightline/zoo/grm.py      Golden  golden/grm

A search token is either apart (it reads search tokens that are apart, and those that mix) or mixes (it reads all and
is read by all). Template tokens read one another and those that mix.

B batch, T template tokens, S search tokens (a G x G grid), N = T + S, C channels, H heads, D = C / H.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import hann2d, normalize, target_corners
from sightline.models.layers.heads import CENTER_KEYS, CenterHead, CenterMaps, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.vit import BLOCK_KEYS, Attention, Mlp, taken
from sightline.zoo.grm import Arch

__all__ = ["GRM", "KEYS", "UNUSED", "Look", "build", "shows_target"]

KEYS = (
    ("backbone.patch_embed.proj", "stem.layers.0"),
    ("backbone.pos_embed_z", "template_positions"),
    ("backbone.pos_embed_x", "search_positions"),
    ("backbone.blocks.{}.attn.divide_predict", "blocks.{}.divide.layers"),
    *((f"backbone.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "blocks"),
    ("backbone.norm", "norm"),
    *CENTER_KEYS,
)
UNUSED = ("backbone.cls_token", "backbone.pos_embed")  # of the pre-training


class Look(NamedTuple):
    """Everything that a network sees on its way.

    tokens    (B, N, C), template first, into the first block
    stages    after each block
    apart     (B, S) of every block but the first: probability that a search token keeps apart
    features  (B, N, C) after the last norm
    maps      what the head says about every cell
    """

    tokens: Tensor
    stages: list[Tensor]
    apart: list[Tensor]
    features: Tensor
    maps: CenterMaps


def shows_target(corners: Tensor, grid: int) -> Tensor:
    """The template tokens (B, grid * grid), row by row, that show the target; one more than needed on its far sides.

    Args:
        corners: x1, y1, x2, y2 (B, 4) in 0..1 of the template crop.
        grid: tokens along each side.
    """
    low, high = torch.trunc(corners[:, :2] * grid), torch.trunc(corners[:, 2:] * grid + 1)
    cells = torch.arange(grid, device=corners.device)
    inside = (cells >= low.unsqueeze(2)) & (cells < high.unsqueeze(2))  # (B, 2, grid)
    across, down = inside.unbind(1)
    return (down.unsqueeze(2) & across.unsqueeze(1)).flatten(1)


class Division(nn.Module):
    """How likely each search token keeps apart, from what it is and from a summary of the template."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * width, 384), nn.GELU(), nn.Linear(384, 192), nn.GELU(), nn.Linear(192, 2))

    def forward(self, search: Tensor, summary: Tensor) -> Tensor:
        """Search tokens (B, S, C) and a summary (B, 1, C) to probabilities (B, S)."""
        logits = self.layers(torch.cat([search, summary.expand_as(search)], dim=2))
        return torch.softmax(logits, dim=2)[..., 0]


def allowed(mixes: Tensor, num_template: int) -> Tensor:
    """Who may read whom: (B, N, N) float 0 or 1, for search tokens (B, S) bool that mix with the template."""
    of_template = torch.zeros_like(mixes[:, :1]).expand(-1, num_template)
    everybody = torch.cat([of_template, mixes], dim=1)  # reads and is read by all
    apart = torch.cat([of_template, ~mixes], dim=1)
    alike = apart.unsqueeze(2) == apart.unsqueeze(1)  # both apart, or both template or mixing
    return (alike | everybody.unsqueeze(2) | everybody.unsqueeze(1)).float()


def drawn_allowed(apart: Tensor, num_template: int) -> Tensor:
    """As `allowed`, for probabilities (B, S) of keeping apart, drawn as in training: gradients pass as if the draw had been soft.

    Hard Gumbel softmax of temperature 1, Jang et al., ICLR 2017.
    """
    likely = apart.clamp(1e-6, 1 - 1e-6)
    noise = torch.rand_like(likely).clamp(1e-6, 1 - 1e-6)
    soft = torch.sigmoid(torch.log(noise) - torch.log1p(-noise) - torch.log(likely) + torch.log1p(-likely))
    mixes = (soft > 0.5).float() + soft - soft.detach()
    of_template = torch.zeros_like(mixes[:, :1]).expand(-1, num_template)
    everybody, alone = torch.cat([of_template, mixes], dim=1), torch.cat([of_template, 1 - mixes], dim=1)
    alike = alone.unsqueeze(2) * alone.unsqueeze(1) + (1 - alone).unsqueeze(2) * (1 - alone).unsqueeze(1)
    return 1 - (1 - alike) * (1 - everybody).unsqueeze(2) * (1 - everybody).unsqueeze(1)


def masked_weights(queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the allowed keys: (B, H, N, D) twice and (B, N, N) to (B, H, N, N).

    As published: what is forbidden keeps a tiny weight, and takes part in the maximum that is subtracted first.
    """
    logits = queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5
    weights = torch.exp(logits - logits.amax(dim=-1, keepdim=True)) * mask.unsqueeze(1)
    return (weights + 1e-6 / keys.shape[2]) / (weights.sum(dim=-1, keepdim=True) + 1e-6)


class Block(nn.Module):
    """x + attention(norm x), then x + mlp(norm x); with `divides`, attention between those who may see each other."""

    def __init__(self, arch: Arch, *, divides: bool) -> None:
        super().__init__()
        self.arch = arch
        self.norm1 = nn.LayerNorm(arch.width, eps=1e-6)
        self.attention = Attention(arch.width, arch.heads)
        self.divide = Division(arch.width) if divides else None
        self.norm2 = nn.LayerNorm(arch.width, eps=1e-6)
        self.mlp = Mlp(arch.width, 4 * arch.width)

    def forward(self, x: Tensor, target: Tensor | None, kept: slice | None = None) -> tuple[Tensor, Tensor | None]:
        """Tokens to tokens, and how likely each search token keeps apart.

        Args:
            x: (B, N, C), template first.
            target: (B, T) bool, the template tokens that show the target, where `Arch.summary` asks for them.
            kept: those that somebody asks for; None: all.

        Returns:
            (B, N, C) or those that are kept, and (B, S) where the block divides.
        """
        normed = self.norm1(x)
        queries, keys, values = self.attention.project(normed)
        queries, apart = queries if kept is None else queries[:, :, kept], None
        if self.divide is None:
            read = functional.scaled_dot_product_attention(queries, keys, values)
        else:
            num_template = self.arch.template_grid**2
            apart = self.divide(normed[:, num_template:], self._summary(normed[:, :num_template], target))
            mask = drawn_allowed(apart, num_template) if self.training else allowed(apart < self.arch.apart_from, num_template)
            read = masked_weights(queries, keys, taken(mask, kept)) @ values
        x = taken(x, kept) + self.attention.merge(read)
        return x + self.mlp(self.norm2(x)), apart

    def _summary(self, template: Tensor, target: Tensor | None) -> Tensor:
        """One token (B, 1, C) for the template (B, T, C)."""
        if target is not None:
            template = template * target.unsqueeze(2)
        return template.amax(dim=1, keepdim=True) if self.arch.summary.endswith("max") else template.mean(dim=1, keepdim=True)


class GRM(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.stem = Stem(arch.width, "conv16")
        self.template_positions = nn.Parameter(torch.zeros(1, arch.template_grid**2, arch.width))
        self.search_positions = nn.Parameter(torch.zeros(1, arch.search_grid**2, arch.width))
        self.blocks = nn.ModuleList(Block(arch, divides=i > 0) for i in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=1e-6)
        self.head = CenterHead(arch.width, arch.head_width)
        self.register_buffer("window", hann2d(arch.search_grid), persistent=False)

    def embed_template(self, pixels: Tensor) -> Tensor:
        """Tokens (B, T, C) of a normalised template (B, 3, h, w)."""
        return self.stem(pixels) + self.template_positions

    def embed_search(self, pixels: Tensor) -> Tensor:
        """Tokens (B, S, C) of a normalised search crop (B, 3, h, w)."""
        return self.stem(pixels) + self.search_positions

    def find(self, tokens: Tensor, target: Tensor | None) -> Tensor:
        """Search tokens (B, S, C) for the head, of tokens (B, N, C), template first; `target` as in `Block.forward`."""
        *before, last = self.blocks
        for block in before:
            tokens, _ = block(tokens, target)
        return self.norm(last(tokens, target, slice(self.arch.template_grid**2, None))[0])

    def look(self, template: Tensor, search: Tensor, corners: Tensor | None = None) -> Look:
        """The network with all that it sees on its way.

        Args:
            template: normalised (B, 3, h, w), as `search`.
            search: normalised.
            corners: x1, y1, x2, y2 (B, 4) of the target in 0..1 of the template crop, where `Arch.summary` asks for it.
        """
        entered = tokens = torch.cat([self.embed_template(template), self.embed_search(search)], dim=1)
        target = shows_target(corners, self.arch.template_grid) if corners is not None else None
        stages, shares = [], []
        for block in self.blocks:
            tokens, apart = block(tokens, target)
            stages.append(tokens)
            if apart is not None:
                shares.append(apart)
        features = self.norm(tokens)
        return Look(entered, stages, shares, features, self.head(to_grid(features[:, -(self.arch.search_grid**2) :])))

    def init(self, template: Tensor, target: Tensor | None = None) -> dict[str, Tensor]:
        """State of a target: `tokens` (B, T, C), and `shown` (B, T) bool, those that show it, where `Arch.summary` asks for them.

        Args:
            template: uint8 (B, 16 n, 16 n, 3).
            target: (B, 4), the box in it as cx, cy, w, h in 0..1, likewise.
        """
        state = {"tokens": self.embed_template(normalize(template))}
        if target is None:
            return state
        return state | {"shown": shows_target(target_corners(target, template.shape[1]), self.arch.template_grid)}

    def step(self, search: Tensor, tokens: Tensor, shown: Tensor | None = None) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,) in a search crop, uint8 (B, 16 G, 16 G, 3), given the state of the targets."""
        found = self.find(torch.cat([tokens, self.embed_search(normalize(search))], dim=1), shown)
        box, score = find_center(self.head, to_grid(found), self.window)
        return {"box": box, "score": score}


def build(arch: Arch) -> GRM:
    """An untrained network."""
    return GRM(arch)
