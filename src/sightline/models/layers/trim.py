"""Work that joint transformers do in vain: the last block computes tokens that nobody reads afterwards.

Template and search tokens read one another in every block. Behind the last one the head reads search tokens only, so there the others
are keys and values: they need no projection and no perceptron. Nor does what a template is before the first block depend on the search:
such networks make it state, in `init`. Both are exact, with any weights; neither can be where something reads the template after the last
block (docs/studies/savings.md says which trackers do).

B batch, N tokens, K of them kept, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

__all__ = ["through"]


def through(blocks: Sequence[nn.Module] | nn.ModuleList, tokens: Tensor, kept: slice) -> Tensor:
    """Some of the tokens (B, N, C) behind all blocks: (B, K, C). Of the last block only their part is computed.

    Args:
        blocks: map tokens (B, N, C) to tokens; the last one, given `kept`, to those. In training mode it computes all: there may be batch
            norms in it, which look at all of them.
        tokens: (B, N, C).
        kept: which of them, along axis 1.
    """
    *before, last = blocks
    for block in before:
        tokens = block(tokens)
    found: Tensor = last(tokens)[:, kept] if last.training else last(tokens, kept=kept)
    return found
