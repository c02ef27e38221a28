"""VitTrack: a plain vision transformer over class, search and template tokens, with a corner or a centre head.

Facts     docs/trackers/vittrack.md (no paper); golden/vittrack      Spec  sightline/zoo/vittrack.py
Weights   never published

B batch, S = 256 search tokens (16 x 16), T = 64 template tokens (8 x 8), both as `Arch` says, N = 1 + S + T, F tokens of prompts, C channels.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.errors import BadSpec
from sightline.models.layers.boxes import xywh_from_cxcywh
from sightline.models.layers.conv import Stem, embed_pair
from sightline.models.layers.decode import decode_corners, hann2d, normalize
from sightline.models.layers.heads import CENTER_KEYS, CORNER_KEYS, CenterHead, CornerHead, CornerLiteHead, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.positions import sinusoid_table
from sightline.models.layers.prompts import Marked, PromptPair, box_from_ratio, mark, prompt_keys
from sightline.models.layers.vit import BLOCK_KEYS, PlainBlock
from sightline.zoo.vittrack import Arch

__all__ = ["KEYS", "UNUSED", "VitTrack", "build"]

KEYS = (
    ("backbone.patch_embed.proj.{}.c", "stem.layers.{}.conv"),
    ("backbone.patch_embed.proj.{}.bn", "stem.layers.{}.norm"),
    ("backbone.patch_embed.proj", "stem.layers.0"),
    ("backbone.patch_embed_second.proj.{}.c", "second_stem.layers.{}.conv"),
    ("backbone.patch_embed_second.proj.{}.bn", "second_stem.layers.{}.norm"),
    ("backbone.patch_embed_second.proj", "second_stem.layers.0"),
    ("backbone.cls_token", "class_token"),
    ("backbone.pos_embed", "positions"),
    *((f"backbone.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "blocks"),
    ("backbone.norm", "norm"),
    *((f"bottleneck.layers.{i}.{j}", f"neck.{name}{i}") for i in (0, 1) for j, name in enumerate(("linear", "norm"))),
    ("bottleneck.proj1", "neck.to_search"),
    ("bottleneck.proj2", "neck.to_class"),
    ("preprocess.color", "prompts.template.colour"),
    ("preprocess.transparency", "prompts.template.transparency"),
    *prompt_keys("template_preprocess", "prompts.template"),
    *prompt_keys("search_preprocess", "prompts.search"),
    *CENTER_KEYS,
    *CORNER_KEYS,
)
UNUSED = (
    "bottleneck.weight",  # a linear layer that is made with corner heads and never called
    "bottleneck.bias",
    "preprocess.coord_?",  # column and row numbers
)

# where in its cell, in sixteenths, each head thinks of the top-left and of the bottom-right corner
SHIFTS = {"corner": (0.0, 0.0), "corner_v2": (7.5, 7.5), "corner_v3": (0.0, 15.0), "corner_lite": (8.0, 8.0)}


class Pyramid(nn.Module):
    """Neck "FPN": search tokens after blocks 12, 8 and 4 added up; the class token stays apart."""

    def __init__(self, width: int, num: int) -> None:
        super().__init__()
        self.linear0, self.linear1 = nn.Linear(width, width), nn.Linear(width, width)
        # as published: over tokens, not channels, so that each place of the search region has its own scale
        self.norm0, self.norm1 = nn.BatchNorm1d(num), nn.BatchNorm1d(num)
        self.to_search, self.to_class = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, class_token: Tensor, last: Tensor, middle: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Class token (B, 1, C) and search tokens (B, S, C), for the head.

        Args:
            class_token: (B, 1, C) after the last norm.
            last: search tokens (B, S, C) after block 12 and the last norm.
            middle: after block 8.
            first: after block 4.
        """
        x = torch.relu(self.norm0(self.linear0(last)) + middle)
        x = torch.relu(self.norm1(self.linear1(x)) + first)
        return self.to_class(class_token), self.to_search(x)


