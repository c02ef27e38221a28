"""Prompts: telling a network which part of a crop is the target, beside showing the crop.

Facts: docs/trackers/vittrack.md section 5 (no paper); golden/ostrack_prompt, golden/components/prompt_*.

A prompt changes the picture (a line, a filled box), or the tokens made of it (an alpha channel, a vector for the inside), or
puts tokens of its own in front. B batch, L pixels along each side of a crop, C channels, G x G tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.boxes import xyxy_from_xywh
from sightline.models.layers.conv import Stem
from sightline.models.layers.decode import MEAN, STD
from sightline.models.layers.vit import PlainBlock

__all__ = [
    "Marked",
    "Prompt",
    "SearchPromptKind",
    "TemplatePromptKind",
    "box_from_ratio",
    "mark",
    "prompt_keys",
]

TemplatePromptKind: TypeAlias = Literal[
    "none", "red-line", "line", "box", "painted", "painted-free", "alpha", "cutout", "size-tokens", "inside-outside"
]
SearchPromptKind: TypeAlias = Literal["none", "painted", "box-tokens"]

PATCH = 16
RED = (1.0, 0.0, 0.0)


class Marked(NamedTuple):
    """Where the target is in a crop.

    box      (B, 4) x, y, w, h in 0..1
    corners  (B, 4) x1, y1, x2, y2 in pixels
    mask     (B, 1, L, L), 1 on it and 0 beside it
    """

    box: Tensor
    corners: Tensor
    mask: Tensor


def mark(box: Tensor, size: int, mask: Tensor | None = None) -> Marked:
    """A target that is known by its box (B, 4), x, y, w, h in 0..1 of a crop of `size` pixels, or more closely by a mask (B, 1, L, L)."""
    pixels = box.clamp(0, 1) * size  # as published: each of the four on its own
    corners = xyxy_from_xywh(pixels)
    if mask is None:
        across, down = _pixels(size, box.device)
        x1, y1, x2, y2 = _apart(corners)
        mask = ((across > x1) & (across < x2) & (down > y1) & (down < y2)).to(box.dtype)
    return Marked(box, corners, mask)


def box_from_ratio(target: Tensor, *, factor: float = 2.0, shift: float = 0.0) -> Tensor:
    """Where a target would be in a template crop of which nothing was rounded: (B, 4) as x, y, w, h in 0..1.

    As published, its width over its height is all that is used of it.

    Args:
        target: (B, 4), cx, cy, w, h; only w and h count.
        factor: of the crop.
        shift: of the middle of the crop, in 0..1.
    """
    root = (target[:, 2:3] / target[:, 3:4]) ** 0.5
    size = torch.cat([root, 1 / root], dim=1) / factor
    return torch.cat([0.5 + shift - size / 2, size], dim=1)


class Prompt(nn.Module):
    """What a kind of prompt does, in three places; each does nothing unless a kind says otherwise.

    Attributes:
        num: tokens that it puts in front.
    """

    num = 0

    def draw(self, picture: Tensor, at: Marked) -> Tensor:  # noqa: ARG002  # kinds use it
        """The normalised crop (B, 3, L, L) with the prompt in it."""
        return picture

    def add(self, tokens: Tensor, at: Marked) -> Tensor:  # noqa: ARG002  # kinds use it
        """The tokens (B, G * G, C) of the crop, positions included, with the prompt in them."""
        return tokens

    def front(self, picture: Tensor, at: Marked) -> Tensor | None:  # noqa: ARG002  # kinds use it
        """Tokens (B, num, C) of its own, positions included."""
        return None


class Drawn(Prompt):
    """One colour for all targets, learned or given: a line along the box, or the box filled. It may be transparent."""

    def __init__(self, shape: Literal["line", "box"], *, colour: tuple[float, float, float] | None = None, thickness: float = 3.0) -> None:
        super().__init__()
        self.shape, self.thickness = shape, thickness
        self.colour: Tensor
        self.transparency: Tensor
        if colour is None:
            self.colour, self.transparency = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.full((1,), 0.5))
        else:
            self.register_buffer("colour", (torch.tensor(colour) - torch.tensor(MEAN)) / torch.tensor(STD), persistent=False)
            self.register_buffer("transparency", torch.zeros(1), persistent=False)

    def draw(self, picture: Tensor, at: Marked) -> Tensor:
        """See `Prompt.draw`."""
        covered = at.mask if self.shape == "box" else _outline(at.corners, picture.shape[-1], self.thickness)
        return _covered(picture, covered, self.colour.expand(picture.shape[0], -1), self.transparency.expand(picture.shape[0]))


class ColourNet(nn.Module):
    """A small transformer which looks at a crop and says a colour and how transparent it is; one block, read at a class token."""

    def __init__(self, width: int, heads: int, grid: int) -> None:
        super().__init__()
        self.stem = Stem(width, "conv16")
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + grid**2, width))
        self.block = PlainBlock(width, heads)
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.out = nn.Linear(width, 4)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Colour (B, 3) and transparency (B,), any real numbers, for crops (B, 3, L, L)."""
        tokens = torch.cat([self.class_token.expand(picture.shape[0], -1, -1), self.stem(picture)], dim=1) + self.positions
        said = self.out(self.norm(self.block(tokens)[:, 0]))
        return said[:, :3], said[:, 3]


