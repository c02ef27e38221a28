"""Disturbances of crops: light, blur, loss of resolution, noise, JPEG, something in front, something beside.

Every function takes a uint8 RGB crop and a random generator and returns a new crop; boxes never move here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from sightline.box import Box
from sightline.train.recipe import Augment

__all__ = ["Generator", "Image", "brighter", "cover", "disturb", "grey", "mirrored", "moved", "on_pixels", "paste"]

Image = NDArray[np.uint8]
Generator = np.random.Generator
LEVELS = np.linspace(0, 1, 256, dtype=np.float64)[:, np.newaxis]


def disturb(image: Image, chances: Augment, rng: Generator) -> Image:
    """A crop as another camera, hour or codec would have shown it."""
    steps = (
        (chances.light, _light),
        (chances.coarse, _coarse),
        (chances.blur, _blur),
        (chances.noise, _noise),
        (chances.jpeg, _jpeg),
    )
    for chance, change in steps:
        if rng.random() < chance:
            image = change(image, rng)
    return image


def grey(image: Image) -> Image:
    """The crop without its colours, still three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)


def brighter(image: Image, factor: float) -> Image:
    """The crop with all values times a factor, cut off at white."""
    return cv2.LUT(image, np.clip(np.round(np.arange(256) * factor), 0, 255).astype(np.uint8)).astype(np.uint8, copy=False)


def mirrored(crop: NDArray[Any]) -> NDArray[Any]:
    """A crop ([scales,] S, S, 3) with left and right exchanged."""
    return cv2.flip(crop, 1) if crop.ndim == 3 else np.flip(crop, -2)  # thirty times as fast as numpy, whose copy goes by single values


def on_pixels(crop: NDArray[Any], change: Callable[[Image], Image]) -> NDArray[Any]:
    """A crop changed by a function for uint8 pictures; one in float32 is rounded for it, where it changes anything."""
    if crop.dtype == np.uint8:
        return change(crop)
    rounded = np.clip(np.round(crop), 0, 255).astype(np.uint8)
    changed = change(rounded)
    return crop if changed is rounded else changed.astype(crop.dtype)


def moved(image: Image, box: Box, stretch: float, turn: float, rng: Generator) -> tuple[Image, Box]:
    """A whole still picture stretched and turned about the object, as if it or the camera had moved; and the box around it then.

    Args:
        image: (H, W, 3).
        box: of the object.
        stretch: deviation of the logarithm of the sides.
        turn: deviation of the angle, in degrees.
        rng: source of chance.

    Returns:
        A picture of the stretched size; the upright box around the turned ellipse that fills the old one.
    """
    across, down = np.exp(rng.normal(0, stretch, 2)) if stretch else (1.0, 1.0)
    angle = float(rng.normal(0, turn)) if turn else 0.0
    width, height = max(8, round(image.shape[1] * across)), max(8, round(image.shape[0] * down))
    across, down = width / image.shape[1], height / image.shape[0]
    box = Box(box.x * across, box.y * down, box.w * across, box.h * down)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    if not angle:
        return image, box
    cx, cy = box.centre
    rotation = cv2.getRotationMatrix2D((cx - 0.5, cy - 0.5), angle, 1.0)
    image = cv2.warpAffine(image, rotation, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101).astype(
        np.uint8, copy=False
    )
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    w, h = float(np.hypot(box.w * cosine, box.h * sine)), float(np.hypot(box.w * sine, box.h * cosine))
    return image, Box(cx - w / 2, cy - h / 2, w, h)


def cover(image: Image, box_cxcywh: NDArray[np.floating], patch: Image, rng: Generator, *, wholly: bool) -> Image:
    """Lay a patch over the target.

    Args:
        image: (S, S, 3).
        box_cxcywh: the target in fractions of the crop.
        patch: any picture; it is scaled to what it covers.
        rng: source of chance.
        wholly: hide the target with a margin; else a part of a quarter to a half of each of its sides' lengths.
    """
    cx, cy, w, h = box_cxcywh * image.shape[0]
    if wholly:
        scale = rng.uniform(1.1, 1.4, 2)
        return paste(image, (cx, cy, w * scale[0], h * scale[1]), patch)
    share = rng.uniform(0.25, 0.75, 2)
    at = (rng.random(2) - 0.5) * (1 - share * 0.5)
    return paste(image, (cx + at[0] * w, cy + at[1] * h, w * share[0], h * share[1]), patch)


def paste(image: Image, place: tuple[float, float, float, float], patch: Image) -> Image:
    """The crop with `patch` scaled into the rectangle cx, cy, w, h (pixels); parts outside are cut off. A patch without pixels changes nothing."""
    size = image.shape[0]
    cx, cy, w, h = place
    w, h = max(2, round(w)), max(2, round(h))
    x, y = round(cx - w / 2), round(cy - h / 2)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, size), min(y + h, size)
    if right <= left or bottom <= top or not patch.size:
        return image
    scaled = cv2.resize(patch, (w, h), interpolation=cv2.INTER_AREA if w < patch.shape[1] else cv2.INTER_LINEAR)
    result = image.copy()
    result[top:bottom, left:right] = scaled[top - y : bottom - y, left - x : right - x]
    return result


def _light(image: Image, rng: Generator) -> Image:
    """Brightness, contrast, gamma and a tint, by one table for each channel; then saturation."""
    levels = LEVELS ** np.exp(rng.normal(0, 0.2))
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.04, 3))
    contrast = np.exp(rng.normal(0, 0.15))
    table = np.clip(((levels - 0.45) * contrast + 0.45) * gain, 0, 1)
    changed = cv2.LUT(image, np.round(table * 255).astype(np.uint8).reshape(1, 256, 3))
    amount = min(1.5, max(0.0, 1 + rng.normal(0, 0.25)))
    return cv2.addWeighted(changed, amount, grey(changed), 1 - amount, 0)  # type: ignore[return-value, arg-type]  # uint8 in, uint8 out


def _coarse(image: Image, rng: Generator) -> Image:
    size = image.shape[0]
    small = max(8, int(size * rng.uniform(0.15, 0.6)))
    shrunk = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]  # uint8 in, uint8 out


def _blur(image: Image, rng: Generator) -> Image:
    """Out of focus, or moved while the shutter was open."""
    if rng.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.0))  # type: ignore[return-value]  # uint8 in, uint8 out
    length = int(rng.integers(3, 12))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = (length - 1) / 2
    across, down = reach * np.cos(angle), reach * np.sin(angle)
    ends = [(round(reach + sign * across), round(reach + sign * down)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())  # type: ignore[return-value]  # uint8 in, uint8 out


def _noise(image: Image, rng: Generator) -> Image:
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise *= np.float32(rng.uniform(2, 14))
    noise += image
    return np.clip(noise, 0, 255, out=noise).astype(np.uint8)


def _jpeg(image: Image, rng: Generator) -> Image:
    packed = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=int(rng.integers(20, 80)), colorspace="RGB")
    unpacked: Image = simplejpeg.decode_jpeg(packed, colorspace="RGB")
    return unpacked
