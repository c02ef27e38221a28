"""MCITrack: beside the tokens' attention runs a state that every place of the search region hands on from frame to frame.

Paper   Kang et al., AAAI 2025, arXiv:2412.11023; state spaces: Gu and Dao, arXiv:2312.00752
Facts   docs/trackers/mcitrack.md      Spec  sightline/zoo/mcitrack.py      Golden  golden/mcitrack

What the first stages make of a template does not depend on the search region, so it is all that is kept of it. The state goes on
only from frames of which the tracker is sure.

B batch, S search tokens (a G x G grid), T tokens of a template (Z x Z), K templates, C channels, E = 2 C inner channels of a state
space, N numbers for each of them, L layers. Pixels enter as uint8 (B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the
search crop.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.decode import hann2d, normalize
from sightline.models.layers.detr import ReadAttention, attention_keys
from sightline.models.layers.fastitpn import ENCODER_KEYS, FastITPN, corners_of
from sightline.models.layers.heads import CenterHead, CenterMaps, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.vit import read_scaled
from sightline.zoo.mcitrack import Arch

__all__ = ["KEYS", "UNUSED", "MCITrack", "StateSpace", "Told", "build"]

HEADS = 8
_PAIR = "neck.interactions.{}"
_READERS = (
    (f"{_PAIR}.injector", "pairs.{}.injector"),
    (f"{_PAIR}.extractor", "pairs.{}.extractors.0"),
    (f"{_PAIR}.extra_extractors.0", "pairs.{}.extractors.1"),
    (f"{_PAIR}.extra_extractors.1", "pairs.{}.extractors.2"),
)
_MIXER = (
    ("A_log", "log_decay"),
    ("D", "skip"),
    ("in_proj", "lead"),
    ("conv1d", "local"),
    ("x_proj", "split"),
    ("dt_proj", "step"),
    ("out_proj", "out"),
)
KEYS = (
    *((f"neck.layers.{{}}.mixer.{theirs}", f"spaces.{{}}.{ours}") for theirs, ours in _MIXER),
    ("neck.layers.{}.norm", "spaces.{}.norm"),
    *(
        pair
        for theirs, ours in _READERS
        for pair in (
            *attention_keys(f"{theirs}.attn", f"{ours}.attention"),
            (f"{theirs}.ffn.fc1", f"{ours}.feed.up"),
            (f"{theirs}.ffn.fc2", f"{ours}.feed.down"),
            (f"{theirs}.ffn.dwconv.dwconv", f"{ours}.feed.local"),
            (theirs, ours),
        )
    ),
    *ENCODER_KEYS,
)
UNUSED: tuple[str, ...] = ()


class StateSpace(nn.Module):
    """A selective state space over frames: each token has a state of its own, which its past frames have left."""

    def __init__(self, width: int, num: int) -> None:
        super().__init__()
        inner, rank = 2 * width, math.ceil(width / 16)
        self.parts = [rank, num, num]
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.lead = nn.Linear(width, 2 * inner, bias=False)
        self.local = nn.Conv1d(inner, inner, 3, padding=1, groups=inner)
        self.split = nn.Linear(inner, sum(self.parts), bias=False)
        self.step = nn.Linear(rank, inner)
        self.log_decay = nn.Parameter(torch.log(torch.arange(1, num + 1).float()).repeat(inner, 1))
        self.skip = nn.Parameter(torch.ones(inner))
        self.out = nn.Linear(inner, width, bias=False)

    def forward(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, S, C) and their state (B, S, E, N) to both in this frame."""
        normed = self.norm(tokens)
        x, gate = self.lead(normed).chunk(2, dim=2)
        x = functional.silu(self.local(x.transpose(1, 2)).transpose(1, 2))  # (B, S, E)
        rank, written, read = self.split(x).split(self.parts, dim=2)
        step = functional.softplus(self.step(rank)).unsqueeze(3)  # (B, S, E, 1)
        state = torch.exp(-step * torch.exp(self.log_decay)) * state + step * written.unsqueeze(2) * x.unsqueeze(3)
        said = (state @ read.unsqueeze(3)).squeeze(3) + self.skip * x
        # as published: added to the normed tokens, not to the tokens
        return self.out(said * functional.silu(gate)) + normed, state


class _GridFeed(nn.Module):
    """A narrow perceptron on search tokens, which sees the neighbours of each."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.local = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, S, C) to the same."""
        near = self.local(to_grid(self.up(tokens))).flatten(2).transpose(1, 2)
        return self.down(functional.gelu(near))


