from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from sightline.methods.filters import FilterProblem, JointProblem, bounded, correlate, masked
from sightline.methods.samples import weigh
from sightline.methods.solve import Point, conjugate_gradient, gauss_newton, inner, steepest_descent

MIXED = np.random.default_rng(0).normal(size=(7, 7))
MATRIX = MIXED @ MIXED.T + np.eye(7)
RIGHT = np.random.default_rng(1).normal(size=7)


def times(point: Point) -> Point:
    return (MATRIX @ point[0],)


@pytest.mark.parametrize("polak_ribiere", [False, True])
@pytest.mark.parametrize("start", [None, (np.ones(7),)])
def test_as_many_conjugate_gradients_as_unknowns_solve_the_system(polak_ribiere: bool, start: Point | None) -> None:
    (x,), _ = conjugate_gradient(times, (RIGHT,), iterations=7, start=start, polak_ribiere=polak_ribiere)
    np.testing.assert_allclose(MATRIX @ x, RIGHT, atol=1e-8)


def test_the_exact_inverse_as_preconditioner_solves_at_once() -> None:
    (x,), _ = conjugate_gradient(times, (RIGHT,), iterations=1, precondition=lambda point: (np.linalg.solve(MATRIX, point[0]),))
    np.testing.assert_allclose(MATRIX @ x, RIGHT, atol=1e-10)


def test_a_solution_that_is_met_is_not_left() -> None:
    (x,), _ = conjugate_gradient(times, (np.zeros(7),), iterations=5)
    np.testing.assert_array_equal(x, 0)


def problems() -> list[tuple[Any, Point]]:
    rng = np.random.default_rng(2)
    features, labels = rng.normal(size=(3, 5, 6, 6)), rng.normal(size=(3, 7, 7))
    weights, mask = rng.random((3, 7, 7)), rng.random((3, 7, 7))
    same, kernel = labels[:, :6, :6], rng.normal(size=(5, 4, 4))
    return [
        (FilterProblem(features, labels, weights, partial(masked, mask=mask), 0.2), (kernel,)),
        (FilterProblem(features, same, weights[:, :1, :1], partial(bounded, bound=0.5), 0.1), (kernel,)),
        (JointProblem(features, same, weights[:, :6, :6], partial(bounded, bound=0.5), 0.1, 0.3), (kernel[:2], rng.normal(size=(2, 5)))),
    ]


@pytest.mark.parametrize("problem,point", problems(), ids=["masked", "bounded", "joint"])
def test_the_right_side_is_half_the_slope_of_the_loss(problem: Any, point: Point) -> None:
    _, right = problem.linearise(point)
    way = tuple(np.random.default_rng(3).normal(size=part.shape) for part in point)
    ahead, behind = (problem.loss(tuple(p + side * 1e-5 * w for p, w in zip(point, way, strict=True))) for side in (1, -1))
    assert inner(right, way) == pytest.approx(-(ahead - behind) / 4e-5, rel=1e-5)


@pytest.mark.parametrize("problem,point", problems(), ids=["masked", "bounded", "joint"])
def test_the_matrix_of_a_problem_is_symmetric_and_positive(problem: Any, point: Point) -> None:
    matrix, _ = problem.linearise(point)
    a, b = (tuple(np.random.default_rng(seed).normal(size=part.shape) for part in point) for seed in (4, 5))
    assert inner(a, matrix(b)) == pytest.approx(inner(b, matrix(a)))
    assert inner(a, matrix(a)) > 0


@pytest.mark.parametrize("problem,point", problems()[:2], ids=["masked", "bounded"])  # the joint one is not convex: steps may be too long
def test_both_solvers_lower_the_loss_at_every_step(problem: Any, point: Point) -> None:
    losses = [problem.loss(gauss_newton(problem.linearise, point, iterations=[20] * i)) for i in range(3)]
    assert losses == sorted(losses, reverse=True)
    losses = [problem.loss(steepest_descent(problem.linearise, point, iterations=i, rate=0.5)) for i in range(4)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("side,size", [(4, 7), (4, 6), (3, 6), (1, 6)])
def test_a_response_is_the_sum_of_products_under_the_filter(side: int, size: int) -> None:
    rng = np.random.default_rng(6)
    features, kernel = rng.normal(size=(2, 3, 6, 6)), rng.normal(size=(3, side, side))
    edge = side // 2
    padded = np.pad(features, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    expected = [[[np.sum(one[:, i : i + side, j : j + side] * kernel) for j in range(size)] for i in range(size)] for one in padded]
    np.testing.assert_allclose(correlate(features, kernel, (size, size)), expected)


def test_the_samples_of_the_first_frame_keep_their_share() -> None:
    weights = np.array([0.5, 0.5, 0, 0, 0], np.float32)
    before: int | None = None
    for _ in range(100):
        weights, before = weigh(weights, before, rate=0.2, num_first=2, first_share=0.25)
        assert weights[:2].sum() >= 0.25 - 1e-6
        assert weights.sum() == pytest.approx(1, abs=0.1)  # as published: the floor is added to what was divided by it
    assert before is not None
    assert before >= 2
    np.testing.assert_allclose(weights[:2], 0.125, rtol=1e-6)


def test_the_sample_of_least_weight_makes_room() -> None:
    weights = np.array([0.4, 0.1, 0.3, 0.2], np.float32)
    changed, place = weigh(weights, 0, rate=0.1)
    assert place == 1
    assert changed[1] == changed.max()
    np.testing.assert_array_equal(weights, np.array([0.4, 0.1, 0.3, 0.2], np.float32))