class VitTrack(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.num_search = arch.search_grid**2
        self.stem = Stem(arch.width, arch.stem, channels=6 if arch.second == "stack" else 3)
        self.second_stem = Stem(arch.width, arch.stem) if arch.second == "sum" else None
        self.class_token = nn.Parameter(torch.zeros(1, 1, arch.width))
        self.positions = nn.Parameter(sinusoid_table(self.num_search + arch.template_grid**2, arch.width).unsqueeze(0))
        self.blocks = nn.ModuleList(PlainBlock(arch.width, arch.heads) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=1e-5)
        self.neck = Pyramid(arch.width, self.num_search) if arch.neck == "pyramid" else None
        self.prompts = PromptPair(
            arch.template_prompt, arch.search_prompt, width=arch.width, heads=arch.heads, grids=(arch.template_grid, arch.search_grid)
        )
        kinds = {"center": CenterHead, "corner_lite": CornerLiteHead}
        self.head = kinds.get(arch.head, CornerHead)(arch.width, arch.head_width)
        if arch.head == "center":
            self.register_buffer("window", hann2d(arch.search_grid), persistent=False)

    def embed(
        self,
        template: Tensor,
        search: Tensor,
        target: Marked | None = None,
        prior: Marked | None = None,
        second: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Tokens (B, N + F, C), in the order class, search, template, prompts, from normalised crops.

        Args:
            template: (B, 3, 128, 128).
            search: (B, 3, 256, 256).
            target: where the target is in the template, for prompts.
            prior: where it was in the search crop, likewise.
            second: second pictures of both, with `Arch.second`.
        """
        of_template, of_search = second or (None, None)
        tokens = self.embed_template(template, target, of_template)
        return self.join(tokens, *self.embed_search(search, prior, of_search))

    def embed_template(self, template: Tensor, target: Marked | None = None, second: Tensor | None = None) -> Tensor:
        """Template tokens and those of its prompts (B, T + F, C); arguments as in `embed`."""
        assert (second is None) == (self.arch.second == "none")  # `Spec.feed` asks for it
        template, front = self.prompts.on_template(template, target)
        tokens = embed_pair(self.stem, self.second_stem, template, second) + self.positions[:, 1 + self.num_search :]
        return torch.cat([self.prompts.add(tokens, target), *front], dim=1)

    def embed_search(self, search: Tensor, prior: Marked | None = None, second: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """Class and search tokens (B, 1 + S, C), and tokens of prompts; arguments as in `embed`."""
        assert (second is None) == (self.arch.second == "none")  # `Spec.feed` asks for it
        search, front = self.prompts.on_search(search, prior)
        tokens = embed_pair(self.stem, self.second_stem, search, second)
        return torch.cat([self.class_token.expand(search.shape[0], -1, -1), tokens], dim=1) + self.positions[
            :, : 1 + self.num_search
        ], front

    def join(self, template: Tensor, search: Tensor, front: list[Tensor]) -> Tensor:
        """One line of tokens of what both embeddings say."""
        return torch.cat([search, template, *front], dim=1)

    def encode(self, tokens: Tensor) -> list[Tensor]:
        """Tokens (B, N + F, C) after every block; the last ones also after the last norm."""
        stages = []
        for block in self.blocks:
            tokens = block(tokens)
            stages.append(tokens)
        stages[-1] = self.norm(tokens)
        return stages

    def read(self, stages: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Class token (B, 1, C) and search tokens (B, S, C) for the head."""
        class_token = stages[-1][:, :1]
        if self.neck is None:
            return class_token, stages[-1][:, 1 : 1 + self.num_search]
        return self.neck(class_token, *(stages[i][:, 1 : 1 + self.num_search] for i in (11, 7, 3)))

    def grid(self, stages: list[Tensor]) -> Tensor:
        """The head's input (B, C, 16, 16): for corner heads each search token is weighted by its product with the class token."""
        class_token, search = self.read(stages)
        if self.arch.class_weight and self.arch.head != "center":
            search = search * (search * class_token).sum(dim=2, keepdim=True)
        return to_grid(search)

    def decode(self, grid: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4), and `score` (B,) where the head has one, from the head's input."""
        if self.arch.head == "center":
            assert isinstance(self.head, CenterHead)
            box, score = find_center(self.head, grid, self.window)
            return {"box": box, "score": score}
        low, high = SHIFTS[self.arch.head]
        return {"box": decode_corners(self.head(grid), shift=(low / 16, high / 16))}

    def find(self, tokens: Tensor) -> Tensor:
        """The head's input (B, C, 16, 16) of tokens (B, N + F, C): `grid(encode(tokens))`, but of the last block only what that reads."""
        stages: list[Tensor] = []
        *before, last = self.blocks
        for block in before:
            tokens = block(tokens)
            stages.append(tokens)
        return self.grid([*stages, self.norm(last(tokens, kept=slice(1 + self.num_search)))])

    def init(self, template: Tensor, target: Tensor | None = None, template_extra: Tensor | None = None) -> dict[str, Tensor]:
        """State of a target: `tokens` (B, T + F, C) of its template and of prompts about it.

        Args:
            template: uint8 (B, 128, 128, 3).
            target: (B, 4), the box in it as cx, cy, w, h in 0..1, only with `Arch.template_prompt`.
            template_extra: as `template`, a second picture of it, only with `Arch.second`.
        """
        size = template.shape[1]
        # as published: the middle of the crop is the pixel (size - 1) / 2
        at = None if target is None else mark(box_from_ratio(target, shift=-0.5 / size), size)
        return {"tokens": self.embed_template(normalize(template), at, None if template_extra is None else normalize(template_extra))}

    def step(self, search: Tensor, tokens: Tensor, prior: Tensor | None = None, search_extra: Tensor | None = None) -> dict[str, Tensor]:
        """`box` (B, 4), and `score` (B,) with a centre head.

        Args:
            search: uint8 (B, 256, 256, 3).
            tokens: (B, T + F, C).
            prior: (B, 4), the last box in the search crop as cx, cy, w, h in 0..1, only with `Arch.search_prompt`.
            search_extra: as `search`, a second picture of it, only with `Arch.second`.
        """
        was = None if prior is None else mark(xywh_from_cxcywh(prior), search.shape[1])
        second = None if search_extra is None else normalize(search_extra)
        return self.decode(self.find(self.join(tokens, *self.embed_search(normalize(search), was, second))))


def build(arch: Arch) -> VitTrack:
    """An untrained network.

    Raises:
        BadSpec: a neck without the twelve blocks or the corner head that it needs.
    """
    if arch.neck == "pyramid" and (arch.depth != 12 or arch.head == "center"):
        raise BadSpec(
            f"the pyramid neck reads blocks 4, 8 and 12 for a corner head; the spec has depth {arch.depth} and head {arch.head!r}: use neck 'none'."
        )
    return VitTrack(arch)
