"""Colours and textures: noise, and sprites from outlines.

A canvas has four channels, red, green, blue and heat, so that the visible and the infrared picture share their
geometry. Light falls from the upper left.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.scene.shapes import POSES, SHAPES, Floats, Kind, Part, blob

__all__ = [
    "SUBPIXELS",
    "Bytes",
    "Colour",
    "Floats",
    "Picture",
    "Sprite",
    "balloon",
    "blend_",
    "crown",
    "fixed",
    "noise",
    "paint_sprite",
    "palette",
]

Bytes: TypeAlias = NDArray[Any]  # always uint8: cv2 does not say what it returns
Colour: TypeAlias = tuple[float, float, float, float]  # red, green, blue, heat: 0..255
CROWN = 1.25  # half side of the square in which crowns and balloons are painted
SUBPIXELS = 4  # bits of the fraction in cv2's drawing functions
BODY = (  # hue, saturation, value of what is made or worn by people
    (0.01, 0.72, 0.7), (0.05, 0.7, 0.8), (0.12, 0.62, 0.86), (0.33, 0.38, 0.46), (0.57, 0.6, 0.66), (0.61, 0.62, 0.42), (0.0, 0.0, 0.92), (0.6, 0.06, 0.7),
    (0.95, 0.5, 0.56), (0.49, 0.45, 0.52), (0.08, 0.3, 0.3),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a sprite in both bands, each as levels of side, side/2, side/4 ... pixels for the same square.

    Attributes:
        visible: (side, side, 4) uint8: red, green, blue, each multiplied by coverage; coverage.
        thermal: (side, side, 2) uint8: heat multiplied by coverage; coverage.
        outline: (N, 2) every vertex of the silhouette, local coordinates.
    """

    visible: tuple[Bytes, ...]
    thermal: tuple[Bytes, ...]
    outline: Floats


@dataclass(frozen=True, slots=True)
class Sprite:
    """Something that moves: its pictures show the local square [-reach, reach] x [-reach, reach]."""

    pictures: tuple[Picture, ...]
    reach: float


