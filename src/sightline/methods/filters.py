"""Filters over maps of features, and the least squares problems by which they are learned.

N samples of C channels and H x W cells; a filter is (C, k, k). Everything is a product of matrices and a sum of k * k shifted
maps, which needs no copies of the features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from sightline.engines import Array
from sightline.methods.solve import Matrix, Point

__all__ = ["Activate", "FilterProblem", "JointProblem", "bounded", "correlate", "masked"]

Activate: TypeAlias = Callable[[Array], tuple[Array, Array]]  # responses to what is compared with the labels, and its slope


def correlate(features: Array, kernel: Array, size: tuple[int, int]) -> Array:
    """Responses (N, *size) of features (N, C, H, W) to a filter (C, k, k), which pads by k // 2: up to H + 1 rows for an even one."""
    return _gathered(_products(features, kernel), kernel.shape[1], size)


def bounded(responses: Array, bound: float) -> tuple[Array, Array]:
    """Negative responses go no lower than -bound. Danelljan et al., CVPR 2019, section 3.3."""
    slope = np.exp(np.minimum(responses, 0) / bound)
    return np.where(responses >= 0, responses, bound * (slope - 1)), slope


def masked(responses: Array, mask: Array) -> tuple[Array, Array]:
    """As they are where the mask is 1, their absolute value where it is -1, between them elsewhere: Bhat et al., ICCV 2019, equation 3.

    Args:
        responses: (N, h, w).
        mask: likewise. The published one lies in 0..1, 0 far from the target: negative responses count half there.
    """
    half = (1 - mask) / 2
    return half * np.abs(responses) + (1 - half) * responses, half * np.sign(responses) + (1 - half)


@dataclass(frozen=True, slots=True)
class FilterProblem:
    """Find the filter whose responses are the labels: sum of (weights (activate(response) - label))^2 + ridge |filter|^2.

    Attributes:
        features: (N, C, H, W).
        labels: (N, h, w), h and w at most H + 1 for an even kernel.
        weights: (N, h, w) or (N, 1, 1), of what is squared.
        activate: see `Activate`.
        ridge: weight of the filter itself.
    """

    features: Array
    labels: Array
    weights: Array
    activate: Activate
    ridge: float

    def loss(self, point: Point) -> float:
        """What is minimised, at a filter (C, k, k)."""
        value, _ = self.activate(self._respond(point[0]))
        return float(np.sum((self.weights * (value - self.labels)) ** 2) + self.ridge * np.sum(point[0] ** 2))

    def linearise(self, point: Point) -> tuple[Matrix, Point]:
        """See `solve.Linearise`."""
        (kernel,) = point
        value, slope = self.activate(self._respond(kernel))
        slope = self.weights * slope
        right = -self._back(slope * self.weights * (value - self.labels), kernel.shape[1]) - self.ridge * kernel
        return partial(self._multiplied, slope), (right,)

    def _multiplied(self, slope: Array, point: Point) -> Point:
        (kernel,) = point
        return (self._back(slope**2 * self._respond(kernel), kernel.shape[1]) + self.ridge * kernel,)

    def _respond(self, kernel: Array) -> Array:
        return correlate(self.features, kernel, (self.labels.shape[1], self.labels.shape[2]))

    def _back(self, responses: Array, side: int) -> Array:
        """The transpose of `correlate` for its filter: (N, h, w) to (C, k, k)."""
        return _for_filter(self.features, responses, side)


