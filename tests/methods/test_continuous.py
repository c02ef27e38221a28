"""Continuous filters: that what is solved is what is meant."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.methods import continuous, fourier
from sightline.methods.continuous import FilterProblem, JointProblem

SIDE = 11
KERNEL = fourier.regularisation((88, 88), (22, 22), least=1e-3, edge=5e-2, threshold=0.1)
LABEL = fourier.gaussian_series((SIDE, SIDE), (1.0, 1.0))


def noise(*shape: int, seed: int = 0) -> fourier.Series:
    """Series of real functions."""
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return fourier.transform(values) / np.float32(SIDE)


def bumps() -> fourier.Series:
    """Samples (4, 3, H, L) of a pattern in the middle of a crop, each a little different."""
    pattern = np.random.default_rng(1).standard_normal((3, 5, 5)).astype(np.float32)
    pictures = 0.1 * np.random.default_rng(2).standard_normal((4, 3, SIDE, SIDE)).astype(np.float32)
    pictures[:, :, 3:8, 3:8] += pattern
    return continuous.windowed(pictures)


def problem(samples: fourier.Series) -> FilterProblem:
    return FilterProblem(samples, np.full(len(samples), 1 / len(samples), np.float32), LABEL, KERNEL)


def test_the_matrix_is_symmetric_and_positive_for_filters_of_real_functions() -> None:
    given, a, b = problem(noise(2, 3, SIDE, SIDE)), noise(3, SIDE, SIDE, seed=3), noise(3, SIDE, SIDE, seed=4)
    ((ma,), (mb,)) = given.matrix((a,)), given.matrix((b,))
    assert fourier.inner(ma, b) == pytest.approx(fourier.inner(a, mb), rel=1e-3)
    assert fourier.inner(a, ma) > 0


def test_a_filter_held_down_is_multiplied_by_the_weights_of_the_crop() -> None:
    a = noise(1, SIDE, SIDE)
    held = continuous.held(a, KERNEL, beyond=True)[..., KERNEL.shape[1] // 2 :]
    shape = (32, 32)
    weights = fourier.evaluate(KERNEL[:, KERNEL.shape[1] // 2 :].astype(np.complex64), shape)
    np.testing.assert_allclose(fourier.evaluate(held, shape), weights * fourier.evaluate(a, shape), atol=1e-4)


def test_a_learned_filter_answers_at_the_target_and_follows_it() -> None:
    samples = bumps()
    given = problem(samples)
    divisor = continuous.divisor(continuous.energy(samples, given.weights), KERNEL, data=0.3, confine=0.15)
    filters, course = continuous.refine(given, np.zeros_like(samples[0]), divisor, iterations=20, course=None, forget=1.0)
    for eighths in (0, 1):  # of the period, to the right
        moved = fourier.shifted(samples, (0.0, -eighths * 2 * np.pi / 8))
        response = fourier.evaluate(continuous.respond(filters, moved), (64, 64))
        rows, columns = np.divmod(response.reshape(4, -1).argmax(axis=1), 64)
        assert np.abs((rows + 32) % 64 - 32).max() <= 2  # a cell is nearly 6 of these
        assert np.abs((columns - 8 * eighths + 32) % 64 - 32).max() <= 2
    assert course is not None


def test_each_linearisation_brings_filter_and_projection_closer_to_the_label() -> None:
    samples = noise(4, 6, SIDE, SIDE)
    features = np.random.default_rng(5).standard_normal((4, 6, SIDE, SIDE)).astype(np.float32)
    projection = continuous.first_projection(features, 2)
    assert projection.shape == (6, 2)
    np.testing.assert_allclose(projection.T @ projection, np.eye(2), atol=1e-5)
    given = JointProblem(samples, np.full(4, 0.25, np.float32), LABEL, KERNEL, 5e-8)
    filters = np.zeros((2, *samples.shape[2:]), np.complex64)
    energy = continuous.energy(continuous.project(samples, projection), given.weights)
    divisors = continuous.divisor(energy, KERNEL, data=0.3, confine=0.15), continuous.projection_divisor(LABEL, 6, ridge=5e-8, factor=35)

    def miss(filters: fourier.Series, projection: fourier.Real) -> float:
        left = continuous.respond(filters, continuous.project(samples, projection)) - LABEL
        return fourier.inner(left, left)

    misses = [miss(filters, projection)]
    for _ in range(3):
        filters, projection = continuous.learn(given, (filters, projection), divisors, [5])
        misses.append(miss(filters, projection))
    assert misses == sorted(misses, reverse=True)
    assert misses[-1] < 0.9 * misses[0]


def test_projecting_is_a_product_with_real_numbers() -> None:
    samples, projection = noise(2, 4, SIDE, SIDE), np.random.default_rng(6).standard_normal((4, 3)).astype(np.float32)
    np.testing.assert_allclose(continuous.project(samples, projection), np.einsum("nckl,cd->ndkl", samples, projection), atol=1e-4)
