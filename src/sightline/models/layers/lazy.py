"""The box of a centre head without most of its work: size and offset are computed in the one cell that decides.

What a tower of 3x3 convolutions says in one cell depends on the cells around it, as many as it has convolutions on each side. So
the score is computed everywhere, and the other towers on a small square of cells that shrinks to one: 9, 7, 5, 3, 1. A convolution
pads every layer with zeros outside the map, so what lies there is set to zero after every layer, not only before the first.
The box is that of `decode_center` on the whole maps, up to the order of sums (tests/models/layers/test_lazy.py).

B batch, C channels, G x G the grid of search tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.layers.heads import CenterBoxHead, CenterHead, bounded

__all__ = ["find_center"]


def find_center(head: CenterHead | CenterBoxHead, grid: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """What `decode_center(head(grid), window)` says.

    Args:
        head: in evaluation mode.
        grid: search map (B, C, G, G).
        window: (1, 1, G, G).

    Returns:
        boxes (B, 4) as cx, cy, w, h in 0..1 of the search crop, and their scores (B,) without the window.
    """
    side = grid.shape[-1]
    score = bounded(head.score(grid))
    best = (score * window).flatten(1).argmax(dim=1)  # (B,)
    row, column = torch.div(best, side, rounding_mode="floor"), best % side
    if isinstance(head, CenterBoxHead):
        said = _said(head.box, grid, row, column)
        offset, size = said[:, :2], said[:, 2:]
    else:
        offset, size = _said(head.offset, grid, row, column), _said(head.size, grid, row, column)
    centre = (torch.stack([column, row], dim=1) + offset) / side
    return torch.cat([centre, bounded(size)], dim=1), score.flatten(1).amax(dim=1)


def _said(tower: nn.Sequential, grid: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The outputs (B, N) of a tower in one cell (B,) of each grid (B, C, G, G)."""
    *blocks, last = tower
    cells, inside = _around(grid, row, column, reach=len(blocks))
    for i, block in enumerate(blocks, start=1):
        assert isinstance(block, nn.Sequential)
        convolution, *rest = block
        assert isinstance(convolution, nn.Conv2d)
        cells = functional.conv2d(cells, convolution.weight, convolution.bias)
        for layer in rest:
            cells = layer(cells)
        cells = cells * inside[:, :, i : inside.shape[2] - i, i : inside.shape[3] - i]
    return last(cells).flatten(1)  # type: ignore[no-any-return]  # nn.Module calls are Any


def _around(grid: Tensor, row: Tensor, column: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The cells (B, C, n, n), n = 2 `reach` + 1, around one, zeros outside the map; and which lie inside, (B, 1, n, n) float."""
    batch, channels, side, _ = grid.shape
    steps = torch.arange(-reach, reach + 1, device=grid.device)
    rows, columns = row.unsqueeze(1) + steps, column.unsqueeze(1) + steps  # (B, n)
    inside = _within(rows, side).unsqueeze(2) * _within(columns, side).unsqueeze(1)  # (B, n, n)
    places = rows.clamp(0, side - 1).unsqueeze(2) * side + columns.clamp(0, side - 1).unsqueeze(1)
    cells = grid.flatten(2).gather(2, places.reshape(batch, 1, -1).expand(-1, channels, -1))
    shape = (batch, channels, steps.shape[0], steps.shape[0])
    inside = inside.unsqueeze(1)
    return cells.reshape(shape) * inside, inside


def _within(places: Tensor, side: int) -> Tensor:
    """1.0 where a row or column is one of the map, else 0.0."""
    return ((places >= 0) & (places < side)).float()