def noise(rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 4) -> NDArray[np.float32]:
    """Smooth noise (height, width) in 0..1: octaves of random grids, the coarsest with cells of `cell` pixels."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        pitch = max(cell / 2**octave, 1.0)
        grid = rng.random((int(height / pitch) + 3, int(width / pitch) + 3), np.float32)
        scale = np.array([[pitch, 0, -pitch * rng.random()], [0, pitch, -pitch * rng.random()]])
        total += cv2.warpAffine(grid, scale, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT) * 0.5**octave
    low, high = np.percentile(total[:: max(height // 64, 1), :: max(width // 64, 1)], (1, 99))
    spread: NDArray[np.float32] = np.clip((total - low) / max(high - low, 1e-6), 0, 1, dtype=np.float32)
    return spread


def blend_(image: Bytes, colour: Bytes, alpha: Bytes, x: int, y: int) -> None:
    """Lay a picture (colour multiplied by alpha already) over `image` with its corner at (x, y), in place; parts outside are cut."""
    height, width = image.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + alpha.shape[1], width), min(y + alpha.shape[0], height)
    if left >= right or top >= bottom:
        return
    inner = np.s_[top - y : bottom - y, left - x : right - x]
    under, rest = image[top:bottom, left:right], cv2.bitwise_not(alpha[inner])
    if image.ndim == 3:
        rest = cv2.merge([rest] * image.shape[2])
    image[top:bottom, left:right] = cv2.add(cv2.multiply(under, rest, scale=1 / 255), colour[inner])


def palette(rng: np.random.Generator, *, like: dict[str, Colour] | None = None) -> dict[str, Colour]:
    """Colours of a sprite; with `like`, colours that are easily taken for it."""
    if like is not None:
        shift = np.append(rng.uniform(-22, 22, 3), rng.uniform(-30, 5))
        return {name: tuple(np.clip(np.add(colour, shift), 0, 255).tolist()) for name, colour in like.items()}
    first, second = (BODY[i] for i in rng.choice(len(BODY), 2, replace=False))
    main, other = (np.multiply(colorsys.hsv_to_rgb(*hsv), 255).tolist() for hsv in (first, second))
    skin = 120 + 110 * rng.random()
    return {
        "main": (*main, 205.0),
        "second": (*other, 225.0),
        "dark": (38.0, 38.0, 42.0, 165.0),
        "glass": (52.0, 66.0, 78.0, 130.0),
        "skin": (skin + 20, skin * 0.82, skin * 0.66, 246.0),
        "light": (240.0, 238.0, 220.0, 250.0),
    }


def paint_sprite(seed: tuple[int, ...], kind: Kind, colours: dict[str, Colour], side: int) -> Sprite:
    """The pictures of one object; `seed` fixes its details in all of them.

    Args:
        seed: entropy of the details.
        kind: which shape.
        colours: from `palette`.
        side: pixels of the largest picture, a power of two.
    """
    cycle = [SHAPES[kind](np.random.default_rng(seed), 2 * np.pi * pose / POSES[kind]) for pose in range(POSES[kind])]
    reach = max(float(np.abs(part.outline).max()) for parts in cycle for part in parts if not part.inside) * 1.03
    texture = noise(np.random.default_rng((*seed, 1)), 2 * side, 2 * side, side / 4) * 0.3 + 0.85
    return Sprite(tuple(_paint_parts(parts, colours, reach, texture) for parts in cycle), reach)


def _paint_parts(parts: list[Part], colours: dict[str, Colour], reach: float, texture: NDArray[np.float32], bulge: float = 0.0) -> Picture:
    """One picture, drawn at twice its size and averaged down; `bulge` shades it like a ball."""
    size = texture.shape[0]
    canvas, alpha = np.zeros((size, size, 4), np.uint8), np.zeros((size, size), np.uint8)
    for part in parts:
        # a vertex at continuous position p belongs to the sample p - 0.5
        contours = [fixed((c + reach) * size / (2 * reach) - 0.5) for c in (part.outline, part.hole) if c is not None]
        cv2.fillPoly(canvas, contours, colours[part.paint], shift=SUBPIXELS)
        if not part.inside:
            cv2.fillPoly(alpha, contours, 255, shift=SUBPIXELS)
    height = cv2.GaussianBlur(alpha, (0, 0), size / 24).astype(np.float32) / 255
    slope = np.gradient(height)
    ramp = np.linspace(0.25, -0.25, size, dtype=np.float32)
    shade = texture * (0.72 + 0.36 * height + (slope[0] + slope[1]) * size / 36 + bulge * (ramp + ramp[:, None]))
    lit = cv2.multiply(canvas, cv2.merge([shade, shade, shade, np.clip(shade, 0.8, 1.1)]), dtype=cv2.CV_8U)
    outline = np.concatenate([part.outline for part in parts if not part.inside])
    return _picture(lit, alpha, outline)


def _picture(colour: Bytes, alpha: Bytes, outline: Floats) -> Picture:
    """A picture and its smaller levels from a drawing of twice the size."""
    # cv2 fills every sample that an edge touches, half a sample too far on average; a sample less is half too little
    alpha = cv2.addWeighted(alpha, 0.5, cv2.erode(alpha, np.ones((3, 3), np.uint8)), 0.5, 0)
    colour = cv2.multiply(colour, cv2.merge([alpha] * 4), scale=1 / 255)
    red, green, blue, heat = cv2.split(colour)
    return Picture(_levels(cv2.merge([red, green, blue, alpha])), _levels(cv2.merge([heat, alpha])), outline)


def _levels(drawing: Bytes) -> tuple[Bytes, ...]:
    """Halves, quarters ... of a drawing, down to 8 pixels."""
    levels = []
    while drawing.shape[0] > 8:
        drawing = cv2.resize(drawing, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        levels.append(drawing)
    return tuple(levels)


def crown(rng: np.random.Generator, side: int) -> Sprite:
    """The crown of a tree from above; it covers its unit circle without gaps."""
    size = 2 * side
    canvas, alpha = np.zeros((size, size, 4), np.uint8), np.zeros((size, size), np.uint8)
    green = np.array(colorsys.hsv_to_rgb(rng.uniform(0.19, 0.34), rng.uniform(0.35, 0.55), 0.5)) * 255
    clumps = rng.normal(0, 0.5, (110, 2))
    clumps = clumps[np.hypot(*clumps.T) < 1.0]
    clumps = clumps[np.argsort(-clumps.sum(axis=1) + rng.normal(0, 0.35, len(clumps)))]  # lit ones last
    edge = blob(0, 0, 1, 1, count=24) * rng.uniform(1.01, 1.16, (24, 1))
    areas: list[tuple[Floats, float]] = [(edge, 0.5)]
    for x, y in clumps:
        radius = rng.uniform(0.09, 0.24) * (1.15 - 0.5 * np.hypot(x, y))
        areas.append((blob(x, y, radius, radius * rng.uniform(0.8, 1.0), count=20), 0.85 - 0.3 * (x + y) + rng.uniform(-0.15, 0.15)))
    for outline, light in areas:
        contour = fixed((outline + CROWN) * size / (2 * CROWN) - 0.5)
        cv2.fillPoly(canvas, [contour], (*np.clip(green * light, 0, 255), 30 + 32 * light), shift=SUBPIXELS)
        cv2.fillPoly(alpha, [contour], 255, shift=SUBPIXELS)
    grain = noise(rng, size, size, side / 10, 3) * 0.5 + 0.75
    lit = cv2.multiply(canvas, cv2.merge([grain, grain, grain, 0.5 * grain + 0.5]), dtype=cv2.CV_8U)
    return Sprite((_picture(lit, alpha, np.concatenate([outline for outline, _ in areas])),), CROWN)


def balloon(rng: np.random.Generator, side: int) -> Sprite:
    """A hot-air balloon from above: coloured gores; it covers its unit circle."""
    colours = palette(rng)
    tones = [np.multiply(colours[name], (1, 1, 1, 0.6)) for name in ("main", "second")]
    count = 2 * int(rng.integers(5, 9))
    parts = [Part(blob(0, 0, 1.04, 1.04), "main")]
    for gore in range(0, count, 2):
        angle = (np.array([gore, gore + 0.5, gore + 1]) + 0.3) * 2 * np.pi / count
        rim = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 1.02
        parts.append(Part(np.concatenate([[[0.0, 0.0]], rim]), "second", inside=True))
    parts.append(Part(blob(0, 0, 0.16, 0.16), "dark", inside=True))
    texture = noise(rng, 2 * side, 2 * side, side / 2) * 0.15 + 0.95
    paints = {"main": tuple(tones[0]), "second": tuple(tones[1]), "dark": colours["dark"]}
    return Sprite((_paint_parts(parts, paints, CROWN, texture, bulge=1.0),), CROWN)


def fixed(points: Floats) -> NDArray[np.int32]:
    """Points as cv2's drawing functions take them: whole numbers with SUBPIXELS bits of fraction."""
    numbers: NDArray[np.int32] = np.round(points * 2**SUBPIXELS).astype(np.int32)
    return numbers
