"""Crops with uneven sampling: the target large, its surroundings small but there.

Kou et al., NeurIPS 2023, arXiv:2310.10071, section 3; docs/trackers/zoomtrack.md, golden/components/zoomtrack_crop. Rows and
columns are bent apart: a picture is cut by n + 1 lines each way, and every cell between them gets as much of the crop as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.spec import Zoom

__all__ = ["Bend", "bend_around", "cell_sides", "lerp", "saliency"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Bend:
    """Where the lines of an even grid on the crop stand in what is cut: the first at 0, the last at 1.

    Attributes:
        columns: (n + 1,) fractions of the width.
        rows: (n + 1,) fractions of the height.
        size: pixels along each side of the crop.
    """

    columns: Floats
    rows: Floats
    size: int

    def places(self) -> tuple[Floats, Floats]:
        """Where each pixel column and row (size,) of the crop is taken from, 0 for the middle of the first pixel, 1 for that of the last."""
        even, nodes = np.linspace(0, 1, self.size), np.linspace(0, 1, len(self.columns))
        return np.interp(even, nodes, self.columns), np.interp(even, nodes, self.rows)

    def sample(self, picture: NDArray[Any]) -> NDArray[np.float32]:
        """(size, size, C) of a picture (H, W, C), bilinear in float32: OpenCV's own interpolation knows 32 steps between two pixels."""
        columns, rows = self.places()
        return lerp(lerp(picture, rows, 0), columns, 1)

    def to_cut(self, unit_xyxy: Floats) -> Floats:
        """Corners (4,) in fractions of the crop as fractions of what is cut; those beyond the crop are moved to its edge."""
        return self._moved(unit_xyxy, lambda places, even, at: np.interp(at, even, places))

    def from_cut(self, unit_xyxy: Floats) -> Floats:
        """The inverse of `to_cut`."""
        return self._moved(unit_xyxy, lambda places, even, at: np.interp(at, places, even))

    def _moved(self, unit_xyxy: Floats, move: Any) -> Floats:
        even = np.linspace(0, 1, self.size)
        columns, rows = self.places()
        moved = np.empty(4)
        moved[0::2], moved[1::2] = move(columns, even, unit_xyxy[0::2]), move(rows, even, unit_xyxy[1::2])
        return moved


def bend_around(target: tuple[float, float], cut: tuple[int, int], zoom: Zoom, size: int) -> Bend:
    """The bend of a crop with a target in its middle.

    Args:
        target: width and height in pixels.
        cut: width and height of what is cut, in pixels.
        zoom: how it is bent.
        size: pixels along each side of the crop.
    """
    widths, heights = cell_sides(saliency(target, cut, zoom), cut, zoom)
    return Bend(_lines(widths, cut[0]), _lines(heights, cut[1]), size)


def saliency(target: tuple[float, float], cut: tuple[int, int], zoom: Zoom) -> Floats:
    """How much each node (n + 1, n + 1) of an even grid on the cut counts, row by row; 1 where most. Arguments as `bend_around`."""
    across, down = (
        np.exp(-0.5 * np.linspace(-whole / 2, whole / 2, zoom.cells + 1) ** 2 / (zoom.bandwidth * side))
        for whole, side in zip(cut, target, strict=True)
    )
    peak = np.outer(down, across)
    share = peak / (1e-5 + peak.sum()) + 1 / peak.size
    return np.asarray(share / share.max())


def cell_sides(nodes: Floats, cut: tuple[int, int], zoom: Zoom) -> tuple[Floats, Floats]:
    """Widths and heights (n,) of the cells, in pixels of the cut.

    They minimise, weighted by the squared saliency c of each cell, [keep the aspect] (n h_i / H - n w_j / W)^2 + [show the
    target `zoom.factor` times as large] (h_i - H / (n factor))^2 + (w_j - W / (n factor))^2, where all h add up to H and all w to W:
    one linear system, for there are no inequalities.

    Args:
        nodes: (n + 1, n + 1) saliency.
        cut: W and H.
        zoom: how the crop is bent.
    """
    n, (width, height) = zoom.cells, cut
    weight = ((nodes[:-1, :-1] + nodes[1:, :-1] + nodes[:-1, 1:] + nodes[1:, 1:]) / 4) ** 2
    by_row, by_column = weight.sum(axis=1), weight.sum(axis=0)
    system, wanted = np.zeros((2 * n + 2, 2 * n + 2)), np.zeros(2 * n + 2)
    rows, columns = slice(0, n), slice(n, 2 * n)
    system[rows, rows] = np.diag(by_row * (n**2 / height**2 + 1))
    system[columns, columns] = np.diag(by_column * (n**2 / width**2 + 1))
    system[rows, columns] = -weight * n**2 / (height * width)
    system[columns, rows] = system[rows, columns].T
    system[rows, 2 * n] = system[2 * n, rows] = system[columns, 2 * n + 1] = system[2 * n + 1, columns] = 1  # the sums
    wanted[rows], wanted[columns] = by_row * height / (n * zoom.factor), by_column * width / (n * zoom.factor)
    wanted[2 * n :] = height, width
    sides = np.asarray(np.linalg.solve(system, wanted), np.float64)
    return sides[columns], sides[rows]


def _lines(sides: Floats, whole: int) -> Floats:
    return np.clip(np.concatenate([[0.0], np.cumsum(sides)]) / whole, 0, 1)


def lerp(picture: NDArray[Any], places: Floats, axis: int) -> NDArray[np.float32]:
    """Rows (axis 0) or columns (1) of a picture (H, W, C) at places (N,) in 0..1 from the middle of the first to the middle of the last."""
    at = places * (picture.shape[axis] - 1)
    low = np.minimum(at.astype(np.intp), max(picture.shape[axis] - 2, 0))
    high = np.minimum(low + 1, picture.shape[axis] - 1)
    share = (at - low).astype(np.float32).reshape(-1, *[1] * (picture.ndim - 1 - axis))
    first, second = (picture.take(index, axis=axis).astype(np.float32) for index in (low, high))
    between: NDArray[np.float32] = first + (second - first) * share
    return between
