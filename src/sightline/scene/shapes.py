"""Outlines of the things that move: a car and a drone from above, a walking person, a patterned ellipse and polygon.

A shape is a list of parts in drawing order. Coordinates are local: the object reaches from about -1 to 1 along its
length, x to the right (where a car drives to), y down.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "POSES", "SHAPES", "Floats", "Kind", "Paint", "Part", "blob", "limb"]

Floats: TypeAlias = NDArray[np.floating[Any]]
Kind: TypeAlias = Literal["car", "drone", "ellipse", "person", "polygon"]
Paint: TypeAlias = Literal["main", "second", "dark", "glass", "skin", "light"]


@dataclass(frozen=True, slots=True)
class Part:
    """One painted area: a closed outline (N, 2), perhaps with a hole."""

    outline: Floats
    paint: Paint
    hole: Floats | None = None
    inside: bool = False  # colours what is there already; the silhouette does not grow


def blob(x: float, y: float, a: float, b: float, *, power: float = 2.0, count: int = 64) -> Floats:
    """A superellipse (count, 2) about (x, y) with half axes a, b: an ellipse at power 2, a rounded rectangle above."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([x + a * np.sign(cos) * abs(cos) ** (2 / power), y + b * np.sign(sin) * abs(sin) ** (2 / power)], axis=1)


def limb(start: tuple[float, float], end: tuple[float, float], width: float, *, count: int = 9) -> Floats:
    """A bar from start to end with round ends."""
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    turn = np.linspace(-np.pi / 2, np.pi / 2, count)
    front = np.stack([np.cos(angle + turn), np.sin(angle + turn)], axis=1) * width / 2
    return np.concatenate([np.asarray(end) + front, np.asarray(start) - front])


def _car(rng: np.random.Generator, _phase: float) -> list[Part]:
    half = rng.uniform(0.42, 0.48)
    roof = rng.uniform(-0.2, -0.08)
    glass = np.array([[roof + 0.5, half * 0.74], [roof + 0.28, half * 0.62], [roof + 0.28, -half * 0.62], [roof + 0.5, -half * 0.74]])
    parts = [Part(limb((0.26, side * half), (0.2, side * half * 1.16), 0.07), "dark") for side in (-1, 1)]
    parts += [Part(blob(0, 0, 1, half, power=5), "main"), Part(blob(-0.02, 0, 0.96, half * 0.86, power=5), "second", inside=True)]
    parts += [Part(blob(0.02, 0, 0.94, half * 0.8, power=6), "main", inside=True)]
    parts += [Part(blob(roof - 0.02, 0, 0.56, half * 0.8, power=5), "glass", inside=True), Part(glass, "glass", inside=True)]
    parts += [Part(blob(roof - 0.02, 0, 0.36, half * 0.7, power=5), "main", inside=True)]
    parts += [Part(blob(0.93, side * half * 0.66, 0.05, half * 0.2), "light", inside=True) for side in (-1, 1)]
    return parts + [Part(blob(-0.96, side * half * 0.66, 0.03, half * 0.2), "skin", inside=True) for side in (-1, 1)]


def _drone(rng: np.random.Generator, phase: float) -> list[Part]:
    reach, ring = rng.uniform(0.6, 0.66), rng.uniform(0.3, 0.36)
    corners = [(reach * i, reach * j) for i in (-1, 1) for j in (-1, 1)]
    parts = [Part(limb((-i, -j), (i, j), 0.1), "dark") for i, j in corners[:2]]
    for k, (x, y) in enumerate(corners):
        blade = np.array([math.cos(phase + k), math.sin(phase + k)]) * ring
        parts.append(Part(blob(x, y, ring, ring), "second", hole=blob(x, y, ring * 0.84, ring * 0.84)))
        parts.append(Part(limb((x - blade[0], y - blade[1]), (x + blade[0], y + blade[1]), 0.08), "dark"))
        parts.append(Part(blob(x, y, 0.09, 0.09), "light"))
    parts += [Part(blob(0, 0, 0.42, 0.3, power=3), "main"), Part(blob(-0.08, 0, 0.2, 0.18, power=3), "second", inside=True)]
    return [*parts, Part(blob(0.36, 0, 0.09, 0.12), "glass", inside=True)]


def _person(rng: np.random.Generator, phase: float) -> list[Part]:
    swing, stout = math.sin(phase), rng.uniform(0.9, 1.25)
    lift = 0.05 * abs(math.cos(phase))
    parts = []
    for side in (-1, 1):
        foot = (0.33 * side * swing, 0.9 - (lift if side * swing > 0 else 0.0))
        parts += [Part(limb((0, 0.02), foot, 0.2 * stout), "dark"), Part(limb(foot, (foot[0] + 0.1, foot[1] + 0.02), 0.13), "second")]
        hand = (-0.28 * side * swing + 0.04, -0.04)
        arm = [Part(limb((0, -0.5), hand, 0.15 * stout), "second"), Part(blob(*hand, 0.08, 0.08), "skin")]
        torso = [Part(limb((0, -0.46), (0, -0.02), 0.36 * stout), "main"), Part(blob(-0.02, -0.2, 0.09, 0.2), "second", inside=True)]
        parts += arm + torso if side < 0 else arm
    parts += [Part(limb((0, -0.64), (0.01, -0.76), 0.14), "skin"), Part(blob(0.02, -0.82, 0.15, 0.17), "skin")]
    return [*parts, Part(blob(-0.03, -0.88, 0.15, 0.12), "dark")]


def _ellipse(rng: np.random.Generator, _phase: float) -> list[Part]:
    half = rng.uniform(0.55, 0.95)
    parts = [Part(blob(0, 0, 1, half), "main")]
    for _ in range(rng.integers(3, 6)):
        x, y, a, b = rng.uniform(-0.7, 0.7), rng.uniform(-half, half) * 0.7, *rng.uniform(0.12, 0.34, 2)
        parts.append(Part(blob(x, y, a, b), "second", inside=True))
    return [*parts, Part(blob(0.55, 0, 0.12, 0.12), "dark", inside=True)]


def _polygon(rng: np.random.Generator, _phase: float) -> list[Part]:
    count = int(rng.integers(5, 9))
    angle = (np.arange(count) + rng.uniform(-0.25, 0.25, count)) * 2 * np.pi / count
    outline = np.stack([np.cos(angle), np.sin(angle)], axis=1) * rng.uniform(0.62, 1.0, (count, 1))
    parts = [Part(outline, "main")]
    tilt = rng.uniform(-0.6, 0.6)
    heights = (-0.5, 0.1, 0.7)[: rng.integers(1, 4)]
    parts += [Part(limb((-1.2, y - tilt), (1.2, y + tilt), rng.uniform(0.14, 0.3)), "second", inside=True) for y in heights]
    return [*parts, Part(blob(0, 0, 0.2, 0.2), rng.choice(["dark", "light"]), inside=True)]


SHAPES: dict[Kind, Callable[[np.random.Generator, float], list[Part]]] = {
    "car": _car,
    "drone": _drone,
    "ellipse": _ellipse,
    "person": _person,
    "polygon": _polygon,
}
KINDS: tuple[Kind, ...] = tuple(SHAPES)
POSES: dict[Kind, int] = {"car": 1, "drone": 8, "ellipse": 1, "person": 16, "polygon": 1}  # pictures of one cycle of movement
