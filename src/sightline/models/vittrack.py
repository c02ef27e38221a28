"""VitTrack: a plain vision transformer over class, search and template tokens, with a corner or a centre head.

Facts     docs/trackers/vittrack.md (no paper); golden/vittrack      Spec  sightline/zoo/vittrack.py
Weights   never published

B batch, S = 256 search tokens (16 x 16), T = 64 template tokens, N = 1 + S + T, C channels.
Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.errors import BadSpec
from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import decode_corners, hann2d, normalize
from sightline.models.layers.heads import CENTER_KEYS, CORNER_KEYS, CenterHead, CornerHead, CornerLiteHead, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.positions import sinusoid_table
from sightline.models.layers.vit import BLOCK_KEYS, PlainBlock
from sightline.zoo.vittrack import Arch

__all__ = ["KEYS", "UNUSED", "Rectangle", "VitTrack", "build"]

KEYS = (
    ("backbone.patch_embed.proj.{}.c", "stem.layers.{}.conv"),
    ("backbone.patch_embed.proj.{}.bn", "stem.layers.{}.norm"),
    ("backbone.patch_embed.proj", "stem.layers.0"),
    ("backbone.cls_token", "class_token"),
    ("backbone.pos_embed", "positions"),
    *((f"backbone.{theirs}", ours) for theirs, ours in BLOCK_KEYS),
    ("backbone.blocks", "blocks"),
    ("backbone.norm", "norm"),
    *((f"bottleneck.layers.{i}.{j}", f"neck.{name}{i}") for i in (0, 1) for j, name in enumerate(("linear", "norm"))),
    ("bottleneck.proj1", "neck.to_search"),
    ("bottleneck.proj2", "neck.to_class"),
    ("preprocess.color", "rectangle.colour"),
    ("preprocess.transparency", "rectangle.transparency"),
    *CENTER_KEYS,
    *CORNER_KEYS,
)
UNUSED = (
    "bottleneck.weight",  # a linear layer that is made with corner heads and never called
    "bottleneck.bias",
    "preprocess.coord_?",  # column and row numbers
)

SEARCH, TEMPLATE = 256, 64
# where in its cell, in sixteenths, each head thinks of the top-left and of the bottom-right corner
SHIFTS = {"corner": (0.0, 0.0), "corner_v2": (7.5, 7.5), "corner_v3": (0.0, 15.0), "corner_lite": (8.0, 8.0)}


class Pyramid(nn.Module):
    """Neck "FPN": search tokens after blocks 12, 8 and 4 added up; the class token stays apart."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear0, self.linear1 = nn.Linear(width, width), nn.Linear(width, width)
        # as published: over tokens, not channels, so that each place of the search region has its own scale
        self.norm0, self.norm1 = nn.BatchNorm1d(SEARCH), nn.BatchNorm1d(SEARCH)
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


class Rectangle(nn.Module):
    """Prompt "learnrect": the target's outline drawn on the template in a learned colour and transparency."""

    def __init__(self, *, thickness: float = 3.0, factor: float = 2.0) -> None:
        super().__init__()
        self.thickness, self.factor = thickness, factor
        self.colour = nn.Parameter(torch.zeros(3))
        self.transparency = nn.Parameter(torch.full((1,), 0.5))

    def forward(self, template: Tensor, ratio: Tensor) -> Tensor:
        """Draw on templates.

        Args:
            template: (B, 3, L, L), normalised; the target is in the middle and has an area of (L / factor)^2.
            ratio: (B,), width of the target over its height.
        """
        size = template.shape[-1]
        half = 0.5 * size / self.factor
        half_width, half_height = (half * ratio**0.5).reshape(-1, 1, 1, 1), (half * ratio**-0.5).reshape(-1, 1, 1, 1)
        from_middle = torch.abs(torch.arange(size, device=template.device) - 0.5 * (size - 1))
        distance = torch.maximum(from_middle.reshape(1, 1, 1, -1) - half_width, from_middle.reshape(1, 1, -1, 1) - half_height)
        line = (distance.abs() < 0.5 * self.thickness).to(template.dtype)
        drawn = self.colour.reshape(1, 3, 1, 1) * (1 - self.transparency) + template * self.transparency
        return template + line * (drawn - template)


class VitTrack(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.stem = Stem(arch.width, arch.stem)
        self.class_token = nn.Parameter(torch.zeros(1, 1, arch.width))
        self.positions = nn.Parameter(sinusoid_table(SEARCH + TEMPLATE, arch.width).unsqueeze(0))
        self.blocks = nn.ModuleList(PlainBlock(arch.width, arch.heads) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.width, eps=1e-5)
        self.neck = Pyramid(arch.width) if arch.neck == "pyramid" else None
        self.rectangle = Rectangle() if arch.rectangle else None
        kinds = {"center": CenterHead, "corner_lite": CornerLiteHead}
        self.head = kinds.get(arch.head, CornerHead)(arch.width, arch.head_width)
        if arch.head == "center":
            self.register_buffer("window", hann2d(16), persistent=False)

    def embed(self, template: Tensor, search: Tensor) -> Tensor:
        """Tokens (B, N, C), in the order class, search, template, from normalised crops (B, 3, 128, 128) and (B, 3, 256, 256)."""
        tokens = [self.class_token.expand(search.shape[0], -1, -1), self.stem(search), self.stem(template)]
        return torch.cat(tokens, dim=1) + self.positions

    def encode(self, tokens: Tensor) -> list[Tensor]:
        """Tokens (B, N, C) after every block; the last ones also after the last norm."""
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
            return class_token, stages[-1][:, 1 : 1 + SEARCH]
        return self.neck(class_token, *(stages[i][:, 1 : 1 + SEARCH] for i in (11, 7, 3)))  # type: ignore[no-any-return]  # nn.Module calls are Any

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

    def step(self, template: Tensor, search: Tensor, target: Tensor | None = None) -> dict[str, Tensor]:
        """`box` (B, 4), and `score` (B,) with a centre head.

        Args:
            template: uint8 (B, 128, 128, 3).
            search: uint8 (B, 256, 256, 3).
            target: (B, 4), the box in the template crop as cx, cy, w, h, only with `Arch.rectangle`.
        """
        picture = normalize(template)
        if self.rectangle is not None:
            assert target is not None  # `Spec.feed` asks for it
            picture = self.rectangle(picture, target[:, 2] / target[:, 3])
        return self.decode(self.grid(self.encode(self.embed(picture, normalize(search)))))


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