class _Reader(nn.Module):
    """Tokens that read others, both normed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query_norm, self.feat_norm = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attention = ReadAttention(width, HEADS)

    def read(self, tokens: Tensor, others: Tensor) -> Tensor:
        """What tokens (B, N, C) take from others (B, M, C): (B, N, C)."""
        attention, asking, told = self.attention, self.query_norm(tokens), self.feat_norm(others)
        heads = read_scaled(attention.split(asking, "queries"), attention.split(told, "keys"), attention.split(told, "values"))
        return attention.out(heads.transpose(1, 2).flatten(2))


class _Injector(_Reader):
    """All tokens read those of the state."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.gamma = nn.Parameter(torch.zeros(width))

    def forward(self, tokens: Tensor, told: Tensor) -> Tensor:
        """(B, N, C) and (B, S, C) to (B, N, C)."""
        return tokens + self.gamma * self.read(tokens, told)


class _Extractor(_Reader):
    """The tokens of the state read all tokens."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.feed, self.ffn_norm = _GridFeed(width, width // 4), nn.LayerNorm(width, eps=1e-6)

    def forward(self, told: Tensor, tokens: Tensor) -> Tensor:
        """(B, S, C) and (B, N, C) to (B, S, C)."""
        told = told + self.read(told, tokens)
        return told + self.feed(self.ffn_norm(told))


class _Pair(nn.Module):
    """What leads from the state to the tokens, and back."""

    def __init__(self, width: int, num: int) -> None:
        super().__init__()
        self.injector = _Injector(width)
        self.extractors = nn.ModuleList(_Extractor(width) for _ in range(num))


class Told(NamedTuple):
    """What the network knows of a search region: features (B, S, C) that the head reads, and the new state (B, L, S, E, N)."""

    features: Tensor
    state: Tensor


class MCITrack(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.arch = arch
        self.num_search = arch.search_grid**2
        self.encoder = FastITPN(
            channels=3,
            width=arch.width,
            stages=arch.stages,
            depth=arch.depth,
            heads=arch.heads,
            search_grid=arch.search_grid,
            template_grid=arch.template_grid,
        )
        last = arch.layers - 1
        self.spaces = nn.ModuleList(StateSpace(arch.width, arch.state) for _ in range(arch.layers))
        self.pairs = nn.ModuleList(_Pair(arch.width, 3 if i == last else 1) for i in range(arch.layers))
        self.norm = nn.LayerNorm(arch.width, eps=1e-6)
        self.head = CenterHead(arch.width, arch.head_width)
        self.register_buffer("window", hann2d(arch.search_grid), persistent=False)

    def untold(self, batch: int, device: torch.device) -> Tensor:
        """The state of a target that was not seen yet: (B, L, S, E, N)."""
        return torch.zeros(batch, self.arch.layers, self.num_search, 2 * self.arch.width, self.arch.state, device=device)

    def encode(self, tokens: Tensor, state: Tensor) -> Told:
        """Search and template tokens (B, S + K T, C), search first, and the state, through all blocks."""
        told, states, blocks = tokens[:, : self.num_search], [], self.encoder.readers
        each = len(blocks) // len(self.spaces)
        for i, (space, pair) in enumerate(zip(self.spaces, self.pairs, strict=True)):
            told, after = space(told, state[:, i])
            states.append(after)
            tokens = pair.get_submodule("injector")(tokens, told)
            for block in blocks[i * each : (i + 1) * each]:
                tokens = block(tokens)
            for extractor in pair.get_submodule("extractors").children():
                told = extractor(told, tokens)
        return Told(told + self.norm(tokens)[:, : self.num_search], torch.stack(states, dim=1))

    def look(self, features: Tensor) -> CenterMaps:
        """What the head says about features (B, S, C)."""
        return self.head(to_grid(features))

    def init(self, template: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What is kept of a template, `tokens` (B, T, C), and the state `next.state` (B, L, S, E, N) of a new target.

        Args:
            template: uint8 (B, 16 Z, 16 Z, 3).
            target: (B, 4), the box in the template crop as cx, cy, w, h in 0..1.
        """
        tokens = self.encoder.template_tokens(normalize(template), corners_of(target, template.shape[1]))
        return {"tokens": tokens, "next.state": self.untold(template.shape[0], template.device)}

    def step(self, search: Tensor, tokens: Tensor, state: Tensor) -> dict[str, Tensor]:
        """`box` (B, 4), `score` (B,), the largest of the windowed map, and `next.state`, in a search crop.

        Args:
            search: uint8 (B, 16 G, 16 G, 3).
            tokens: of the templates (B, K, T, C).
            state: (B, L, S, E, N).
        """
        found = self.encoder.search_tokens(normalize(search))
        told = self.encode(torch.cat([found, tokens.flatten(1, 2)], dim=1), state)
        box, score = find_center(self.head, to_grid(told.features), self.window, windowed=True)
        goes_on = (score >= self.arch.sure).reshape(-1, 1, 1, 1, 1)
        return {"box": box, "score": score, "next.state": torch.where(goes_on, told.state, torch.zeros_like(told.state))}


def build(arch: Arch) -> MCITrack:
    """An untrained network."""
    return MCITrack(arch)
