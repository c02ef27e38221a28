"""What a second picture says, added to the tokens of the first one, block after block.

Zhu et al., CVPR 2023, arXiv:2303.10826 (ViPT), section 3; docs/trackers/vipt.md, golden/vipt.

B batch, T template tokens, S search tokens, K of them still there, C channels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.eliminate import restore

__all__ = ["Prompts", "VisualPrompts"]


class Prompts(NamedTuple):
    """What is added to template tokens (B, T, C) and to the search tokens of all places (B, S, C)."""

    template: Tensor
    search: Tensor


class PromptBlock(nn.Module):
    """Tokens and the prompts before, both narrowed to a few channels, added up, and widened again; there is no activation.

    `fovea`: what comes of the tokens is weighted by a softmax over all places, for each channel apart.
    """

    def __init__(self, width: int, hidden: int, *, fovea: bool) -> None:
        super().__init__()
        self.of_tokens, self.of_prompts = nn.Conv2d(width, hidden, 1), nn.Conv2d(width, hidden, 1)
        self.out = nn.Conv2d(hidden, width, 1)
        self.sharpness = nn.Parameter(torch.full((1,), 10.0)) if fovea else None

    def forward(self, tokens: Tensor, prompts: Tensor) -> Tensor:
        """New prompts (B, N, C) from tokens and prompts (B, N, C), all of one picture."""
        read = _pointwise(self.of_tokens, tokens)
        if self.sharpness is not None:
            read = torch.softmax(self.sharpness * read, dim=1) * read
        return _pointwise(self.out, read + _pointwise(self.of_prompts, prompts))


class VisualPrompts(nn.Module):
    """A prompt block before the first block of a network, or before each of its `depth` blocks; a layer norm beside each."""

    def __init__(self, width: int, hidden: int, *, depth: int, fovea: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(PromptBlock(width, hidden, fovea=fovea) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-6) for _ in range(depth))

    @property
    def depth(self) -> int:
        """How many blocks of the network get prompts."""
        return len(self.blocks)

    def first(self, tokens: Tensor, second: Tensor) -> Tensor:
        """The first prompts (B, N, C) of one crop, from the tokens of both of its pictures, without positions."""
        block, norm = self.blocks[0], self.norms[0]
        return block(norm(tokens), norm(second))

    def later(self, i: int, tokens: Prompts, places: Tensor, prompts: Prompts) -> tuple[Prompts, Prompts]:
        """Tokens with new prompts added, and these prompts.

        Args:
            i: block that comes next, from 1 on.
            tokens: template (B, T, C) and those search tokens (B, K, C) that are still there.
            places: (B, K), where in the search grid these stand.
            prompts: of the block before.
        """
        # as published: what was eliminated takes part in the fovea, as zeros before the norm
        whole = Prompts(tokens.template, restore(tokens.search, places, prompts.search.shape[1]))
        norm, last = self.norms[i], self.norms[i - 1]
        new = Prompts(*(self.blocks[i](last(token), norm(prompt)) for token, prompt in zip(whole, prompts, strict=True)))
        here = new.search.gather(1, places.unsqueeze(2).expand(-1, -1, new.search.shape[2]))
        return Prompts(tokens.template + new.template, tokens.search + here), new


def _pointwise(layer: nn.Conv2d, tokens: Tensor) -> Tensor:
    """A 1x1 convolution, which is stored as one, over a line of tokens (B, N, C)."""
    return functional.linear(tokens, layer.weight.flatten(1), layer.bias)
