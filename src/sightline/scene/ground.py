"""The landscape that the camera flies over: soil, fields, roads, houses, trees, and the shadows they throw."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sightline.scene.paint import SUBPIXELS, Bytes, Colour, blend_, crown, fixed, noise
from sightline.scene.shapes import Floats

__all__ = ["Ground", "paint_ground"]

SOIL: tuple[tuple[Colour, ...], ...] = (  # from hollows to heights
    ((58, 74, 42, 62), (84, 104, 54, 72), (110, 124, 68, 84), (136, 138, 86, 96)),  # meadow
    ((122, 100, 72, 92), (152, 128, 92, 104), (176, 154, 118, 112), (196, 178, 142, 118)),  # dry
    ((90, 93, 96, 96), (112, 114, 115, 102), (132, 132, 130, 108), (148, 146, 140, 114)),  # paved
    ((140, 150, 164, 44), (166, 174, 186, 50), (184, 190, 200, 54), (200, 204, 208, 60)),  # snow
    ((86, 78, 50, 70), (110, 104, 60, 80), (124, 122, 74, 88), (150, 142, 96, 96)),  # heath
)
CROPS: tuple[Colour, ...] = ((92, 116, 58, 76), (156, 144, 74, 92), (122, 98, 70, 100), (74, 98, 58, 70), (140, 128, 92, 96))
ROOFS: tuple[Colour, ...] = ((150, 78, 58, 120), (104, 100, 104, 112), (170, 158, 140, 124), (86, 92, 106, 108))


@dataclass(frozen=True, slots=True)
class Ground:
    """A painted landscape.

    Attributes:
        canvas: (H, W, 4) uint8 red, green, blue, heat.
        origin: where in the world the corner of its pixel (0, 0) lies.
    """

    canvas: Bytes
    origin: tuple[float, float]


def paint_ground(
    rng: np.random.Generator, corners: tuple[float, float, float, float], unit: float, roads: list[tuple[Floats, float]]
) -> Ground:
    """Paint the part of the world that the camera will see.

    Args:
        rng: what it looks like.
        corners: x1, y1, x2, y2 of that part, world pixels.
        unit: how large things are: 1 for a frame that is 360 pixels high.
        roads: centre lines (N, 2) in the world and their widths; further ones are added.
    """
    origin = (float(np.floor(corners[0])), float(np.floor(corners[1])))
    width, height = int(np.ceil(corners[2] - origin[0])) + 1, int(np.ceil(corners[3] - origin[1])) + 1
    stops = SOIL[rng.integers(len(SOIL))]
    canvas = _soil(rng, stops, height, width, 240 * unit)
    frames = width * height / (640 * 360 * unit**2)
    _fields_(canvas, rng, stops, round(frames * rng.uniform(0, 1.6)), unit)
    lines = [(line - origin, breadth) for line, breadth in roads]
    lines += [_crossing(rng, width, height, unit) for _ in range(rng.integers(0, 3))]
    for line, breadth in reversed(lines):
        _road_(canvas, rng, line, breadth)
    taken = np.zeros((height, width), np.uint8)  # nothing is built on a road
    for line, breadth in lines:
        cv2.polylines(taken, [fixed(line)], False, 255, max(round(breadth * 1.25), 1), shift=SUBPIXELS)
    houses = _houses(rng, taken, round(frames * rng.uniform(0, 2.5)), unit)
    trees = _trees(rng, taken, round(frames * rng.uniform(4, 22)), unit)
    _shade_(canvas, rng, houses, trees, unit)
    for corners_of_house in houses:
        _house_(canvas, rng, corners_of_house)
    _plant_(canvas, rng, trees)
    return Ground(canvas, origin)


def _soil(rng: np.random.Generator, stops: tuple[Colour, ...], height: int, width: int, cell: float) -> Bytes:
    """Bare ground (height, width, 4): a relief coloured from hollows to heights, with fine grain."""
    relief = 0.8 * noise(rng, height, width, cell, 6) + 0.2 * noise(rng, height, width, max(cell / 60, 1.5), 2)
    steps = np.linspace(0, 1, len(stops))
    table = np.stack([np.interp(np.linspace(0, 1, 256), steps, channel) for channel in zip(*stops, strict=True)], axis=1)
    level = cv2.convertScaleAbs(relief, alpha=255)
    soil: Bytes = cv2.LUT(cv2.merge([level] * 4), table.astype(np.uint8)[None])
    return soil


def _fields_(canvas: Bytes, rng: np.random.Generator, stops: tuple[Colour, ...], number: int, unit: float) -> None:
    """Cultivated plots: quadrangles of one tone with rows."""
    height, width = canvas.shape[:2]
    for _ in range(number):
        tone = 0.45 * np.array(stops[rng.integers(len(stops))]) + 0.55 * np.array(CROPS[rng.integers(len(CROPS))]) * rng.uniform(0.9, 1.2)
        corners = _quad(rng, rng.uniform((0, 0), (width, height)), rng.uniform(120, 300, 2) * unit, skew=0.15)
        plot = np.zeros((height, width), np.uint8)
        cv2.fillPoly(plot, [fixed(corners)], 200, cv2.LINE_AA, SUBPIXELS)
        colour = np.empty_like(canvas)
        colour[:] = np.clip(tone, 0, 255)
        along = (corners[1] - corners[0]) / max(np.hypot(*(corners[1] - corners[0])), 1e-6)
        across = np.array([-along[1], along[0]])
        for step in np.arange(-300, 300, rng.uniform(7, 12)) * unit:
            middle = corners.mean(axis=0) + across * step
            row = np.stack([middle - 400 * unit * along, middle + 400 * unit * along])
            cv2.polylines(
                colour, [fixed(row)], False, np.clip(tone * 0.88, 0, 255).tolist(), max(round(2.5 * unit), 1), cv2.LINE_AA, SUBPIXELS
            )
        x, y, w, h = cv2.boundingRect(plot)
        if w and h:
            cut = np.s_[y : y + h, x : x + w]
            alpha = plot[cut]
            blend_(canvas, cv2.multiply(colour[cut], cv2.merge([alpha] * 4), scale=1 / 255), alpha, x, y)


def _crossing(rng: np.random.Generator, width: int, height: int, unit: float) -> tuple[Floats, float]:
    """A further road from one side of the canvas to the other."""
    angle, reach = rng.uniform(0, np.pi), float(np.hypot(width, height))
    along = np.array([np.cos(angle), np.sin(angle)])
    place = np.linspace(-1.2, 1.2, 160)[:, None] * reach
    bend = np.sin(place / reach * rng.uniform(2, 7) + rng.uniform(0, 6)) * rng.uniform(0, 0.12) * reach
    middle = rng.uniform((0.2 * width, 0.2 * height), (0.8 * width, 0.8 * height))
    return middle + place * along + bend * np.array([-along[1], along[0]]), rng.uniform(26, 60) * unit


def _road_(canvas: Bytes, rng: np.random.Generator, line: Floats, breadth: float) -> None:
    """Verge, surface, edge lines and a broken centre line."""
    tone = rng.uniform(84, 118)
    surface = (tone, tone, tone + 3, 118)
    white = (206, 204, 192, 126)
    points = [fixed(line)]
    for share, colour in ((1.16, (126, 118, 98, 104)), (1.0, surface), (0.9, white), (0.86, surface)):
        if share != 0.9 or breadth > 24:
            cv2.polylines(canvas, points, False, colour, max(round(breadth * share), 1), cv2.LINE_AA, SUBPIXELS)
    steps = np.hypot(*np.diff(line, axis=0).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    dash = max(0.55 * breadth, 2.0)
    starts = np.arange(0, length[-1], 2 * dash) if breadth > 16 else np.empty(0)
    ends = np.stack([starts, starts + 0.45 * dash, starts + 0.9 * dash], axis=1)
    marks = np.stack([np.interp(ends, length, line[:, i]) for i in (0, 1)], axis=-1)
    cv2.polylines(canvas, list(fixed(marks)), False, white, max(round(breadth * 0.035), 1), cv2.LINE_AA, SUBPIXELS)


def _spots(rng: np.random.Generator, taken: Bytes, number: int, radius: float) -> Floats:
    """Up to `number` places (N, 2) around which nothing is taken."""
    height, width = taken.shape
    spots = rng.uniform((0, 0), (width, height), (number, 2))
    grown = cv2.dilate(taken[::4, ::4], np.ones((max(round(radius / 2), 1),) * 2, np.uint8))
    x, y = np.minimum((spots / 4).astype(int), (grown.shape[1] - 1, grown.shape[0] - 1)).T
    free: Floats = spots[grown[y, x] == 0]
    return free


def _quad(rng: np.random.Generator, centre: Floats, size: Floats, *, skew: float = 0.0) -> Floats:
    """A turned rectangle (4, 2), its corners displaced by up to `skew` of its size."""
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) + rng.uniform(-skew, skew, (4, 2))
    turned: Floats = centre + (corners * size) @ turn
    return turned


def _houses(rng: np.random.Generator, taken: Bytes, number: int, unit: float) -> list[Floats]:
    """Corners (4, 2) of houses beside the roads; their places are then taken."""
    spots: list[Floats] = []
    for spot in _spots(rng, taken, number, 60 * unit):
        if all(np.hypot(*(spot - other)) > 125 * unit for other in spots):
            spots.append(spot)
    houses = [_quad(rng, spot, rng.uniform((54, 34), (96, 60)) * unit) for spot in spots]
    for corners in houses:
        cv2.fillPoly(taken, [fixed(corners)], 255, shift=SUBPIXELS)
    return houses


def _trees(rng: np.random.Generator, taken: Bytes, number: int, unit: float) -> list[tuple[Floats, float]]:
    """Centres and radii of trees, single and in groves."""
    spots = _spots(rng, taken, number // 2, 34 * unit)
    near = np.repeat(spots, 2, axis=0) + rng.normal(0, 26 * unit, (2 * len(spots), 2))
    y, x = (np.clip(near[:, i].astype(int), 0, taken.shape[1 - i] - 1) for i in (1, 0))
    groves = np.concatenate([spots, near[taken[y, x] == 0]])
    return [(spot, rng.uniform(9, 24) * unit) for spot in groves]


def _shade_(canvas: Bytes, rng: np.random.Generator, houses: list[Floats], trees: list[tuple[Floats, float]], unit: float) -> None:
    """Shadows to the lower right, and a fine grain over everything that lies flat."""
    height, width = canvas.shape[:2]
    shadow = np.zeros((height, width), np.uint8)
    for corners in houses:
        cv2.fillPoly(
            shadow, [fixed(cv2.convexHull(np.concatenate([corners, corners + 12 * unit]).astype(np.float32))[:, 0].astype(float))], 255
        )
    for spot, radius in trees:
        cv2.circle(shadow, fixed(spot + 0.45 * radius).tolist(), round(radius * 2**SUBPIXELS), 255, -1, shift=SUBPIXELS)
    soft = cv2.GaussianBlur(shadow, (0, 0), max(1.6 * unit, 0.6)).astype(np.float32) / 255
    shade = (noise(rng, height, width, 3 * max(unit, 0.5), 2) * 0.2 + 0.9) * (1 - 0.5 * soft)
    heat = 1 - 0.12 * soft
    np.copyto(canvas, cv2.multiply(canvas, cv2.merge([shade, shade, shade, heat]), dtype=cv2.CV_8U))


def _house_(canvas: Bytes, rng: np.random.Generator, corners: Floats) -> None:
    """A gabled roof: two halves of which one faces the light."""
    tone = np.array(ROOFS[rng.integers(len(ROOFS))]) * rng.uniform(0.85, 1.15)
    ridge = [(corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2]
    for half in ((corners[0], corners[1], ridge[1], ridge[0]), (ridge[0], ridge[1], corners[2], corners[3])):
        facing = np.mean(half, axis=0) - corners.mean(axis=0)
        light = 1 - 0.2 * float(facing.sum() / max(np.abs(facing).sum(), 1e-6))
        cv2.fillPoly(canvas, [fixed(np.stack(half))], np.clip(tone * light, 0, 255).tolist(), cv2.LINE_AA, SUBPIXELS)
        rows = np.linspace(0.15, 0.85, 6)[:, None]
        tiles = np.stack([half[0] + (half[3] - half[0]) * rows, half[1] + (half[2] - half[1]) * rows], axis=1)
        cv2.polylines(canvas, list(fixed(tiles)), False, np.clip(tone * light * 0.9, 0, 255).tolist(), 1, cv2.LINE_AA, SUBPIXELS)


def _plant_(canvas: Bytes, rng: np.random.Generator, trees: list[tuple[Floats, float]]) -> None:
    """Trees from a few painted ones, turned and scaled."""
    if not trees:
        return
    largest = max(radius for _, radius in trees)
    side = int(2 ** np.ceil(np.log2(max(2.5 * largest, 8))))
    kinds = [crown(rng, side).pictures[0] for _ in range(6)]
    for spot, radius in sorted(trees, key=lambda tree: tree[1]):
        kind = kinds[rng.integers(len(kinds))]
        size = max(round(2.5 * radius), 2)
        visible, thermal = (cv2.resize(band[0], (size, size), interpolation=cv2.INTER_AREA) for band in (kind.visible, kind.thermal))
        x, y = np.round(spot - size / 2).astype(int)
        blend_(canvas, cv2.merge([visible[..., :3], thermal[..., 0]]), visible[..., 3], int(x), int(y))