@dataclass(frozen=True, slots=True)
class JointProblem:
    """Find a filter (C, k, k), and the projection (C, D) of features by which there are few channels. Attributes as `FilterProblem`.

    Attributes:
        features: (N, D, H, W).
        projection_ridge: weight of the projection itself.
    """

    features: Array
    labels: Array
    weights: Array
    activate: Activate
    ridge: float
    projection_ridge: float

    def loss(self, point: Point) -> float:
        """What is minimised, at a filter and a projection."""
        kernel, projection = point
        alone = FilterProblem(_projected(self.features, projection), self.labels, self.weights, self.activate, self.ridge)
        return alone.loss((kernel,)) + self.projection_ridge * float(np.sum(projection**2))

    def linearise(self, point: Point) -> tuple[Matrix, Point]:
        """See `solve.Linearise`."""
        kernel, projection = point
        few = _projected(self.features, projection)
        value, slope = self.activate(correlate(few, kernel, self._size))
        slope = self.weights * slope
        back_filter, back_projection = self._back(few, kernel, slope * self.weights * (value - self.labels))
        right = (-back_filter - self.ridge * kernel, -back_projection - self.projection_ridge * projection)
        return partial(self._multiplied, few, kernel, slope), right

    def precondition(self, point: Point) -> Point:
        """Each part over its own weight."""
        return point[0] / np.float32(self.ridge), point[1] / np.float32(self.projection_ridge)

    @property
    def _size(self) -> tuple[int, int]:
        return self.labels.shape[1], self.labels.shape[2]

    def _multiplied(self, few: Array, kernel: Array, slope: Array, point: Point) -> Point:
        moved = correlate(few, point[0], self._size) + correlate(_projected(self.features, point[1]), kernel, self._size)
        back_filter, back_projection = self._back(few, kernel, slope**2 * moved)
        return back_filter + self.ridge * point[0], back_projection + self.projection_ridge * point[1]

    def _back(self, few: Array, kernel: Array, responses: Array) -> Point:
        """Responses (N, h, w) back to the filter and to the projection."""
        side = kernel.shape[1]
        spread = _scattered(responses, side, few.shape[2:])  # (N, k k, H W)
        back = kernel.reshape(kernel.shape[0], -1) @ spread  # (N, C, H W): to the projected features
        flat = self.features.reshape(*self.features.shape[:2], -1)
        return _for_filter(few, responses, side), (back @ flat.transpose(0, 2, 1)).sum(axis=0)


def _projected(features: Array, projection: Array) -> Array:
    """(N, D, H, W) by (C, D) to (N, C, H, W)."""
    num, _, height, width = features.shape
    return (projection @ features.reshape(num, -1, height * width)).reshape(num, -1, height, width)


def _products(features: Array, kernel: Array) -> Array:
    """Each cell of the features with each of the filter: (N, k k, H, W)."""
    num, channels, height, width = features.shape
    return (kernel.reshape(channels, -1).T @ features.reshape(num, channels, -1)).reshape(num, -1, height, width)


def _gathered(products: Array, side: int, size: tuple[int, int]) -> Array:
    """Products (N, k k, H, W) added up where the filter lies: (N, *size)."""
    edge = side // 2
    padded = np.pad(products, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    responses = np.zeros((products.shape[0], *size), products.dtype)
    for place in range(side * side):
        i, j = divmod(place, side)
        responses += padded[:, place, i : i + size[0], j : j + size[1]]
    return responses


def _scattered(responses: Array, side: int, size: tuple[int, ...]) -> Array:
    """The transpose of `_gathered`: responses (N, h, w) to (N, k k, H W)."""
    edge, (height, width) = side // 2, responses.shape[1:]
    spread = np.zeros((responses.shape[0], side * side, size[0] + 2 * edge, size[1] + 2 * edge), responses.dtype)
    for place in range(side * side):
        i, j = divmod(place, side)
        spread[:, place, i : i + height, j : j + width] = responses
    inside = spread[:, :, edge : edge + size[0], edge : edge + size[1]]
    return inside.reshape(*inside.shape[:2], -1)


def _for_filter(features: Array, responses: Array, side: int) -> Array:
    """The transpose of `correlate` for its filter: features (N, C, H, W) and responses (N, h, w) to (C, k, k)."""
    num, channels, height, width = features.shape
    spread = _scattered(responses, side, (height, width))
    flat = features.reshape(num, channels, -1)
    back: Array = (flat @ spread.transpose(0, 2, 1)).sum(axis=0)
    return back.reshape(channels, side, side)
