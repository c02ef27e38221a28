"""Fourier series of real functions: what is stored stands for what is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.methods import fourier


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def wave(height: int, width: int, *, offset: float) -> NDArray[np.float32]:
    """A smooth function of period 1, at the points (i + offset) / height, (j + offset) / width."""
    y, x = ((np.arange(num) + offset) / num for num in (height, width))
    return (1 + np.cos(2 * np.pi * (y[:, np.newaxis] - 0.1)) + 0.5 * np.sin(2 * np.pi * (2 * x + y[:, np.newaxis]))).astype(np.float32)


@pytest.mark.parametrize("shape", [(11, 13), (12, 13), (9, 8), (8, 12)])
def test_interpolated_samples_follow_the_function_that_they_are_of(shape: tuple[int, int]) -> None:
    down, across = fourier.interpolation(shape)
    series = fourier.transform(wave(*shape, offset=0.5)) * down * across
    assert series.shape == (shape[0] | 1, shape[1] // 2 + 1)
    np.testing.assert_allclose(fourier.evaluate(series, (32, 48)), wave(32, 48, offset=0.0), atol=0.12)  # eight samples for two waves
    if min(shape) > 10:
        np.testing.assert_allclose(fourier.evaluate(series, (32, 48)), wave(32, 48, offset=0.0), atol=0.03)


def test_the_transform_and_back_gives_the_samples() -> None:
    samples = noise(2, 11, 13)
    np.testing.assert_allclose(fourier.evaluate(fourier.transform(samples), (11, 13)) / 143, samples, atol=1e-5)


def test_a_sum_of_series_is_the_sum_of_functions() -> None:
    parts = [fourier.transform(noise(7, 9)), fourier.transform(noise(11, 5))]
    expected = sum(fourier.evaluate(part, (24, 26)) for part in parts)
    np.testing.assert_allclose(fourier.evaluate(fourier.add(parts), (24, 26)), expected, atol=1e-3)


def test_a_shift_moves_the_function() -> None:
    samples = noise(11, 13)
    moved = fourier.shifted(fourier.transform(samples), (2 * 2 * np.pi / 11, -3 * 2 * np.pi / 13))
    np.testing.assert_allclose(fourier.evaluate(moved, (11, 13)) / 143, np.roll(samples, (-2, 3), axis=(0, 1)), atol=1e-5)


def test_the_inner_product_is_that_of_the_functions() -> None:
    first, second = noise(11, 13), noise(2, 11, 13)[1]
    found = fourier.inner(fourier.transform(first), fourier.transform(second))
    assert found == pytest.approx(143 * float(np.vdot(first, second)), rel=1e-4)  # Parseval


def test_the_columns_that_are_not_stored_are_those_of_the_whole_transform() -> None:
    samples = noise(7, 9)
    whole = np.fft.fftshift(np.fft.fft2(samples))
    np.testing.assert_allclose(fourier.left_of(fourier.transform(samples), 3), whole[:, 1:4], atol=1e-4)


def test_a_series_made_symmetric_is_that_of_the_same_function() -> None:
    series = fourier.transform(noise(7, 9)) + noise(7, 5) * 1j  # its first column is that of no real function
    made = fourier.symmetric(series)
    np.testing.assert_allclose(made[..., 0], made[::-1, 0].conj())
    np.testing.assert_allclose(fourier.evaluate(made, (8, 12)), fourier.evaluate(series, (8, 12)), atol=1e-4)


def test_the_series_of_a_gaussian_is_a_gaussian() -> None:
    around = fourier.evaluate(fourier.gaussian_series((21, 25), (1.5, 2.0)).astype(np.complex64), (21, 25))
    y, x = np.arange(21) - 10, np.arange(25) - 12
    expected = np.exp(-(y[:, np.newaxis] ** 2) / (2 * 1.5**2) - x**2 / (2 * 2.0**2))
    np.testing.assert_allclose(np.roll(around, (10, 12), axis=(0, 1)), expected, atol=1e-4)


def test_a_filter_is_held_down_least_in_the_middle_of_the_crop() -> None:
    kernel = fourier.regularisation((240, 240), (62, 48), least=1e-3, edge=5e-2, threshold=0.1)
    assert kernel.shape == (3, 3)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1])
    weights = fourier.evaluate(kernel[:, 1:].astype(np.complex64), (240, 240))
    assert 1e-3 <= weights.min() < 1.5e-3  # as published: half a pixel is lost with the imaginary part
    assert weights.argmin() == 120 * 240 + 120
    assert weights[120, 120 + 24] < weights[120, 0] < weights[0, 0]
