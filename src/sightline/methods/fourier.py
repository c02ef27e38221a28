"""Real periodic functions of two variables as Fourier series: what continuous correlation filters are made of.

A series is complex (..., 2 K + 1, L + 1), of frequencies -K..K down and 0..L across. What is not stored follows: the coefficient
of (-k, -l) is the conjugate of that of (k, l), so the first column alone stores both halves.

Source: Danelljan et al., ECCV 2016 (C-COT) and CVPR 2017 (ECO), section 3; golden/components/dcf_fourier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Coefficients",
    "Real",
    "Series",
    "add",
    "evaluate",
    "gaussian_series",
    "hann",
    "inner",
    "interpolation",
    "left_of",
    "regularisation",
    "shifted",
    "symmetric",
    "transform",
]

Real: TypeAlias = NDArray[np.floating[Any]]
Series: TypeAlias = NDArray[np.complexfloating[Any, Any]]
Coefficients: TypeAlias = NDArray[np.inexact[Any]]  # real where the function is even

CUBIC = -0.75  # slope of the cubic kernel where it first is zero


def hann(num: int) -> NDArray[np.float32]:
    """Window (num,) without zeros: 0.5 (1 - cos(2 pi k / (num + 1))), k = 1..num."""
    window: NDArray[np.float32] = (0.5 * (1 - np.cos(2 * np.pi / (num + 1) * np.arange(1, num + 1)))).astype(np.float32)
    return window


def transform(samples: Real) -> Series:
    """The discrete transform of (..., h, w): complex (..., h | 1, w // 2 + 1), not divided by the number of samples.

    Where a number of samples is even, its highest frequency stands for the positive and for the negative one.
    """
    height = samples.shape[-2]
    rows = np.arange(height // 2 * 2 + 1) - height // 2
    whole = np.fft.rfft2(samples)
    return whole[..., rows % height, :].astype(np.result_type(samples.dtype, np.complex64), copy=False)


def evaluate(series: Series, shape: tuple[int, int]) -> Real:
    """The function at the points (i / h, j / w): real (..., h, w), where there are more of them than frequencies."""
    (down, across), (height, width) = series.shape[-2:], shape
    whole = np.zeros((*series.shape[:-2], height, width // 2 + 1), series.dtype)
    whole[..., (np.arange(down) - down // 2) % height, :across] = series
    return (np.fft.irfft2(whole, shape) * (height * width)).astype(series.real.dtype, copy=False)


def add(parts: Sequence[Series]) -> Series:
    """The sum of functions, of which each may have other frequencies."""
    down, across = (max(part.shape[axis] for part in parts) for axis in (-2, -1))
    lead = np.broadcast_shapes(*(part.shape[:-2] for part in parts))
    total = np.zeros((*lead, down, across), np.result_type(*parts))
    for part in parts:
        top = (down - part.shape[-2]) // 2
        total[..., top : top + part.shape[-2], : part.shape[-1]] += part
    return total


def shifted(series: Series, angles: tuple[float, float]) -> Series:
    """The function moved up and left by (down, across), in radians of a period of 2 pi."""
    down, across = frequencies(series)
    moved: Series = series * np.exp(1j * down * angles[0]).astype(series.dtype) * np.exp(1j * across * angles[1]).astype(series.dtype)
    return moved


def frequencies(series: Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those down (2 K + 1, 1) and those across (1, L + 1)."""
    down, across = series.shape[-2:]
    return (np.arange(down) - down // 2)[:, np.newaxis], np.arange(across)[np.newaxis]


def inner(left: Coefficients, right: Coefficients) -> float:
    """The sum of products of two functions' coefficients over all frequencies, those included that are not stored."""
    products = (left.conj() * right).real
    return float(2 * products.sum() - products[..., 0].sum())


def symmetric(series: Series) -> Series:
    """The series with its first column, which stores both halves, made that of a real function."""
    column = series[..., 0]
    return np.concatenate([(0.5 * (column + column[..., ::-1].conj()))[..., np.newaxis], series[..., 1:]], axis=-1)


def left_of(series: Series, num: int) -> Series:
    """The `num` columns of frequencies -num..-1, which are not stored."""
    return series[..., ::-1, num:0:-1].conj()


def gaussian_series(shape: tuple[int, int], sigma: tuple[float, float]) -> NDArray[np.float32]:
    """The series (h, w // 2 + 1) of a Gaussian of height 1 about the origin: `sigma` (down, across) in cells of a grid of odd `shape`."""

    def line(frequency: NDArray[np.int64], num: int, width: float) -> NDArray[np.float64]:
        values: NDArray[np.float64] = math.sqrt(2 * math.pi) * width / num * np.exp(-2 * (math.pi * width * frequency / num) ** 2)
        return values

    height, width = shape
    down = line(np.arange(height) - height // 2, height, sigma[0])
    return np.outer(down, line(np.arange(width // 2 + 1), width, sigma[1])).astype(np.float32)


def interpolation(shape: tuple[int, int]) -> tuple[Series, Series]:
    """What turns the transform of (h, w) samples into the series of a function between them, down (h | 1, 1) and across (1, w // 2 + 1).

    The function is a sum of cubic kernels, one for each sample, and sample i lies at (i + 0.5) / h.
    """
    height, width = shape
    rows, columns = np.arange(height // 2 * 2 + 1) - height // 2, np.arange(width // 2 + 1)
    return _kernel(rows, height)[:, np.newaxis], _kernel(columns, width)[np.newaxis]


def _kernel(frequency: NDArray[np.int64], num: int) -> Series:
    """Coefficients of the cubic kernel of Keys (1981), which is as wide as four of `num` samples, half a sample off the origin."""
    # as published: in float32, which leaves few digits of the lowest frequencies, and which every sample inherits
    turn = (np.where(frequency == 0, 1, frequency) / num).astype(np.float32)
    rise = 6 * (1 - np.cos(2 * np.pi * turn)) + 3 * CUBIC * (1 - np.cos(4 * np.pi * turn))
    fall = (6 + 8 * CUBIC) * np.pi * turn * np.sin(2 * np.pi * turn)
    values = (rise - fall - 2 * CUBIC * np.pi * turn * np.sin(4 * np.pi * turn)) / (4 * np.pi**4 * turn**4)
    values = np.where(frequency == 0, 1, values)
    kernel: Series = (values / num * np.exp(-1j * np.pi * frequency / num)).astype(np.complex64)
    return kernel


def regularisation(crop: tuple[int, int], target: tuple[float, float], *, least: float, edge: float, threshold: float) -> Real:
    """How much a filter is held down in each place of a crop, as few coefficients: real (2 K + 1, 2 L + 1), symmetric.

    The weight is `least` in the middle and grows with the square of the distance, to `edge` half a target away from it.

    Args:
        crop: height and width in pixels.
        target: height and width in pixels of the crop.
        least: weight in the middle.
        edge: weight half a target's height or width away.
        threshold: coefficients below this share of the largest are left out.

    Source: Danelljan et al. 2015 (SRDCF), section 3.2.
    """
    squares = [((np.arange(num) - (num - 1) // 2) / (0.5 * extent)) ** 2 for num, extent in zip(crop, target, strict=True)]
    weights = least + (edge - least) * (squares[0][:, np.newaxis] + squares[1])
    whole = np.fft.fft2(weights) / weights.size
    whole[np.abs(whole) < threshold * np.abs(whole).max()] = 0
    whole[0, 0] += least - weights.size * np.fft.ifft2(whole).real.min()  # what was left out may have made it smaller
    kernel = np.fft.fftshift(whole.real)
    (rows, columns), (y, x) = np.nonzero(kernel), (num // 2 for num in crop)
    down, across = np.abs(rows - y).max(), np.abs(columns - x).max()
    return kernel[y - down : y + down + 1, x - across : x + across + 1].astype(np.float32)