class Painted(Prompt):
    """The target filled with a colour that a `ColourNet` chooses for each crop; its transparency in 0..1 only if `bounded`."""

    def __init__(self, width: int, heads: int, grid: int, *, bounded: bool = True) -> None:
        super().__init__()
        self.net, self.bounded = ColourNet(width, heads, grid), bounded

    def choose(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Colour (B, 3), normalised, and transparency (B,)."""
        colour, transparency = self.net(picture)
        return colour, torch.sigmoid(transparency) if self.bounded else transparency

    def draw(self, picture: Tensor, at: Marked) -> Tensor:
        """See `Prompt.draw`."""
        return _covered(picture, at.mask, *self.choose(picture))


class Alpha(Prompt):
    """The mask as a fourth channel, with a patch embedding of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, width, PATCH, PATCH)
        nn.init.zeros_(self.conv.weight)  # a network that was trained without it stays as it is
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]  # it has one

    def add(self, tokens: Tensor, at: Marked) -> Tensor:
        """See `Prompt.add`."""
        read: Tensor = self.conv(at.mask)
        return tokens + read.flatten(2).transpose(1, 2)


class InsideOutside(Prompt):
    """One learned vector for what shows the target, one for what does not; a token gets both, by the share of its pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inside, self.outside = nn.Parameter(torch.zeros(1, 1, width)), nn.Parameter(torch.zeros(1, 1, width))

    def add(self, tokens: Tensor, at: Marked) -> Tensor:
        """See `Prompt.add`."""
        share = functional.avg_pool2d(at.mask, PATCH).flatten(1).unsqueeze(2)
        return tokens + share * self.inside + (1 - share) * self.outside


class Cutout(Prompt):
    """The crop once more, black beside the target, with a patch embedding and positions of its own."""

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.num = grid**2
        self.stem = Stem(width, "conv16")
        self.positions = nn.Parameter(torch.zeros(1, self.num, width))

    def front(self, picture: Tensor, at: Marked) -> Tensor | None:
        """See `Prompt.front`."""
        tokens: Tensor = self.stem(picture * at.mask) + self.positions
        return tokens


class NumberTokens(Prompt):
    """Some numbers of the box as words: whole numbers that stand for rows of a table, of norm 1 at most."""

    def __init__(self, width: int, rows: int, num: int) -> None:
        super().__init__()
        self.num = num
        self.table = nn.Parameter(torch.randn(rows, width))
        self.positions = nn.Parameter(torch.zeros(1, num, width))

    def numbers(self, box: Tensor) -> Tensor:
        """(B, num), real, from boxes (B, 4) as x, y, w, h in 0..1."""
        raise NotImplementedError

    def front(self, picture: Tensor, at: Marked) -> Tensor | None:  # noqa: ARG002  # the signature of a prompt
        """See `Prompt.front`."""
        which = self.numbers(at.box).long().clamp(0, self.table.shape[0] - 1)
        rows = self.table[which]
        norm = rows.norm(dim=2, keepdim=True)
        return torch.where(norm > 1, rows / (norm + 1e-7), rows) + self.positions


class SizeTokens(NumberTokens):
    """Width and height of the target in 64ths of the square of its area."""

    def __init__(self, width: int) -> None:
        super().__init__(width, rows=128, num=2)

    def numbers(self, box: Tensor) -> Tensor:
        """See `NumberTokens.numbers`."""
        w, h = box[:, 2], box[:, 3]
        return torch.stack([64 * torch.sqrt(w / h), 64 * torch.sqrt(h / w)], dim=1)


class BoxTokens(NumberTokens):
    """All four numbers of the box in 256ths of the crop."""

    def __init__(self, width: int) -> None:
        super().__init__(width, rows=257, num=4)

    def numbers(self, box: Tensor) -> Tensor:
        """See `NumberTokens.numbers`."""
        return box.clamp(0, 1) * 256


class PromptPair(nn.Module):
    """The prompts of a network: of its template, which shows the target, and of its search crop, which shows where it was.

    Args:
        template: kind of the first.
        search: kind of the second.
        width: C.
        heads: of the network.
        grids: tokens along each side of the template and of the search crop.
    """

    def __init__(self, template: TemplatePromptKind, search: SearchPromptKind, *, width: int, heads: int, grids: tuple[int, int]) -> None:
        super().__init__()
        kinds: dict[str, Callable[[int], Prompt]] = {
            "red-line": lambda _: Drawn("line", colour=RED),
            "line": lambda _: Drawn("line"),
            "box": lambda _: Drawn("box"),
            "painted": lambda grid: Painted(width, heads, grid),
            "painted-free": lambda grid: Painted(width, heads, grid, bounded=False),
            "alpha": lambda _: Alpha(width),
            "cutout": lambda grid: Cutout(width, grid),
            "size-tokens": lambda _: SizeTokens(width),
            "box-tokens": lambda _: BoxTokens(width),
            "inside-outside": lambda _: InsideOutside(width),
        }
        self.template = None if template == "none" else kinds[template](grids[0])
        self.search = None if search == "none" else kinds[search](grids[1])

    @property
    def num(self) -> int:
        """Tokens that they put in front."""
        return sum(prompt.num for prompt in (self.template, self.search) if prompt is not None)

    def on_template(self, picture: Tensor, target: Marked | None) -> tuple[Tensor, list[Tensor]]:
        """A template (B, 3, L, L) with what is drawn on it, and tokens (B, F, C) to be put in front."""
        return _prompted(self.template, picture, target)

    def on_search(self, picture: Tensor, prior: Marked | None) -> tuple[Tensor, list[Tensor]]:
        """A search crop (B, 3, L, L), likewise."""
        return _prompted(self.search, picture, prior)

    def add(self, tokens: Tensor, target: Marked | None) -> Tensor:
        """Template tokens (B, T, C), positions included, with the prompt in them."""
        return tokens if self.template is None or target is None else self.template.add(tokens, target)


def _prompted(prompt: Prompt | None, picture: Tensor, at: Marked | None) -> tuple[Tensor, list[Tensor]]:
    if prompt is None:
        return picture, []
    assert at is not None  # `Spec.feed` asks for it
    picture = prompt.draw(picture, at)
    tokens = prompt.front(picture, at)
    return picture, [] if tokens is None else [tokens]


def prompt_keys(theirs: str, ours: str) -> tuple[tuple[str, str], ...]:
    """Names in the authors' files of a prompt which they call `theirs`, and names here, where it is called `ours`."""
    pairs = (
        ("color.net.patch_embed.proj", "net.stem.layers.0"),
        ("color.net.cls_token", "net.class_token"),
        ("color.net.pos_embed", "net.positions"),
        ("color.net.blocks.0.attn.qkv", "net.block.attention.qkv"),
        ("color.net.blocks.0.attn.proj", "net.block.attention.out"),
        ("color.net.blocks.0.mlp.fc1", "net.block.mlp.up"),
        ("color.net.blocks.0.mlp.fc2", "net.block.mlp.down"),
        ("color.net.blocks.0", "net.block"),
        ("color.net.ln", "net.out"),
        ("color.net", "net"),
        ("color.color", "colour"),
        ("color.transparency", "transparency"),
        ("patch_embedding", "stem.layers.0"),
        ("word_embeddings.weight", "table"),
        ("pos_embed", "positions"),
        ("weight", "conv.weight"),
        ("bias", "conv.bias"),
        ("inside", "inside"),
        ("outside", "outside"),
    )
    return tuple((f"{theirs}.{their}", f"{ours}.{our}") for their, our in pairs)


