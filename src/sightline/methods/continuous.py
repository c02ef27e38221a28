"""Filters that are learned as Fourier series, with the projection of their features: the least squares problems of C-COT and ECO.

N samples of D channels, of which a projection (D, C) leaves C; H x L stored frequencies of each (see `sightline.methods.fourier`).
The response of a filter (C, H, L) to a sample is the sum over channels of their products; its label is a Gaussian about the origin.

Source: Danelljan et al., CVPR 2017 (arXiv:1611.09224), sections 3.2 and 3.4; golden/components/eco_optimizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from sightline.methods import fourier, solve
from sightline.methods.fourier import Coefficients, Real, Series
from sightline.methods.solve import Course, Matrix, Point

__all__ = [
    "FilterProblem",
    "JointProblem",
    "divisor",
    "energy",
    "first_projection",
    "held",
    "learn",
    "project",
    "projection_divisor",
    "refine",
    "respond",
    "windowed",
]


def windowed(features: Real) -> Series:
    """Maps of features (N, D, h, w) as samples: under a window that fades out, and continued between their cells."""
    height, width = features.shape[-2:]
    down, across = fourier.interpolation((height, width))
    window = np.outer(fourier.hann(height), fourier.hann(width))
    samples: Series = fourier.transform(features * window) * down * across
    return samples


def project(samples: Series, projection: Real) -> Series:
    """Samples (N, D, H, L) by a projection (D, C) to (N, C, H, L)."""
    flat = np.ascontiguousarray(samples).view(projection.dtype).reshape(*samples.shape[:2], -1)  # real and imaginary parts alike
    return (projection.T @ flat).view(samples.dtype).reshape(samples.shape[0], -1, *samples.shape[2:])


def respond(filters: Series, samples: Series) -> Series:
    """Responses (N, H, L) of a filter (C, H, L) to samples (N, C, H, L)."""
    response: Series = np.einsum("nckl,ckl->nkl", samples, filters)
    return response


def energy(samples: Series, weights: Real) -> Real:
    """Weighted mean of the squares of samples (N, C, H, L): (C, H, L)."""
    total: Real = np.einsum("n,nckl->ckl", weights, samples.real**2 + samples.imag**2)
    return total


def first_projection(features: Real, num: int) -> Real:
    """The directions (D, `num`) in which features (N, D, h, w) vary most, the first entry of each positive."""
    flat = features.transpose(1, 0, 2, 3).reshape(features.shape[1], -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    directions, _, _ = np.linalg.svd(flat @ flat.T)
    chosen = directions[:, :num]
    return (chosen * np.where(chosen[0] < 0, -1, 1)).astype(features.dtype)


@dataclass(frozen=True, slots=True)
class FilterProblem:
    """Find the filter (C, H, L) whose responses are the label, held down where `kernel` says so.

    Attributes:
        samples: (N, C, H, L).
        weights: (N,), of the squared differences.
        label: (H, L).
        kernel: see `fourier.regularisation`.
    """

    samples: Series
    weights: Real
    label: Coefficients
    kernel: Real

    @property
    def right(self) -> Point:
        """The right side of the normal equations."""
        return (_back(self.samples, self.weights[:, np.newaxis, np.newaxis] * self.label),)

    def matrix(self, point: Point) -> Point:
        """Their left side at a filter."""
        (filters,) = point
        response = self.weights[:, np.newaxis, np.newaxis] * respond(filters, self.samples)
        return (_back(self.samples, response) + _held_twice(filters, self.kernel, beyond=True),)


@dataclass(frozen=True, slots=True)
class JointProblem:
    """Find a filter (C, H, L) and the projection (D, C) of the samples that it responds to. Attributes as `FilterProblem`.

    Attributes:
        samples: (N, D, H, L).
        ridge: weight of the projection itself.
    """

    samples: Series
    weights: Real
    label: Coefficients
    kernel: Real
    ridge: float

    def linearise(self, point: Point) -> tuple[Matrix, Point]:
        """See `solve.Linearise`."""
        filters, projection = point
        few = project(self.samples, projection)
        misses = self.weights[:, np.newaxis, np.newaxis] * (respond(filters, few) - self.label)
        back_filter, back_projection = self._back(few, filters, misses)
        right = (-back_filter - _held_twice(filters, self.kernel, beyond=True), -back_projection - self._ridge * projection)
        return partial(self._multiplied, few, filters), right

    def _multiplied(self, few: Series, filters: Series, point: Point) -> Point:
        step, turn = point
        widened = np.tensordot(turn, filters, axes=1)  # (D, H, L)
        moved = self.weights[:, np.newaxis, np.newaxis] * (respond(step, few) + respond(widened, self.samples))
        back_filter, back_projection = self._back(few, filters, moved)
        # as published: what is not stored of a filter counts in what it is, but not in how that changes
        return back_filter + _held_twice(step, self.kernel, beyond=False), back_projection + self._ridge * turn

    def _back(self, few: Series, filters: Series, responses: Series) -> tuple[Series, Real]:
        """Responses (N, H, L) back to the filter and to the projection."""
        return _back(few, responses), np.tensordot(_back(self.samples, responses), filters.conj(), axes=((1, 2), (1, 2))).real

    @property
    def _ridge(self) -> np.float32:
        return np.float32(self.ridge)


def divisor(energy: Real, kernel: Real, *, data: float, confine: float) -> Real:
    """The preconditioner of a filter: its residual is divided by (C, H, L), the diagonal that the matrix nearly is.

    Args:
        energy: mean of squares of the samples (C, H, L).
        kernel: see `fourier.regularisation`.
        data: share of each channel's own energy; the rest is the mean over channels.
        confine: share of the kernel.
    """
    mixed = data * energy + (1 - data) * energy.mean(axis=0, keepdims=True)
    nearly: Real = ((1 - confine) * mixed + confine * np.sum(kernel**2)).astype(energy.dtype)
    return nearly


def projection_divisor(label: Coefficients, num: int, *, ridge: float, factor: float) -> np.float32:
    """The preconditioner of a projection of `num` channels: what its residual is divided by."""
    return np.float32(factor * (2 * fourier.inner(label, label) / num + ridge))


def learn(problem: JointProblem, start: Point, divisors: tuple[Real, np.float32], iterations: Sequence[int]) -> Point:
    """Filter and projection, from a start: conjugate gradients (numbers of `iterations`), linearised before each run of them."""
    return solve.gauss_newton(
        problem.linearise,
        start,
        iterations=iterations,
        precondition=lambda residual: (residual[0] / divisors[0], residual[1] / divisors[1]),
        product=lambda a, b: fourier.inner(a[0], b[0]) + float(np.vdot(a[1], b[1])),
    )


def refine(
    problem: FilterProblem, filters: Series, divisor: Real, *, iterations: int, course: Course | None, forget: float
) -> tuple[Series, Course | None]:
    """The filter after some more conjugate gradients, and their course for the next time; `forget` as in `solve`."""
    (found,), course = solve.conjugate_gradient(
        problem.matrix,
        problem.right,
        iterations=iterations,
        start=(filters,),
        precondition=lambda residual: (residual[0] / divisor,),
        polak_ribiere=True,
        product=lambda a, b: fourier.inner(a[0], b[0]),
        course=course,
        forget=forget,
    )
    return fourier.symmetric(found), course


def _back(samples: Series, responses: Coefficients) -> Series:
    """Responses (N, H, L) back through samples (N, C, H, L) to (C, H, L)."""
    # conjugated twice: so the large array is not copied
    back: Series = np.einsum("nckl,nkl->ckl", samples, responses.conj()).conj()
    return back


def held(filters: Series, kernel: Real, *, beyond: bool) -> Series:
    """The series of a filter times the weights that hold it down, with all frequencies of the product: those below zero across come first.

    Args:
        filters: (C, H, L).
        kernel: (2 M + 1, 2 K + 1).
        beyond: whether its columns that are not stored count; else they are zero.
    """
    down, across = kernel.shape[0] - 1, kernel.shape[1] - 1
    left = fourier.left_of(filters, across) if beyond else np.zeros((*filters.shape[:-1], across), filters.dtype)
    whole = np.concatenate([left, filters], axis=-1)
    return _convolved(np.pad(whole, ((0, 0), (down, down), (0, across))), kernel)


def _held_twice(filters: Series, kernel: Real, *, beyond: bool) -> Series:
    """A filter held down, and back: (C, H, L) to the same shape."""
    return _convolved(held(filters, kernel, beyond=beyond), kernel)


def _convolved(series: Series, kernel: Real) -> Series:
    """Series (C, H, L) with a symmetric kernel (h, l), where it lies inside: (C, H - h + 1, L - l + 1)."""
    height, width = series.shape[-2] - kernel.shape[0] + 1, series.shape[-1] - kernel.shape[1] + 1
    total = np.zeros((*series.shape[:-2], height, width), series.dtype)
    for i, j in np.argwhere(kernel):
        total += kernel[i, j] * series[..., i : i + height, j : j + width]
    return total
