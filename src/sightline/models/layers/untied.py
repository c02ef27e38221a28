"""Untied positions: what two places have to do with one another is added to the logits of attention, apart from the tokens.

Ke et al., ICLR 2021, arXiv:2006.15595; for several grids in one line of tokens, Lin et al., NeurIPS 2022 (SwinTrack);
golden/components/swintrack_positions.

A grid of each picture; N, M tokens of all grids, one grid after the other, row by row. C channels, H heads, D = C / H.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["GRID_KEYS", "GridPositions", "RelativeBias", "pair_index"]

Grid: TypeAlias = tuple[int, int]  # rows, columns

# names in the authors' files of a `GridPositions` -> names here
GRID_KEYS = (("pos.w_pos", "columns"), ("pos.h_pos", "rows"), ("norm", "norm"), ("pos_q_linear", "query"), ("pos_k_linear", "key"))


def pair_index(grids: Sequence[Grid], queries: Sequence[int], keys: Sequence[int] | None = None) -> NDArray[np.int64]:
    """A number for every pair of a query and a key, the same for pairs of one distance in the same two grids.

    The numbers are the places of (rows apart, columns apart, grid of the query, grid of the key) in their sorted list, where each
    token counts in its own grid's rows and columns.

    Args:
        grids: of all pictures.
        queries: which of them hold the queries.
        keys: which of them hold the keys; None for all.

    Returns:
        (N, M) from 0 on, without gaps.
    """
    places = [np.stack([*np.indices(grid).reshape(2, -1), np.full(grid[0] * grid[1], i)], axis=1) for i, grid in enumerate(grids)]
    asking = np.concatenate([places[i] for i in queries])
    asked = np.concatenate([places[i] for i in (range(len(grids)) if keys is None else keys)])
    down, across = (asking[:, axis, np.newaxis] - asked[:, axis] for axis in (0, 1))
    reach = max(max(grid) for grid in grids)
    apart = (down + reach) * (2 * reach + 1) + across + reach
    number = (apart * len(grids) + asking[:, 2, np.newaxis]) * len(grids) + asked[:, 2]
    index: NDArray[np.int64] = np.unique(number, return_inverse=True)[1].reshape(number.shape)
    return index


class RelativeBias(nn.Module):
    """A learned bias for every number of `pair_index`, and every head."""

    index: Tensor

    def __init__(self, grids: Sequence[Grid], queries: Sequence[int], heads: int, *, keys: Sequence[int] | None = None) -> None:
        super().__init__()
        index = pair_index(grids, queries, keys)
        self.biases = nn.Parameter(torch.zeros(heads, int(index.max()) + 1))
        self.register_buffer("index", torch.from_numpy(index), persistent=False)

    def forward(self) -> Tensor:
        """(H, N, M)."""
        return self.biases[:, self.index]


class GridPositions(nn.Module):
    """Where the tokens of one grid stand, as queries and keys of every head: a vector for the row and one for the column."""

    def __init__(self, side: int, width: int, heads: int, *, asks: bool = True) -> None:
        """`asks`: whether tokens of this grid are queries too."""
        super().__init__()
        self.heads = heads
        self.columns = nn.Parameter(torch.randn(side, width) * 0.02)
        self.rows = nn.Parameter(torch.randn(side, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.key = nn.Linear(width, width)
        if asks:
            self.query = nn.Linear(width, width)

    def keys(self) -> Tensor:
        """(H, side * side, D)."""
        return self._heads(self.key(self._places()))

    def queries(self) -> Tensor:
        """(H, side * side, D), scaled: the product with keys is a logit."""
        queries = self._heads(self.query(self._places()))
        scale: float = queries.shape[-1] ** -0.5
        return queries * scale

    def _places(self) -> Tensor:
        return self.norm((self.rows.unsqueeze(1) + self.columns).flatten(0, 1))

    def _heads(self, places: Tensor) -> Tensor:
        return places.unflatten(1, (self.heads, -1)).transpose(0, 1)  # type: ignore[no-untyped-call]  # of torch
