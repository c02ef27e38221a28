"""ODTrack: one stream through a plain ViT over templates of many frames; a token that looked at one frame goes on to the next.

Paper   Zheng et al., AAAI 2024, arXiv:2401.01686
Facts   docs/trackers/odtrack.md      Spec  sightline/zoo/odtrack.py      Golden  golden/odtrack

B batch, P templates (their number varies), T tokens of each, S search tokens (a G x G grid), K of them still there, N all tokens:
the passed one, templates, search; C channels, H heads, D = C / H.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import hann2d, normalize
from sightline.models.layers.eliminate import Survivors, eliminate, restore
from sightline.models.layers.heads import CENTER_KEYS, CenterHead, CenterMaps, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.vit import BLOCK_KEYS, Block, attention_weights
from sightline.zoo.odtrack import Arch

__all__ = ["KEYS", "UNUSED", "Look", "ODTrack", "build"]

KEYS = (
    ("backbone.cls_token", "token"),
    ("backbone.cls_pos_embed", "token_position"),
    ("backbone.patch_embed.proj", "stem.layers.0"),
    ("backbone.pos_embed_z", "template_positions"),
    ("backbone.pos_embed_x", "search_positions"),
    *((f"backbone.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "blocks"),
    ("backbone.norm", "norm"),
    *CENTER_KEYS,
)
UNUSED = ("backbone.pos_embed",)  # of the pre-training


class Look(NamedTuple):
    """Everything that a network sees on its way.

    tokens    (B, N, C), into the first block
    stages    after each block, the search tokens that are left at their end
    removed   (B, R) places in the search grid, one tensor for each entry of `Arch.eliminate`, most relevant first
    features  (B, N, C) after the last norm, search tokens row by row; zeros where one was eliminated
    maps      what the head says about every cell
    """

    tokens: Tensor
    stages: list[Tensor]
    removed: list[Tensor]
    features: Tensor
    maps: CenterMaps


class ODTrack(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.keep = dict(zip(arch.eliminate, arch.keep, strict=True))
        self.num_template, self.num_search = arch.template_grid**2, arch.search_grid**2
        self.middle = (arch.template_grid - 1) // 2 * (arch.template_grid + 1)  # its place in the grid; for an even side up and left of it
        self.stem = Stem(arch.width, "conv16")
        self.template_positions = nn.Parameter(torch.zeros(1, self.num_template, arch.width))
        self.search_positions = nn.Parameter(torch.zeros(1, self.num_search, arch.width))
        self.token = nn.Parameter(torch.zeros(1, 1, arch.width))
        self.token_position = nn.Parameter(torch.zeros(1, 1, arch.width))
        self.blocks = nn.ModuleList(Block(arch.width, arch.heads) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=1e-6)
        self.head = CenterHead(arch.width, arch.head_width)
        self.register_buffer("window", hann2d(arch.search_grid), persistent=False)

    def embed(self, templates: Tensor, search: Tensor, passed: Tensor) -> Tensor:
        """Tokens (B, N, C) of normalised crops (B P, 3, h, w), those of one target together, and (B, 3, h, w); `passed` as in `look`."""
        batch, num = search.shape[0], templates.shape[0] // search.shape[0]
        read = (self.stem(templates) + self.template_positions).reshape(batch, num * self.num_template, -1)
        return torch.cat([self.token + self.token_position + passed, read, self.stem(search) + self.search_positions], dim=1)

    def encode(self, tokens: Tensor, keep: float | None = None) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Tokens (B, N, C) through all blocks: after each, where those (B, K) that are left of the search stand, and who left; `keep` as in `step`."""
        front = tokens.shape[1] - self.num_search
        places = torch.arange(self.num_search, device=tokens.device).expand(tokens.shape[0], -1)
        stages, removed = [], []
        for i in range(self.arch.depth):
            tokens, places, gone = self._pass(i, tokens, places, front, keep)
            removed += [] if gone is None else [gone]
            stages.append(tokens)
        return stages, places, removed

    def _pass(self, i: int, tokens: Tensor, places: Tensor, front: int, keep: float | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """One block on tokens (B, N, C), `front` of which stand before those of the search: tokens, their places, and who left in it."""
        block, removed = self._block(i), None
        queries, keys, values = block.attention.project(block.norm1(tokens))
        tokens = tokens + block.attention.merge(functional.scaled_dot_product_attention(queries, keys, values))
        if i in self.keep:
            middles = queries[:, :, 1 + self.middle : front : self.num_template]  # of every template: (B, H, P, D)
            looked_at = attention_weights(middles, keys)[..., front:].mean(dim=2).mean(dim=1)  # (B, K)
            left: Survivors = eliminate(tokens[:, front:], places, looked_at, self.keep[i] if keep is None else keep)
            tokens, places, removed = torch.cat([tokens[:, :front], left.tokens], dim=1), left.places, left.removed
        return tokens + block.mlp(block.norm2(tokens)), places, removed

    def _block(self, i: int) -> Block:
        block = self.blocks[i]
        assert isinstance(block, Block)
        return block

    def find(self, tokens: Tensor, keep: float | None = None) -> tuple[Tensor, Tensor]:
        """The passed token (B, 1, C) and the search map (B, S, C), weighted by it, of tokens (B, N, C); of the last block only these."""
        front, last = tokens.shape[1] - self.num_search, self.arch.depth - 1
        places = torch.arange(self.num_search, device=tokens.device).expand(tokens.shape[0], -1)
        for i in range(last):
            tokens, places, _ = self._pass(i, tokens, places, front, keep)
        if last in self.keep:
            tokens, places, _ = self._pass(last, tokens, places, front, keep)
            tokens = torch.cat([tokens[:, :1], tokens[:, front:]], dim=1)
        else:  # templates first, which nobody asks for
            tokens = torch.cat([tokens[:, 1:front], tokens[:, :1], tokens[:, front:]], dim=1)
            tokens = self._block(last)(tokens, kept=slice(front - 1, None))[0]
        passed, search = self.norm(tokens).split([1, places.shape[1]], dim=1)
        return passed, self._weighted(restore(search, places, self.num_search), passed)

    def _weighted(self, search: Tensor, passed: Tensor) -> Tensor:
        """Search tokens (B, S, C), each times its product with the passed one (B, 1, C)."""
        return search * (search @ passed.transpose(1, 2))

    def look(self, templates: Tensor, search: Tensor, passed: Tensor, keep: float | None = None) -> Look:
        """The network with all that it sees on its way.

        Args:
            templates: normalised (B P, 3, h, w), those of one target together, oldest first.
            search: normalised (B, 3, h, w).
            passed: (B, 1, C), the first token of the last frame's features; zeros in the first one.
            keep: as in `step`.
        """
        tokens = self.embed(templates, search, passed)
        stages, places, removed = self.encode(tokens, keep)
        front = tokens.shape[1] - self.num_search
        last = self.norm(stages[-1])
        grid = restore(last[:, front:], places, self.num_search)
        maps = self.head(to_grid(self._weighted(grid, last[:, :1])))
        return Look(tokens, stages, removed, torch.cat([last[:, :front], grid], dim=1), maps)

    def init(self, template: Tensor) -> dict[str, Tensor]:
        """The template as it is, uint8 (B, 16 n, 16 n, 3), a quarter of its tokens' size; nothing was `passed` on yet: zeros (B, 1, C)."""
        return {"views": template, "next.passed": torch.zeros_like(self.token).expand(template.shape[0], -1, -1)}

    def step(self, search: Tensor, views: Tensor, passed: Tensor, *, keep: float | None = None) -> dict[str, Tensor]:
        """`box` (B, 4), `score` (B,), and what is passed on (B, 1, C).

        Args:
            search: uint8 (B, 16 G, 16 G, 3).
            views: templates, uint8 (B, P, 16 n, 16 n, 3), oldest first.
            passed: (B, 1, C), of the last frame.
            keep: the share that stays at every elimination, instead of `Arch.keep`.
        """
        later, grid = self.find(self.embed(normalize(views.flatten(0, 1)), normalize(search), passed), keep)
        box, score = find_center(self.head, to_grid(grid), self.window)
        return {"box": box, "score": score, "next.passed": later}


def build(arch: Arch) -> ODTrack:
    """An untrained network."""
    return ODTrack(arch)
