"""SUTrack: one network for colour, colour with depth, heat or events, and words; search and template tokens read one another.

Paper   Chen et al., AAAI 2025, arXiv:2412.19138
Facts   docs/trackers/sutrack.md      Spec  sightline/zoo/sutrack.py      Golden  golden/sutrack

What the first stages make of a template does not depend on the search region, so it is all that is kept of it.
The words' token comes from CLIP's text encoder, which is not built here: `step` leaves that token out, as the authors' tracker does
where their setting MULTI_MODAL_LANGUAGE is off. Where it is on, and no words are given, they put in a constant token instead.

B batch, S search tokens (a G x G grid), T tokens of a template (Z x Z), K templates, C channels. Pixels enter as uint8
(B, H, W, 3) RGB; boxes leave as cx, cy, w, h in 0..1 of the search crop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.models.layers.decode import hann2d, normalize
from sightline.models.layers.fastitpn import ENCODER_KEYS, FastITPN, corners_of
from sightline.models.layers.heads import CenterHead, CenterMaps, PerceptronHead, to_grid
from sightline.models.layers.lazy import find_center
from sightline.models.layers.trim import through
from sightline.zoo.sutrack import Arch

__all__ = ["KEYS", "UNUSED", "SUTrack", "build"]

TASKS = 5  # colour, with words, with depth, with heat, with events: what the training asks for
KEYS = (("encoder.body.cls_token", "class_token"), ("task_decoder", "task"), *ENCODER_KEYS)
UNUSED = ("text_encoder.*",)


def both(pixels: Tensor, extra: Tensor | None) -> Tensor:
    """Normalised crops (B, 6, h, w) of a picture and a second one, or of one twice; each uint8 (B, h, w, 3)."""
    first = normalize(pixels)
    return torch.cat([first, first if extra is None else normalize(extra)], dim=1)


class SUTrack(nn.Module):
    """See the module's docstring."""

    window: Tensor

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.num_search = arch.search_grid**2
        self.encoder = FastITPN(
            channels=6,
            width=arch.width,
            stages=arch.stages,
            depth=arch.depth,
            heads=arch.heads,
            search_grid=arch.search_grid,
            template_grid=arch.template_grid,
        )
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, arch.width))
        self.norm = nn.LayerNorm(arch.width, eps=1e-6)
        self.head = CenterHead(arch.width, arch.head_width)
        self.task = PerceptronHead(arch.width, arch.task_width, outputs=TASKS)
        self.register_buffer("window", hann2d(arch.search_grid), persistent=False)

    def join(self, search: Tensor, templates: Tensor, words: Tensor | None = None) -> Tensor:
        """All tokens (B, 1 + S + K T + 1, C) from those of search region, templates, and words (B, 1, C), in the order of reading."""
        parts = [self.class_token.expand(search.shape[0], -1, -1), search, templates]
        return torch.cat(parts if words is None else [*parts, words], dim=1)

    def encode(self, tokens: Tensor) -> tuple[list[Tensor], Tensor]:
        """Tokens (B, N, C) after each block, and what the head reads."""
        stages = []
        for block in self.encoder.readers:
            tokens = block(tokens)
            stages.append(tokens)
        return stages, self.norm(tokens)

    def look(self, tokens: Tensor) -> CenterMaps:
        """What the head says, for encoded tokens (B, N, C)."""
        return self.head(to_grid(tokens[:, 1 : 1 + self.num_search]))

    def init(self, template: Tensor, target: Tensor, template_extra: Tensor | None = None) -> dict[str, Tensor]:
        """What is kept of a template: `tokens` (B, T, C).

        Args:
            template: uint8 (B, 16 Z, 16 Z, 3).
            target: (B, 4), the box in the template crop as cx, cy, w, h in 0..1.
            template_extra: a second picture; None: the first one again.
        """
        corners = corners_of(target, template.shape[1])
        return {"tokens": self.encoder.template_tokens(both(template, template_extra), corners)}

    def step(self, search: Tensor, tokens: Tensor, search_extra: Tensor | None = None) -> dict[str, Tensor]:
        """`box` (B, 4) and `score` (B,), the largest of the windowed map, in a search crop.

        Args:
            search: uint8 (B, 16 G, 16 G, 3).
            tokens: of one template (B, T, C), or of several (B, K, T, C).
            search_extra: a second picture; None: the first one again.
        """
        found = self.encoder.search_tokens(both(search, search_extra))
        joined = self.join(found, tokens.flatten(1, -2))
        features = self.norm(through(self.encoder.readers, joined, slice(1, 1 + self.num_search)))
        box, score = find_center(self.head, to_grid(features), self.window, windowed=True)
        return {"box": box, "score": score}


def build(arch: Arch) -> SUTrack:
    """An untrained network."""
    return SUTrack(arch)
