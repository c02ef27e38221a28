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

from sightline.models.layers.decode import decode_center
from sightline.models.layers.heads import CenterBoxHead, CenterHead, bounded

__all__ = ["find_center"]

REACH = 4  # cells on each side that a tower of four 3x3 convolutions sees


def find_center(head: CenterHead | CenterBoxHead, grid: Tensor, window: Tensor, *, windowed: bool = False) -> tuple[Tensor, Tensor]:
    """What `decode_center(head(grid), window, windowed=windowed)` says.

    Args:
        head: one in training mode computes everything.
        grid: search map (B, C, G, G).
        window: (1, 1, G, G).
        windowed: the scores are those of the response, with the window.

    Returns:
        boxes (B, 4) as cx, cy, w, h in 0..1 of the search crop, and their scores (B,).
    """
    if head.training:  # there its losses look at whole maps, and batch norms at all cells
        return decode_center(head(grid), window, windowed=windowed)
    side = grid.shape[-1]
    score = bounded(head.score(grid))
    response = score * window
    best = response.flatten(1).argmax(dim=1)  # (B,)
    around, inside = _around(grid, best, REACH)
    if isinstance(head, CenterBoxHead):
        said = _said(head.box, around, inside)
        offset, size = said[:, :2], said[:, 2:]
    else:
        offset, size = _said(head.offset, around, inside), _said(head.size, around, inside)
    line = torch.arange(side, device=grid.device)
    cells = torch.stack([line.repeat(side), line.repeat_interleave(side)], dim=1)  # column and row of each
    box = torch.cat([(cells[best] + offset) / side, bounded(size)], dim=1)
    return box, (response if windowed else score).flatten(1).amax(dim=1)


def _said(tower: nn.Sequential, cells: Tensor, inside: Tensor) -> Tensor:
    """The outputs (B, N) of a tower in the middle of squares (B, C, n, n), where `inside` (B, 1, n, n) is 1.0 for cells of the map."""
    *blocks, last = tower
    for i, block in enumerate(blocks, start=1):
        assert isinstance(block, nn.Sequential)
        convolution, *rest = block
        assert isinstance(convolution, nn.Conv2d)
        cells = functional.conv2d(cells, convolution.weight, convolution.bias)
        for layer in rest:
            cells = layer(cells)
        if i < REACH:  # the middle is always inside
            cells = cells * inside[:, :, i : inside.shape[2] - i, i : inside.shape[3] - i]
    return last(cells).flatten(1)


def _around(grid: Tensor, best: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The square (B, C, n, n) around one cell (B,) of each grid, n = 2 `reach` + 1, zeros outside; and 1.0 for what is inside, (B, 1, n, n)."""
    places, is_inside = (table[best] for table in _neighbours(grid.shape[-1], reach, grid.device))
    inside = is_inside.unsqueeze(1).to(grid.dtype)
    cells = grid.flatten(2).gather(2, places.flatten(1).unsqueeze(1).expand(-1, grid.shape[1], -1))
    return cells.reshape(grid.shape[0], grid.shape[1], *inside.shape[2:]) * inside, inside


def _neighbours(side: int, reach: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """For every cell of a grid, the square around it: places (G G, n, n) int64, and which are inside, bool; n = 2 `reach` + 1.

    Constants of a graph: what is gathered from them costs less than to work them out. Places outside stand for the nearest inside.
    """
    steps = torch.arange(side, device=device).unsqueeze(1) + torch.arange(-reach, reach + 1, device=device)  # (G, n)
    inside, nearest = (steps >= 0) & (steps < side), steps.clamp(0, side - 1)
    places = nearest[:, None, :, None] * side + nearest[None, :, None, :]  # (G, G, n, n)
    return places.flatten(0, 1), (inside[:, None, :, None] & inside[None, :, None, :]).flatten(0, 1)