def _pixels(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Column and row numbers, (1, 1, 1, L) and (1, 1, L, 1)."""
    line = torch.arange(size, device=device, dtype=torch.float32)
    return line.reshape(1, 1, 1, -1), line.reshape(1, 1, -1, 1)


def _apart(corners: Tensor) -> tuple[Tensor, ...]:
    """The numbers of boxes (B, 4), each (B, 1, 1, 1)."""
    return corners.reshape(-1, 4, 1, 1, 1).unbind(1)


def _outline(corners: Tensor, size: int, thickness: float) -> Tensor:
    """(B, 1, L, L), 1 where a pixel's number is less than half the thickness away from the sides of a box (B, 4), corners in pixels."""
    across, down = _pixels(size, corners.device)
    x1, y1, x2, y2 = _apart(corners)
    beyond = torch.maximum((across - (x1 + x2) / 2).abs() - (x2 - x1) / 2, (down - (y1 + y2) / 2).abs() - (y2 - y1) / 2)  # negative inside
    return (beyond.abs() < thickness / 2).to(corners.dtype)


def _covered(picture: Tensor, where: Tensor, colour: Tensor, transparency: Tensor) -> Tensor:
    """A picture (B, 3, L, L) under a colour (B, 3), where `where` (B, 1, L, L) is 1; (B,) of what was there shines through."""
    share = transparency.reshape(-1, 1, 1, 1)
    return picture + where * (colour.reshape(-1, 3, 1, 1) * (1 - share) + picture * share - picture)
