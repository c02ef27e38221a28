"""Solvers for filters that are learned while tracking: conjugate gradients, Gauss-Newton, steepest descent.

A point is a tuple of arrays, whose numbers together are the unknowns. A problem around a point is a symmetric matrix A, as a
function of a point, and a right side b: the step to take solves A x = b. With residuals r and their derivatives J, A is
J^T J and b is -J^T r.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Course", "Inner", "Linearise", "Matrix", "Point", "conjugate_gradient", "gauss_newton", "inner", "steepest_descent"]

Point: TypeAlias = tuple[NDArray[Any], ...]
Matrix: TypeAlias = Callable[[Point], Point]
Inner: TypeAlias = Callable[[Point, Point], float]
Linearise: TypeAlias = Callable[[Point], tuple[Matrix, Point]]


@dataclass(frozen=True, slots=True)
class Course:
    """What a run of conjugate gradients leaves to the next one.

    Attributes:
        direction: the last one.
        rho: inner product of the last residual and the preconditioned one.
        residual: before the last step.
    """

    direction: Point
    rho: float
    residual: Point


def inner(a: Point, b: Point) -> float:
    """Sum of the products of all numbers of two real points."""
    return float(sum(np.vdot(x, y) for x, y in zip(a, b, strict=True)))


def conjugate_gradient(
    matrix: Matrix,
    right: Point,
    *,
    iterations: int,
    start: Point | None = None,
    precondition: Matrix | None = None,
    polak_ribiere: bool = False,
    product: Inner = inner,
    course: Course | None = None,
    forget: float = 1.0,
) -> tuple[Point, Course | None]:
    """Take some steps towards the solution of `matrix(x) = right`.

    Args:
        matrix: positive definite under `product`.
        right: the right side.
        iterations: steps; fewer where the solution is met.
        start: where to begin; None for zero.
        precondition: approximates the inverse of the matrix; None for none.
        polak_ribiere: how directions are made conjugate; else Fletcher and Reeves.
        product: inner product of two points.
        course: of the run before, whose last direction goes on.
        forget: in 0..1, how much of that course counts; the problem may have changed since.

    Returns:
        The point, and the course for a next run.

    Source: Danelljan et al., CVPR 2019 (arXiv:1811.07628), section 3.3; golden/components/atom_optimizer.
    """
    x = start if start is not None else tuple(np.zeros_like(part) for part in right)
    residual = right if start is None else _add(right, -1.0, matrix(start))
    if course is not None:
        course = Course(course.direction, course.rho / forget, course.residual)
    for i in range(iterations):
        z = residual if precondition is None else precondition(residual)
        rho = product(residual, z)
        if rho == 0:
            break
        direction = z
        if course is not None:
            turned = rho - product(course.residual, z) if polak_ribiere else rho
            direction = _add(z, max(turned / course.rho, 0.0), course.direction)
        changed = matrix(direction)
        length = rho / product(direction, changed)
        x, course = _add(x, length, direction), Course(direction, rho, residual)
        if i < iterations - 1:
            residual = _add(residual, -length, changed)
    return x, course


def gauss_newton(
    linearise: Linearise, start: Point, *, iterations: Sequence[int], precondition: Matrix | None = None, product: Inner = inner
) -> Point:
    """Minimise a sum of squares: linearise, take some conjugate gradients, and again from there.

    Args:
        linearise: the problem around a point.
        start: the first point.
        iterations: of conjugate gradients (Fletcher and Reeves), one number for each linearisation.
        precondition: see `conjugate_gradient`.
        product: likewise.
    """
    point = start
    for number in iterations:
        matrix, right = linearise(point)
        step, _ = conjugate_gradient(matrix, right, iterations=number, precondition=precondition, product=product)
        point = _add(point, 1.0, step)
    return point


def steepest_descent(linearise: Linearise, start: Point, *, iterations: int, rate: float = 1.0) -> Point:
    """Minimise a sum of squares along its gradient, as far as the linearised problem says, times `rate`.

    Source: Bhat et al., ICCV 2019 (arXiv:1904.07220), equation 6; golden/components/dimp_optimizer.
    """
    point = start
    for _ in range(iterations):
        matrix, right = linearise(point)
        curvature = max(inner(right, matrix(right)), 1e-8)
        point = _add(point, rate * inner(right, right) / curvature, right)
    return point


def _add(a: Point, factor: float, b: Point) -> Point:
    """`a + factor * b`, part by part."""
    return tuple(x + np.asarray(factor, y.real.dtype) * y for x, y in zip(a, b, strict=True))
