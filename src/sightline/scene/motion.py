"""Where everything is in every frame: smooth random courses of the camera, the target, its doubles and its occluders.

Times are seconds; positions are pixels of a flat world that the camera looks down on, one world pixel being one frame
pixel at zoom 1. Matrices (T, 3, 3) act on columns (x, y, 1) of continuous coordinates. Courses begin LEAD seconds
before the clip and end as much after it, so that doubles can drive ahead and behind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sightline.scene.shapes import Floats, Kind

__all__ = [
    "LEAD",
    "Course",
    "Glance",
    "apply",
    "camera",
    "doubles",
    "drift",
    "frame_course",
    "glances",
    "look_away",
    "occluders",
    "road_of",
    "straightened",
    "world_course",
]

LEAD = 3.0
CRUISE: dict[Kind, float] = {
    "car": 240.0,
    "drone": 120.0,
    "ellipse": 110.0,
    "person": 70.0,
    "polygon": 110.0,
}  # pixels per second at motion 1
GROWTH: dict[Kind, float] = {"car": 0.12, "drone": 0.5, "ellipse": 0.45, "person": 0.2, "polygon": 0.45}  # log of the change of size
TURNS: dict[Kind, float] = {"car": 0.0, "drone": 0.5, "ellipse": 0.8, "person": 0.1, "polygon": 1.2}  # radians to either side


@dataclass(frozen=True, slots=True)
class Course:
    """An object's way: places (T, 2), half length (T,), turn (T,) in radians, narrowing along y (T,), mirrored or not (T,) -1 or 1."""

    where: Floats
    size: Floats
    angle: Floats
    narrow: Floats
    mirror: Floats

    def matrices(self) -> Floats:
        """From the object's local coordinates to those of its places, (T, 3, 3)."""
        cos, sin = np.cos(self.angle) * self.size, np.sin(self.angle) * self.size
        return _stack(cos * self.mirror, -sin * self.narrow, sin * self.mirror, cos * self.narrow, self.where)


def _stack(a: Floats, b: Floats, c: Floats, d: Floats, move: Floats) -> Floats:
    """Matrices (T, 3, 3) with rows (a, b, x), (c, d, y), (0, 0, 1)."""
    matrices = np.zeros((len(move), 3, 3))
    matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 0], matrices[:, 1, 1] = a, b, c, d
    matrices[:, :2, 2], matrices[:, 2, 2] = move, 1.0
    return matrices


def apply(matrices: Floats, points: Floats) -> Floats:
    """Points (..., 2) moved by matrices (..., 3, 3)."""
    moved: Floats = np.einsum("...ij,...j->...i", matrices[..., :2, :2], points) + matrices[..., :2, 2]
    return moved


def drift(rng: np.random.Generator, times: Floats, slowest: float) -> Floats:
    """A smooth random course (T,) within -1..1: four sinusoids with periods from about `slowest` seconds down to a third of it."""
    rates = 2 * np.pi / slowest * rng.uniform((0.8, 1.0, 1.6, 2.2), (1.0, 1.5, 2.2, 3.0))
    weights = np.array([0.5, 0.3, 0.13, 0.07]) * rng.uniform(0.7, 1.0, 4)
    course: Floats = np.sin(times[:, None] * rates + rng.uniform(0, 2 * np.pi, 4)) @ (weights / weights.sum())
    return course


def _smooth(course: Floats, sigma: float) -> Floats:
    """A course (T,) averaged over about `sigma` frames."""
    averaged: Floats = cv2.GaussianBlur(course[None], (0, 0), max(sigma, 0.3), borderType=cv2.BORDER_REPLICATE)[0]
    return averaged


def camera(rng: np.random.Generator, times: Floats, size: tuple[int, int], kind: Kind, motion: float) -> tuple[Floats, Floats]:
    """World-to-frame matrices of a flight after an object of some kind: without and with the shaking of the hand, both (T, 3, 3)."""
    width, height = size
    unit = min(size) / 360
    radius = 0.9 * width  # of a large circle, so that the world of a long clip stays small
    heading = rng.uniform(0, 2 * np.pi) + rng.choice((-1, 1)) * motion * rng.uniform(0.8, 1.2) * CRUISE[kind] * unit / radius * times
    pan = radius * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    pan += 0.15 * motion * np.array(size) * np.stack([drift(rng, times, 9), drift(rng, times, 9)], axis=1)
    zoom, turn = np.exp(0.22 * motion * drift(rng, times, 9)), 0.2 * motion * drift(rng, times, 8)
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    centre = np.array([width, height]) / 2
    steady = _stack(cos, -sin, sin, cos, np.zeros_like(pan))
    steady[:, :2, 2] = centre - apply(steady, pan)
    jolt = 2.4 * unit * motion * np.stack([drift(rng, times, 0.6), drift(rng, times, 0.6)], axis=1)
    tilt = 0.004 * motion * drift(rng, times, 0.7)
    shake = _stack(np.cos(tilt), -np.sin(tilt), np.sin(tilt), np.cos(tilt), np.zeros_like(pan))
    shake[:, :2, 2] = centre - apply(shake, centre) + jolt
    return steady, shake @ steady


