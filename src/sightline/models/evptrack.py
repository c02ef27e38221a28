"""EVPTrack: prompts from the template at three scales, and from a memory shaped like it, lead a HiViT over template and search.

Paper   Shi et al., AAAI 2024, arXiv:2401.03142
Facts   docs/trackers/evptrack.md      Spec  sightline/zoo/evptrack.py      Golden  golden/evptrack

B batch, T template and memory tokens (an n x n grid each), S search tokens (a G x G grid), M prompts of scales, P of the memory,
N = M + P + T + S, C channels. Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.decode import hann2d, normalize
from sightline.models.layers.heads import CENTER_BOX_KEYS, CenterBoxHead, CenterMaps, to_grid
from sightline.models.layers.hivit import HIVIT_KEYS, HIVIT_UNUSED, HiViT
from sightline.models.layers.lazy import find_center
from sightline.models.layers.vit import PlainBlock
from sightline.zoo.evptrack import Arch

__all__ = ["KEYS", "UNUSED", "EVPTrack", "Look", "build"]

EPS = 1e-6
SCALES = (18, 16, 14)  # pixels along each side of a cell
KEYS = (
    *((f"backbone.patch_embed{patch}.proj", f"scales.{i}") for i, patch in enumerate(SCALES)),
    ("backbone.MSPG", "scale_prompts"),
    ("backbone.STPG", "memory_prompts"),
    ("backbone.STE_norm", "memory_norm"),
    ("backbone.STE.attn.qkv", "memorize.attention.qkv"),
    ("backbone.STE.attn.proj", "memorize.attention.out"),
    ("backbone.STE.mlp.fc1", "memorize.mlp.up"),
    ("backbone.STE.mlp.fc2", "memorize.mlp.down"),
    ("backbone.STE", "memorize"),
    *HIVIT_KEYS,
    *CENTER_BOX_KEYS,
)
UNUSED = HIVIT_UNUSED


class Look(NamedTuple):
    """Everything that a network sees on its way.

    prompts   (B, P, C) of the memory that was given
    memory    (B, T, C), what the next frame is given
    tokens    (B, N, C), into the transformer: prompts of scales, of the memory, template, search
    stages    after each of its blocks
    features  (B, N, C) after the last norm
    maps      what the head says about every cell
    """

    prompts: Tensor
    memory: Tensor
    tokens: Tensor
    stages: list[Tensor]
    features: Tensor
    maps: CenterMaps


class EVPTrack(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.backbone = HiViT(
            width=arch.width, heads=arch.heads, depths=arch.depths, template_grid=arch.template_grid, search_grid=arch.search_grid
        )
        self.scales = nn.ModuleList(nn.Conv2d(3, arch.width, patch, patch) for patch in SCALES)
        self.scale_prompts = nn.Linear(arch.width, arch.width, bias=False)
        self.memory_prompts = nn.Linear(arch.width, arch.width, bias=False)
        self.memory_norm = nn.LayerNorm(arch.width, eps=EPS)
        self.memorize = PlainBlock(arch.width, arch.heads, eps=EPS)
        self.head = CenterBoxHead(arch.width, arch.head_width)
        self.register_buffer("window", hann2d(arch.search_grid), persistent=False)

    def prompt_scales(self, template: Tensor) -> Tensor:
        """Prompts (B, M, C) of a normalised template (B, 3, 16 n, 16 n): cells of every scale, three by three of them averaged."""
        maps = [functional.avg_pool2d(scale(template), 3) for scale in self.scales]
        return self.scale_prompts(torch.cat([grid.flatten(2).transpose(1, 2) for grid in maps], dim=1))

    def prompt_memory(self, memory: Tensor) -> Tensor:
        """Prompts (B, P, C) of a memory (B, T, C), two by two of its tokens averaged."""
        grid = functional.avg_pool2d(to_grid(memory), 2)
        return self.memory_prompts(grid.flatten(2).transpose(1, 2))

    def look(self, scales: Tensor, template: Tensor, search: Tensor, memory: Tensor) -> Look:
        """The network with all that it sees on its way.

        Args:
            scales: prompts (B, M, C).
            template: tokens (B, T, C).
            search: tokens (B, S, C).
            memory: (B, T, C), the template's tokens in the first frame.
        """
        prompts = self.prompt_memory(memory)
        tokens = torch.cat([scales, prompts, template, search], dim=1)
        stages = self.backbone.encode(tokens)
        features = self.backbone.norm(stages[-1])
        maps = self.head(to_grid(features[:, -search.shape[1] :]))
        return Look(prompts, self.remember(template, search, memory), tokens, stages, features, maps)

    def remember(self, template: Tensor, search: Tensor, memory: Tensor) -> Tensor:
        """The next memory (B, T, C); arguments as in `look`."""
        seen = self.memory_norm(torch.cat([template, search, memory], dim=1))  # as published: what is added to is normed as well
        return self.memorize(seen, kept=slice(memory.shape[1]))

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """What stays of a template, uint8 (B, 16 n, 16 n, 3): prompts `scales` (B, M, C), `tokens` (B, T, C); these are the first `memory`."""
        pixels = normalize(template)
        tokens = self.backbone.embed(pixels, self.backbone.template_positions)
        return {"scales": self.prompt_scales(pixels), "tokens": tokens, "next.memory": tokens.clone()}

    def step(self, search: Tensor, scales: Tensor, tokens: Tensor, memory: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4), `score` (B,) and the next `memory` (B, T, C) from a search crop, uint8 (B, 16 G, 16 G, 3), and the state."""
        found = self.backbone.embed(normalize(search), self.backbone.search_positions)
        later = self.remember(tokens, found, memory)
        joined = torch.cat([scales, self.prompt_memory(memory), tokens, found], dim=1)
        features = self.backbone.find(joined, slice(joined.shape[1] - found.shape[1], None))
        box, score = find_center(self.head, to_grid(features), self.window)
        return {"box": box, "score": score, "next.memory": later}


def build(arch: Arch) -> EVPTrack:
    """An untrained network."""
    return EVPTrack(arch)
