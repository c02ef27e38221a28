"""A scene's description, its set-up from the seed, and the taking of its pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.box import Box
from sightline.errors import BadSpec
from sightline.frame import Frame
from sightline.scene.film import Band, Film, daylight, infrared
from sightline.scene.ground import paint_ground
from sightline.scene.motion import (
    LEAD,
    Course,
    apply,
    camera,
    doubles,
    frame_course,
    glances,
    look_away,
    occluders,
    road_of,
    straightened,
    world_course,
)
from sightline.scene.paint import Bytes, Sprite, balloon, blend_, crown, paint_sprite, palette
from sightline.scene.shapes import KINDS, POSES, Floats, Kind

__all__ = ["ABSENT", "Look", "Scene", "SceneFrame", "render"]

Look: TypeAlias = Literal["visible", "thermal", "pair"]

ABSENT = Box(math.nan, math.nan, math.nan, math.nan)
SEEN = 0.1  # share of the silhouette below which the target counts as absent
SMALLEST = 16  # pixels of a side
SHUTTER = 0.4  # open for this share of the time between two frames
LONGEST_SMEAR = 31.0  # pixels
RATES: dict[Kind, float] = {"car": 0.0, "drone": 3.3, "ellipse": 0.0, "person": 1.1, "polygon": 0.0}  # cycles of movement per second


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What to render. Equal scenes give equal pictures; a knob at 0 switches its difficulty off.

    Attributes:
        seed: not negative; everything follows from it.
        size: width and height of the frames in pixels, at least 16 each.
        num_frames: length of the clip.
        look: "visible", "thermal" (a grey infrared picture), or "pair": visible with the infrared one as `Frame.extra`.
        fps: frames per second.
        target: what is followed; "any" lets the seed choose.
        motion: 0..1, of camera and target.
        straight: how far the target and its doubles go from one frame to the next, in lengths of the target: each in straight lines of its
            own, thrown back by the frame's border. At 0 the target wanders and its doubles keep it company.
        occlusion: 0..1, how much of the target is covered when something passes over it: more than half at 0.5, all of it at 1.
        light: 0..1, change of exposure and shadows.
        distractors: how many objects look like the target.
        absent: 0..1, share of the time in which the camera has lost the target, never at the start.

    Raises:
        BadSpec: a value outside its range.
    """

    seed: int = 0
    size: tuple[int, int] = (640, 360)
    num_frames: int = 120
    look: Look = "visible"
    fps: float = 30.0
    target: Kind | Literal["any"] = "any"
    motion: float = 0.6
    straight: float = 0.0
    occlusion: float = 0.5
    light: float = 0.5
    distractors: int = 2
    absent: float = 0.0

    def __post_init__(self) -> None:
        if min(self.size) < SMALLEST:
            raise BadSpec(f"a scene of {self.size[0]}x{self.size[1]} pixels is too small: give at least {SMALLEST}x{SMALLEST}.")
        if self.look not in {"visible", "thermal", "pair"}:
            raise BadSpec(f"look is {self.look!r}; expected 'visible', 'thermal' or 'pair'.")
        if self.target not in {"any", *KINDS}:
            raise BadSpec(f"target is {self.target!r}; expected 'any' or one of {', '.join(KINDS)}.")
        for name, least in (("seed", 0), ("num_frames", 1), ("distractors", 0)):
            if getattr(self, name) < least:
                raise BadSpec(f"{name} is {getattr(self, name)}; expected at least {least}.")
        for name in ("motion", "occlusion", "light", "absent"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadSpec(f"{name} is {getattr(self, name)}; expected 0 to 1.")
        if not 0 <= self.straight < math.inf:
            raise BadSpec(f"straight is {self.straight}; expected a number of lengths from 0 on.")
        if not 0 < self.fps < math.inf:
            raise BadSpec(f"fps is {self.fps}; expected a positive number of frames per second.")


@dataclass(frozen=True, slots=True)
class SceneFrame:
    """A picture and the truth about it.

    Attributes:
        frame: the picture.
        box: tight about the whole silhouette, covered parts included, exact to a fraction of a pixel; it may reach past the frame's
            edge. Four NaN where the target is absent.
        visible: false where less than a tenth of the silhouette can be seen: then the target counts as absent.
        seen: share of the silhouette that is inside the frame and not covered, 0..1.
        mask: (H, W) uint8, how much of each pixel the whole silhouette fills, covered parts included, 0..255.
    """

    frame: Frame
    box: Box
    visible: bool
    seen: float
    mask: Bytes


@dataclass(frozen=True, slots=True)
class _Mover:
    """A sprite on its way through the frames.

    Attributes:
        sprite: its pictures.
        poses: (T,) which of them is shown.
        matrices: (T, 3, 3) from its local coordinates to the frame.
        shift: (T, 2) its speed there, pixels per frame.
        height: how far above the ground it is, in half lengths: its shadow falls so far away.
    """

    sprite: Sprite
    poses: NDArray[np.int64]
    matrices: Floats
    shift: Floats
    height: float


@dataclass(frozen=True, slots=True)
class _Stage:
    """What all frames of a scene share.

    Attributes:
        scene: its description.
        ground: per band, the landscape (H, W[, 3]).
        views: (T, 3, 3) from pixels of the ground to the frame.
        shift: (T, 2) how the middle of the picture moves, pixels per frame.
        below: what is drawn before the target.
        target: what the truth is about.
        above: what passes over it.
        films: per band, how the picture is taken.
    """

    scene: Scene
    ground: dict[Band, Bytes]
    views: Floats
    shift: Floats
    below: list[_Mover]
    target: _Mover
    above: list[_Mover]
    films: dict[Band, Film]


def render(scene: Scene, indices: Iterable[int] | None = None) -> Iterator[SceneFrame]:
    """Frames of a scene, one at a time.

    Args:
        scene: what to render.
        indices: which frames, in any order; all of them by default. A frame is the same however it is asked for.

    Raises:
        IndexError: an index outside 0..num_frames - 1.
    """
    stage = _build(scene)
    for index in range(scene.num_frames) if indices is None else indices:
        if not 0 <= index < scene.num_frames:
            raise IndexError(f"frame {index} of a scene of {scene.num_frames} frames")
        yield _shoot(stage, index)


def _build(scene: Scene) -> _Stage:
    """Set a scene up: the courses first, then paint what the camera will see on them."""
    kind: Kind = scene.target if scene.target != "any" else KINDS[_random(scene, 0).integers(len(KINDS))]
    lead = math.ceil(LEAD * scene.fps)
    times = np.arange(-lead, scene.num_frames + lead) / scene.fps
    clip = slice(lead, lead + scene.num_frames)
    details, colours = (scene.seed, 4), palette(_random(scene, 4))
    reach = _radius(paint_sprite(details, kind, colours, SMALLEST))  # its final size follows from its course
    steady, views = camera(_random(scene, 1), times, scene.size, kind, scene.motion)
    passing = frame_course(_random(scene, 2), times, scene.size, kind, scene.motion, reach)
    if scene.straight:
        passing = straightened(_random(scene, 12), times, passing, scene.size, scene.straight, reach)
    course = world_course(passing, steady, kind, scene.fps)
    duration = scene.num_frames / scene.fps
    away = glances(_random(scene, 3), duration, scene.absent)
    views[:, :2, 2] += look_away(away, times, passing, scene.size, reach)

    side = _side(2 * reach * passing.size[clip].max())
    target = _mover(paint_sprite(details, kind, colours, side), course, kind, times, views, clip)
    below, above = [], []
    for i, way in enumerate(_doubles(scene, times, kind, passing, course, steady, reach)):
        lookalike = palette(np.random.default_rng((scene.seed, 6, i)), like=colours)
        below.append(_mover(paint_sprite((*details, i), kind, lookalike, side), way, kind, times, views, clip))
    covers = occluders(_random(scene, 7), times, course, duration, scene.occlusion, reach)
    for i, (way, flies) in sorted(enumerate(covers), key=lambda cover: cover[1][1]):  # what flies is above what grows
        paint = balloon if flies else crown
        sprite = paint(np.random.default_rng((scene.seed, 8, i)), _side(2.5 * way.size[0]))
        above.append(_mover(sprite, way, None, times, views, clip))
    roads = [road_of(course, 2.0 * max(scene.size))] if kind == "car" else []
    ground, view = _landscape(scene, views[clip], roads)
    return _Stage(scene, ground, view, _travel(view, scene.size), below, target, above, _films(scene, times[clip], view))


def _doubles(scene: Scene, times: Floats, kind: Kind, passing: Course, course: Course, steady: Floats, reach: float) -> list[Course]:
    """Ways in the world of what looks like the target, which goes through the picture as `passing` and through the world on a `course`."""
    rng = _random(scene, 5)
    if not scene.straight:
        return doubles(rng, times, course, kind, scene.distractors)
    ways = [straightened(rng, times, passing, scene.size, scene.straight, reach) for _ in range(scene.distractors)]
    return [world_course(way, steady, kind, scene.fps) for way in ways]


def _random(scene: Scene, subject: int) -> np.random.Generator:
    """Random numbers for one subject, so that turning a knob changes as little else as it can."""
    return np.random.default_rng((scene.seed, subject))


def _radius(sprite: Sprite) -> float:
    """Largest distance of a silhouette from its middle, in half lengths."""
    return max(float(np.hypot(*picture.outline.T).max()) for picture in sprite.pictures)


def _side(length: float) -> int:
    """Pixels of a sprite's largest picture for something so long on the screen: a power of two."""
    return int(2 ** np.clip(np.ceil(np.log2(length)), 4, 9))


def _mover(sprite: Sprite, course: Course, kind: Kind | None, times: Floats, views: Floats, clip: slice) -> _Mover:
    """A sprite on its course, as the camera sees it."""
    matrices = views @ course.matrices()
    rate = RATES[kind] * POSES[kind] if kind else 0.0
    poses = np.floor(times * rate).astype(np.int64) % len(sprite.pictures)
    height = {"car": 0.12, "person": 0.15, "drone": 0.8}.get(kind or "cover", 0.3)
    return _Mover(sprite, poses[clip], matrices[clip], np.gradient(matrices[:, :2, 2], axis=0)[clip], height)


def _landscape(scene: Scene, views: Floats, roads: list[tuple[Floats, float]]) -> tuple[dict[Band, Bytes], Floats]:
    """The ground under all views in the bands of the scene, and the views from its pixels."""
    width, height = scene.size
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    seen = apply(np.linalg.inv(views)[:, None], frame).reshape(-1, 2)
    ground = paint_ground(_random(scene, 9), (*(seen.min(axis=0) - 2), *(seen.max(axis=0) + 2)), min(scene.size) / 360, roads)
    local = np.eye(3)
    local[:2, 2] = ground.origin
    bands: dict[Band, Bytes] = {"visible": ground.canvas[..., :3], "thermal": ground.canvas[..., 3]}
    return {band: np.ascontiguousarray(bands[band]) for band in _bands(scene)}, views @ local


def _travel(views: Floats, size: tuple[int, int]) -> Floats:
    """How far (T, 2) what is in the middle of the frame moves until the next one, pixels."""
    middle = np.array(size) / 2
    following = views[np.minimum(np.arange(len(views)) + 1, len(views) - 1)]
    travel: Floats = apply(following, apply(np.linalg.inv(views), middle)) - middle
    return travel


def _bands(scene: Scene) -> tuple[Band, ...]:
    """What has to be rendered; the first is `Frame.image`, the second `Frame.extra`."""
    return ("visible", "thermal") if scene.look == "pair" else (scene.look,)


def _films(scene: Scene, times: Floats, views: Floats) -> dict[Band, Film]:
    """The cameras of a scene."""
    films: dict[Band, Film] = {}
    for band in _bands(scene):
        if band == "visible":
            films[band] = daylight(_random(scene, 10), times, views, scene.size, scene.light)
        else:
            films[band] = infrared(_random(scene, 11), times, scene.size, scene.light)
    return films


def _shoot(stage: _Stage, index: int) -> SceneFrame:
    """One frame with its truth."""
    scene = stage.scene
    image, *extra = (film.develop(_compose(stage, band, index), index) for band, film in stage.films.items())
    frame = Frame(image, index, index / scene.fps, *extra)
    mask, whole = _alone(stage.target, index, scene.size)
    cover = np.zeros_like(mask)
    for mover in stage.above:
        cover = np.maximum(cover, _alone(mover, index, scene.size)[0])
    seen = float(cv2.multiply(mask, cv2.bitwise_not(cover), scale=1 / 255).sum(dtype=np.int64)) / max(whole, 1)
    outline = apply(stage.target.matrices[index], stage.target.sprite.pictures[stage.target.poses[index]].outline)
    (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    visible = seen >= SEEN
    return SceneFrame(frame, Box(left, top, right - left, bottom - top) if visible else ABSENT, visible, min(seen, 1.0), mask)


def _compose(stage: _Stage, band: Band, index: int) -> Bytes:
    """The clean picture in one band: (H, W, 3), or (H, W) for heat."""
    image = cv2.warpAffine(stage.ground[band], _between_samples(stage.views[index]), stage.scene.size, borderMode=cv2.BORDER_REFLECT)
    image = _smear(image, stage.shift[index])
    for mover in (*stage.below, stage.target, *stage.above):
        patch, x, y = _patch(mover, band, index)
        if x >= stage.scene.size[0] or y >= stage.scene.size[1] or x + patch.shape[1] <= 0 or y + patch.shape[0] <= 0:
            continue
        patch = _smear(patch, mover.shift[index])
        alpha = patch[..., -1]
        if band == "visible":
            fall = round(mover.height * math.sqrt(abs(np.linalg.det(mover.matrices[index]))))
            shadow = cv2.convertScaleAbs(cv2.blur(alpha, (3, 3)), alpha=0.4)
            blend_(image, np.zeros((*shadow.shape, 3), np.uint8), shadow, x + fall, y + fall)
        blend_(image, patch[..., :3] if band == "visible" else patch[..., 0], alpha, x, y)
    return image


def _between_samples(matrix: Floats) -> Floats:
    """(2, 3) for cv2, which numbers samples by whole numbers where continuous coordinates have their middles at .5."""
    shifted = matrix[:2].copy()
    shifted[:, 2] += 0.5 * matrix[:2, :2].sum(axis=1) - 0.5
    return shifted


def _patch(mover: _Mover, band: Band, index: int) -> tuple[Bytes, int, int]:
    """The sprite as it appears in one frame: colours and coverage of a small picture, and where its corner lies."""
    matrix = mover.matrices[index]
    picture = mover.sprite.pictures[mover.poses[index]]
    levels = picture.visible if band == "visible" else picture.thermal
    pad = 2 + math.ceil(_smear_length(mover.shift[index]) / 2)
    outline = apply(matrix, picture.outline)
    x, y = (np.floor(outline.min(axis=0)).astype(int) - pad).tolist()
    width, height = (np.ceil(outline.max(axis=0)).astype(int) + pad - (x, y)).tolist()
    scale = math.sqrt(abs(np.linalg.det(matrix[:2, :2]))) * 2 * mover.sprite.reach  # pixels of the frame that the square fills
    level = int(np.clip(math.floor(math.log2(levels[0].shape[0] / scale) + 0.2), 0, len(levels) - 1))
    texel = 2 * mover.sprite.reach / levels[level].shape[0]
    local = np.array([[texel, 0, -mover.sprite.reach], [0, texel, -mover.sprite.reach], [0, 0, 1]])
    corner = np.array([[1.0, 0, -x], [0, 1, -y], [0, 0, 1]])
    return cv2.warpAffine(levels[level], _between_samples(corner @ matrix @ local), (width, height)), x, y


def _alone(mover: _Mover, index: int, size: tuple[int, int]) -> tuple[Bytes, int]:
    """Coverage (H, W) by one sprite without blur, and its sum with what lies outside the frame."""
    patch, x, y = _patch(mover, "thermal", index)
    alpha = np.ascontiguousarray(patch[..., 1])
    mask = np.zeros(size[::-1], np.uint8)
    blend_(mask, alpha, alpha, x, y)
    return mask, int(alpha.sum(dtype=np.int64))


def _smear_length(shift: Floats) -> float:
    """Pixels that something moves while the shutter is open."""
    return min(SHUTTER * math.hypot(*shift), LONGEST_SMEAR)


def _smear(image: Bytes, shift: Floats) -> Bytes:
    """Blur along `shift`, pixels per frame, about the place at mid-exposure."""
    length = _smear_length(shift)
    if length < 1:
        return image
    half = math.ceil(length / 2)
    steps = np.linspace(-0.5, 0.5, 2 * half + 1)[:, None] * shift / math.hypot(*shift) * length + half
    low = np.floor(steps).astype(int)
    part = steps - low
    kernel = np.zeros((2 * half + 2, 2 * half + 2))
    for i, j in ((0, 0), (1, 0), (0, 1), (1, 1)):  # each step shared among four cells
        weight = abs(1 - i - part[:, 0]) * abs(1 - j - part[:, 1])
        np.add.at(kernel, (low[:, 1] + j, low[:, 0] + i), weight)
    kernel = kernel[:-1, :-1] / kernel.sum()  # the last row and column hold nothing
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