def frame_course(rng: np.random.Generator, times: Floats, size: tuple[int, int], kind: Kind, motion: float, reach: float) -> Course:
    """The target's way through the steady picture, never nearer to its border than the object is long.

    Args:
        rng: which way.
        times: seconds (T,).
        size: width and height of the frame.
        kind: what moves; cars get their direction in `world_course`.
        motion: 0..1, how far and how fast.
        reach: largest distance of its silhouette from its middle, in half lengths.
    """
    unit = min(size) / 360
    half = rng.uniform(30, 54) * unit * np.exp(GROWTH[kind] * drift(rng, times, 7))
    half = np.clip(half, min(3.0, 0.16 * min(size)), 0.24 * min(size))
    room = np.maximum(np.array(size) / 2 - reach * half.max() - 6 * unit, 0)
    slowest = 14.0 if kind == "car" else 8.0  # a car that drives on never turns on the spot
    wander = np.stack([drift(rng, times, slowest), drift(rng, times, slowest)], axis=1)
    where = np.array(size) / 2 + room * (0.3 + 0.5 * motion) * wander
    angle = TURNS[kind] * drift(rng, times, 4)
    narrow = np.ones_like(times) if kind in {"car", "person"} else 1 - 0.14 * (1 + drift(rng, times, 3))
    return Course(where, half, angle, narrow, np.ones_like(times))


def straightened(rng: np.random.Generator, times: Floats, course: Course, size: tuple[int, int], step: float, reach: float) -> Course:
    """A course through the steady picture in straight lines, thrown back by the border like a ball; all but the places is kept.

    Args:
        rng: from where and which way.
        times: seconds (T,), equally far apart.
        course: of what moves.
        size: width and height of the frame.
        step: how far from one frame to the next, in mean lengths of the object.
        reach: largest distance of its silhouette from its middle, in half lengths.
    """
    border = np.minimum(reach * course.size.max() + min(size) / 60, 0.4 * np.array(size))
    room, bearing = np.array(size) - 2 * border, rng.uniform(0, 2 * np.pi)
    move = 2 * step * course.size.mean() * np.array([np.cos(bearing), np.sin(bearing)])
    run = (rng.uniform(0, room) + np.arange(len(times))[:, None] * move) % (2 * room)
    return replace(course, where=border + np.minimum(run, 2 * room - run))


def world_course(course: Course, steady: Floats, kind: Kind, fps: float) -> Course:
    """The same way in the world, seen there by a steady camera; cars point where they drive, persons face where they walk."""
    back = np.linalg.inv(steady)
    where = apply(back, course.where)
    zoom = np.hypot(steady[:, 0, 0], steady[:, 1, 0])
    turn = np.arctan2(steady[:, 1, 0], steady[:, 0, 0])
    speed = np.gradient(where, axis=0) if len(where) > 1 else np.zeros_like(where)
    angle, mirror = course.angle - turn, course.mirror
    if kind == "car":
        angle = _smooth(np.unwrap(np.arctan2(speed[:, 1], speed[:, 0])), 0.2 * fps)
    if kind == "person":
        mirror = np.where(_smooth(speed[:, 0] * np.cos(turn) - speed[:, 1] * np.sin(turn), 0.5 * fps) < 0, -1.0, 1.0)
    return Course(where, course.size / zoom, angle, course.narrow, mirror)


def doubles(rng: np.random.Generator, times: Floats, target: Course, kind: Kind, number: int) -> list[Course]:
    """Ways of `number` objects near the target: cars on the same road, others beside it."""
    way = _in_traffic if kind == "car" else _in_company
    return [way(rng, times, target, i, TURNS[kind]) for i in range(number)]


def lane_of(target: Course) -> float:
    """Width of the lane that a car drives in."""
    return 1.3 * float(target.size.mean())


def beside(course: Course, distance: float) -> Floats:
    """Places (T, 2) to the left of a course."""
    places: Floats = course.where + distance * np.stack([np.sin(course.angle), -np.cos(course.angle)], axis=1)
    return places


def road_of(target: Course, length: float) -> tuple[Floats, float]:
    """The road of two lanes under a car: its middle line (T + 2, 2), prolonged by `length` to both sides, and its width."""
    middle = beside(target, lane_of(target) / 2)
    start, end = middle[0] - middle[1], middle[-1] - middle[-2]
    before, after = (edge + length * step / max(np.hypot(*step), 1e-6) for edge, step in ((middle[0], start), (middle[-1], end)))
    return np.stack([before, *middle, after]), 2 * lane_of(target)


