"""From what a camera sees to the picture it gives: light, shadows of clouds, exposure, and the noise of the sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.scene.motion import drift
from sightline.scene.paint import Bytes, noise
from sightline.scene.shapes import Floats

__all__ = ["Band", "Daylight", "Film", "Infrared", "daylight", "infrared"]

Band: TypeAlias = Literal["visible", "thermal"]
COARSE = 8  # shadows and vignette are soft: they are computed on a picture so many times smaller
PLAY = 32  # pixels by which the grain is moved about


class Film(Protocol):
    """Turns one linear picture into the RGB picture of one frame."""

    def develop(self, image: Bytes, index: int) -> Bytes:
        """(H, W, 3) RGB, a new array, from a picture of this film's channels; `index` is the frame."""
        ...


@dataclass(frozen=True, slots=True)
class Daylight:
    """A colour camera: clouds drift over the ground, exposure and gamma change, corners are darker.

    Attributes:
        tables: (T, 256, 3) uint8, the exposure of every frame.
        views: (T, 2, 3) from a texel of `clouds` to a pixel of the coarse picture.
        clouds: uint8 brightness under the clouds.
        lens: uint8 brightness over the coarse picture.
        grain: (H + PLAY, W + PLAY, 3) int8.
        seed: of the grain's place in each frame.
    """

    tables: Bytes
    views: Floats
    clouds: Bytes
    lens: Bytes
    grain: NDArray[np.int8]
    seed: int

    def develop(self, image: Bytes, index: int) -> Bytes:
        """A noisy RGB picture from a clean one."""
        height, width = image.shape[:2]
        small = cv2.warpAffine(self.clouds, self.views[index], self.lens.shape[::-1], borderMode=cv2.BORDER_REFLECT)
        shade = cv2.resize(cv2.multiply(small, self.lens, scale=1 / 255), (width, height))
        lit = cv2.multiply(image, cv2.merge([shade] * 3), scale=1 / 255)
        return _speckle(cv2.LUT(lit, self.tables[index][None]), self.grain, (self.seed, index))


@dataclass(frozen=True, slots=True)
class Infrared:
    """A thermal camera: soft optics, low contrast, a gain that follows the scene, columns that differ, strong noise.

    Attributes:
        tables: (T, 256) uint8, the gain of every frame.
        columns: (H, W) int8, what is wrong with each column in all frames.
        grain: (H + PLAY, W + PLAY) int8.
        seed: of the grain's place in each frame.
    """

    tables: Bytes
    columns: NDArray[np.int8]
    grain: NDArray[np.int8]
    seed: int

    def develop(self, image: Bytes, index: int) -> Bytes:
        """A grey RGB picture from a picture of heat (H, W)."""
        soft = cv2.LUT(cv2.GaussianBlur(image, (3, 3), 0), self.tables[index])
        uneven = cv2.add(soft, self.columns, dtype=cv2.CV_8U)
        grey: Bytes = cv2.cvtColor(_speckle(uneven, self.grain, (self.seed, index)), cv2.COLOR_GRAY2RGB)
        return grey


def _speckle(image: Bytes, grain: NDArray[np.int8], seed: tuple[int, int]) -> Bytes:
    """The picture plus another part of the grain for every frame."""
    x, y = np.random.default_rng(seed).integers(0, PLAY, 2)
    noisy: Bytes = cv2.add(image, grain[y : y + image.shape[0], x : x + image.shape[1]], dtype=cv2.CV_8U)
    return noisy


def _grain(rng: np.random.Generator, size: tuple[int, int], sigma: float, channels: int) -> NDArray[np.int8]:
    """Gaussian noise of standard deviation `sigma` in levels, in part common to the channels; a little soft, as after a demosaicing."""
    shape = (size[1] + PLAY, size[0] + PLAY)
    layers = [rng.standard_normal(shape, np.float32) for _ in range(channels)]
    common = rng.standard_normal(shape, np.float32)
    mixed = cv2.GaussianBlur(cv2.merge([0.8 * common + 0.6 * layer for layer in layers]), (3, 3), 0.55)
    grain: NDArray[np.int8] = np.clip(np.round(mixed * sigma / mixed.std()), -127, 127).astype(np.int8)
    return grain


def daylight(rng: np.random.Generator, times: Floats, views: Floats, size: tuple[int, int], light: float) -> Daylight:
    """A colour camera for a clip.

    Args:
        rng: its properties and the weather.
        times: seconds (T,).
        views: (T, 3, 3) from pixels of the ground to the frame.
        size: width and height of the frame.
        light: 0..1, how much the light changes.
    """
    width, height = size
    unit = min(size) / 360
    gain = np.exp(0.3 * light * drift(rng, times, 5)) * rng.uniform(1.04, 1.16)
    gamma = np.exp(0.25 * light * drift(rng, times, 6)) * rng.uniform(0.92, 1.08)
    tint = rng.uniform((1.0, 0.98, 0.93), (1.06, 1.02, 1.0))
    level = np.linspace(0, 1, 256)
    tables = 255 * gain[:, None, None] * tint * (level[None, :, None] ** gamma[:, None, None])
    coarse = (max(width // COARSE, 1), max(height // COARSE, 1))
    pitch = 16 * unit
    sky = noise(rng, 256, 256, 40, 4)
    edge = np.clip((sky - 0.45) / 0.2, 0, 1)
    clouds = 255 * (1 - 0.42 * light * edge**2 * (3 - 2 * edge))
    wind = rng.uniform(-60, 60, 2) * unit
    texel = np.zeros((len(times), 3, 3))
    texel[:, 0, 0] = texel[:, 1, 1] = pitch
    texel[:, :2, 2] = wind * (times[:, None] - times.mean()) - 60 * pitch
    texel[:, 2, 2] = 1
    lead = np.diag([coarse[0] / width, coarse[1] / height, 1]) @ views @ texel
    x, y = np.linspace(-1, 1, coarse[0]), np.linspace(-1, 1, coarse[1])
    lens = 255 * (1 - rng.uniform(0.05, 0.16) * (x[None] ** 2 + y[:, None] ** 2) ** 1.5 / 2)
    grain = _grain(rng, size, rng.uniform(1.5, 4.0), 3)
    seed = int(rng.integers(2**31))
    return Daylight(np.clip(tables, 0, 255).astype(np.uint8), lead[:, :2], clouds.astype(np.uint8), lens.astype(np.uint8), grain, seed)


def infrared(rng: np.random.Generator, times: Floats, size: tuple[int, int], light: float) -> Infrared:
    """A thermal camera for a clip; arguments as of `daylight`."""
    width, height = size
    span = rng.uniform(150, 215) * np.exp(0.15 * light * drift(rng, times, 6))
    floor = rng.uniform(10, 36) + 14 * light * drift(rng, times, 5)
    level = np.linspace(0, 1, 256) ** rng.uniform(0.9, 1.15)
    tables = floor[:, None] + span[:, None] * level
    columns = np.broadcast_to(np.round(rng.normal(0, 1.3, width)), (height, width)).astype(np.int8)
    grain = _grain(rng, size, rng.uniform(3.0, 6.0), 1)
    return Infrared(np.clip(tables, 0, 255).astype(np.uint8), columns, grain, int(rng.integers(2**31)))