def _in_traffic(rng: np.random.Generator, times: Floats, target: Course, number: int, _turn: float) -> Course:
    """A car some seconds ahead or behind; every other one in the next lane."""
    shifted = np.clip(times + (-1) ** (number // 2) * rng.uniform(1.0, 1.8) * (1 + number // 4), times[0], times[-1])
    x, y, size, angle = (np.interp(shifted, times, values) for values in (*target.where.T, target.size, target.angle))
    course = Course(np.stack([x, y], axis=1), size, angle, target.narrow, target.mirror)
    return course if number % 2 else replace(course, where=beside(course, lane_of(target)))


def _in_company(rng: np.random.Generator, times: Floats, target: Course, number: int, turn: float) -> Course:
    """Something that keeps the target company at a changing distance."""
    bearing = rng.uniform(0, 2 * np.pi) + 1.2 * drift(rng, times, 6)
    distance = target.size * (2.6 + 0.9 * drift(rng, times, 5)) * (1 + 0.3 * number)
    where = target.where + distance[:, None] * np.stack([np.cos(bearing), np.sin(bearing)], axis=1)
    angle = target.angle + turn * drift(rng, times, 4)
    return replace(target, where=where, size=target.size * rng.uniform(0.85, 1.15), angle=angle)


def occluders(
    rng: np.random.Generator, times: Floats, target: Course, duration: float, strength: float, reach: float
) -> list[tuple[Course, bool]]:
    """Ways of round things that pass over the target, one every two and a half seconds, none of them at time 0.

    Args:
        rng: when and from where.
        times: seconds (T,).
        target: its way in the world.
        duration: seconds of the clip.
        strength: 0..1; at 1 they cover it wholly, at 0 there are none.
        reach: largest distance of its silhouette from its middle, in half lengths.

    Returns:
        Each with whether it moves over the ground.
    """
    courses = []
    still = np.ones_like(times)
    shown = (times >= 0) & (times < duration)
    first = int(np.argmax(shown))
    velocity = np.gradient(target.where, times, axis=0)
    for moment in _moments(rng, duration, math.ceil(duration / 2.5) if strength > 0 else 0):
        now = int(np.searchsorted(times, moment))
        size = float(target.size[now])
        radius = size * reach * (0.5 + 0.8 * strength)
        bearing, turn = rng.uniform(0, 2 * np.pi, 2)
        along = size * np.array([np.cos(bearing), np.sin(bearing)])
        aside = size * (1 - strength) * rng.choice((-1, 1)) * rng.uniform(1.35, 1.65)  # how far it misses the middle
        apart = radius * 1.3 + target.size[first] * reach
        for speed in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0):  # the slowest that leaves the first frame free and does not linger
            passing = speed * along - velocity[now]
            across = np.array([-passing[1], passing[0]]) / max(np.hypot(*passing), 1e-6)
            where = target.where[now] + aside * across + speed * along * (times - moment)[:, None]
            distance = np.hypot(*(where - target.where).T)
            if distance[first] > apart and np.mean(distance[shown] < radius) < 0.5:
                courses.append((Course(where, radius * still, turn * still, still, still), speed > 0))
                break
    return courses


@dataclass(frozen=True, slots=True)
class Glance:
    """The camera looks away from `start` to `end` seconds, towards `side` (dx, dy), a unit vector along one axis."""

    start: float
    end: float
    side: tuple[int, int]


def glances(rng: np.random.Generator, duration: float, share: float) -> list[Glance]:
    """When the camera loses the target: about `share` of the clip, never at its start."""
    length = 0.7
    number = math.ceil(share * duration / length)
    sides = ((1, 0), (-1, 0), (0, 1), (0, -1))
    return [Glance(m - length / 2, m + length / 2, sides[rng.integers(4)]) for m in _moments(rng, duration, number)]


def _moments(rng: np.random.Generator, duration: float, number: int) -> Floats:
    """`number` times in the clip, one in the middle part of each equal slot."""
    moments: Floats = (np.arange(number) + rng.uniform(0.45, 0.75, number)) * duration / max(number, 1)
    return moments


def look_away(moments: list[Glance], times: Floats, course: Course, size: tuple[int, int], reach: float) -> Floats:
    """Displacement (T, 2) of the picture that carries the target out of the frame during every glance."""
    shift = np.zeros((len(times), 2))
    swing = 0.25  # seconds
    for glance in moments:
        away = _step((times - max(glance.start - swing, 0.0)) / swing) - _step((times - glance.end) / swing)
        side = np.array(glance.side)
        edge = np.where(side > 0, np.array(size) - course.where, course.where) @ abs(side)  # pixels to the frame's border
        shift += np.outer(away * (edge + 1.3 * reach * course.size), side)
    return shift


def _step(share: Floats) -> Floats:
    """From 0 at shares below 0 to 1 at those above 1, smoothly."""
    within = np.clip(share, 0, 1)
    return within**2 * (3 - 2 * within)
