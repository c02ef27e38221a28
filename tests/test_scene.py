import itertools
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightline.box import Box
from sightline.errors import BadSpec
from sightline.scene import KINDS, Kind, Look, Scene, SceneFrame, render

SHORT = Scene(seed=5, size=(160, 96), num_frames=24)
QUIET = replace(SHORT, occlusion=0.0, light=0.0, distractors=0)


def boxes(shots: list[SceneFrame]) -> NDArray[np.float64]:
    return np.array([shot.box for shot in shots])


@pytest.mark.parametrize("look", ["visible", "thermal", "pair"])
def test_equal_scenes_give_equal_pictures_and_truth(look: Look) -> None:
    scene = replace(SHORT, look=look, num_frames=4)
    for one, other in zip(render(scene), render(scene), strict=True):
        assert one.box == other.box
        assert (one.frame.image == other.frame.image).all()
        assert (one.mask == other.mask).all()


def test_another_seed_gives_another_clip() -> None:
    one, other = list(render(SHORT)), list(render(replace(SHORT, seed=6)))
    assert not np.array_equal(boxes(one), boxes(other))
    assert (one[0].frame.image != other[0].frame.image).mean() > 0.5


def test_a_frame_is_the_same_however_it_is_asked_for() -> None:
    whole = list(render(SHORT))
    for index, shot in zip((20, 3), render(SHORT, [20, 3]), strict=True):
        assert (shot.frame.image == whole[index].frame.image).all()
        assert shot.box == whole[index].box
        assert shot.frame.index == index


def test_frames_are_made_only_when_they_are_asked_for() -> None:
    shots = list(itertools.islice(render(replace(QUIET, num_frames=50_000)), 2))
    assert [shot.frame.index for shot in shots] == [0, 1]


def edges(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """x1, y1, x2, y2 of a silhouette, where the fullest pixel of a column or row is half covered, interpolated."""

    def first(profile: NDArray[np.float64]) -> float:
        i = int(np.argmax(profile > 0.5))
        return i - 0.5 + float((0.5 - profile[i - 1]) / (profile[i] - profile[i - 1]))

    columns, rows = (mask.max(axis=axis) / 255 for axis in (0, 1))
    return np.array([first(columns), first(rows), len(columns) - first(columns[::-1]), len(rows) - first(rows[::-1])])


@pytest.mark.parametrize("kind", KINDS)
def test_the_box_is_tight_about_the_silhouette(kind: Kind) -> None:
    off = []
    for seed in (1, 2, 3):
        for shot in render(Scene(seed=seed, target=kind, num_frames=90), range(0, 90, 9)):
            if shot.visible:
                x, y, w, h = shot.box
                off.append(edges(shot.mask) - (x, y, x + w, y + h))
    assert len(off) > 20
    assert np.abs(off).max() < 0.75  # a sharp corner of a polygon fills half a pixel only so far inside
    if kind != "polygon":
        assert np.abs(np.mean(off, axis=0)).max() < 0.15  # edges of eight bits, seen through pixels: 0.1 px of scatter, no bias


@pytest.mark.parametrize("kind", KINDS)
def test_the_target_is_seen_where_the_mask_says(kind: Kind) -> None:
    scene = Scene(seed=3, look="thermal", target=kind, num_frames=60, occlusion=0, distractors=0, motion=0.3)
    for shot in render(scene, (0, 31, 59)):
        heat = shot.frame.image[..., 0].astype(float)
        moves = list(itertools.product((-2, 0, 2), repeat=2))
        means = [heat[np.roll(shot.mask, move, axis=(0, 1)) > 127].mean() for move in moves]
        assert moves[int(np.argmax(means))] == (0, 0)
        assert max(means) > np.median(heat) + 25  # hot on cool ground


def test_both_pictures_of_a_pair_are_those_of_the_single_looks() -> None:
    looks: tuple[Look, ...] = ("pair", "visible", "thermal")
    for pair, visible, thermal in zip(*(render(replace(SHORT, look=look, num_frames=5)) for look in looks), strict=True):
        assert (pair.frame.image == visible.frame.image).all()
        assert pair.frame.extra is not None
        assert (pair.frame.extra == thermal.frame.image).all()
        assert pair.box == visible.box == thermal.box


def test_a_thermal_picture_is_grey() -> None:
    shot = next(render(replace(SHORT, look="thermal")))
    assert (np.ptp(shot.frame.image, axis=2) == 0).all()
    assert shot.frame.extra is None


@pytest.mark.parametrize("seed", range(4))
def test_the_camera_loses_the_target_and_the_truth_says_so(seed: int) -> None:
    shots = list(render(replace(QUIET, seed=seed, num_frames=90, absent=0.3)))
    gone = [shot for shot in shots if not shot.visible]
    assert 0.1 < len(gone) / len(shots) < 0.7
    assert all(np.isnan(shot.box).all() and shot.seen < 0.1 for shot in gone)
    assert any((shot.mask == 0).all() for shot in gone)
    assert all(np.isfinite(shot.box).all() and shot.seen >= 0.1 for shot in shots if shot.visible)
    assert shots[0].seen == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_an_occluder_hides_the_target_wholly_at_full_strength(seed: int) -> None:
    scene = replace(QUIET, seed=seed, num_frames=75)
    free, covered = list(render(scene)), list(render(replace(scene, occlusion=1.0)))
    least = min(covered, key=lambda shot: shot.seen)
    assert least.seen < 0.02
    assert not least.visible
    inside = least.mask > 200
    assert inside.any()
    change = cv2.absdiff(least.frame.image, free[least.frame.index].frame.image).max(axis=2)
    assert (change[inside] > 20).mean() > 0.6  # something else is seen there
    assert covered[0].seen > 0.99


def test_without_occlusion_the_whole_target_is_always_seen() -> None:
    assert all(shot.seen > 0.99 and shot.visible for shot in render(replace(QUIET, num_frames=75)))


def test_half_an_occlusion_leaves_something_of_the_target() -> None:
    least = min(shot.seen for seed in range(6) for shot in render(replace(SHORT, seed=seed, num_frames=75), range(0, 75, 3)))
    assert least < 0.9


def test_a_still_camera_sees_the_same_ground() -> None:
    first, last = render(replace(QUIET, motion=0.0), [0, 23])
    outside = cv2.dilate(cv2.max(first.mask, last.mask), np.ones((41, 41), np.uint8)) == 0  # and outside its shadow
    assert outside.any()
    change = cv2.absdiff(cv2.blur(first.frame.image, (15, 15)), cv2.blur(last.frame.image, (15, 15)))
    assert change[outside].max() <= 4  # averaged noise


def test_light_changes_the_brightness() -> None:
    def spread(light: float) -> float:
        return float(
            np.ptp([shot.frame.image.mean() for shot in render(replace(QUIET, motion=0.0, light=light, num_frames=120), range(0, 120, 10))])
        )

    assert spread(1.0) > spread(0.0) + 5


@pytest.mark.parametrize("size", [(321, 181), (64, 97), (17, 16)], ids=str)
@pytest.mark.parametrize("look", ["visible", "pair"])
def test_odd_sizes_work(size: tuple[int, int], look: Look) -> None:
    shot = next(render(replace(SHORT, size=size, look=look)))
    assert shot.frame.image.shape == (size[1], size[0], 3)
    assert shot.frame.image.dtype == np.uint8
    assert shot.frame.image.flags.c_contiguous
    assert shot.mask.shape == (size[1], size[0])


def test_frames_know_their_time() -> None:
    assert [shot.frame.time for shot in render(replace(QUIET, fps=10.0), [0, 1, 7])] == pytest.approx([0.0, 0.1, 0.7])


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**63),
    size=st.tuples(st.integers(16, 72), st.integers(16, 72)),
    num_frames=st.integers(1, 40),
    fps=st.sampled_from([5.0, 29.97, 120.0]),
    target=st.sampled_from(KINDS),
    knobs=st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 4),
)
def test_the_truth_is_always_a_box_in_the_frame_or_absent(
    seed: int, size: tuple[int, int], num_frames: int, fps: float, target: Kind, knobs: tuple[float, float, float, float]
) -> None:
    motion, occlusion, light, absent = knobs
    scene = Scene(
        seed=seed, size=size, num_frames=num_frames, fps=fps, target=target, motion=motion, occlusion=occlusion, light=light, absent=absent
    )
    shots = list(render(scene, sorted({0, num_frames // 2, num_frames - 1})))
    for shot in shots:
        assert 0 <= shot.seen <= 1
        assert shot.visible == bool(np.isfinite(shot.box).all())
        if shot.visible:
            assert Box.checked(shot.box, *size) == shot.box
    x, y, w, h = shots[0].box  # the first frame marks the target: it is there, whole
    assert x >= 0
    assert y >= 0
    assert x + w <= size[0]
    assert y + h <= size[1]
    assert shots[0].seen > 0.98


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (15, 40)},
        {"seed": -1},
        {"num_frames": 0},
        {"distractors": -1},
        {"look": "x-ray"},
        {"target": "cat"},
        {"motion": 1.5},
        {"occlusion": -0.1},
        {"light": math.nan},
        {"absent": 2},
        {"straight": -1.0},
        {"straight": math.inf},
        {"fps": 0.0},
        {"fps": math.inf},
    ],
    ids=str,
)
def test_a_value_outside_its_range_is_refused_by_name(wrong: dict[str, object]) -> None:
    word = "15x40" if "size" in wrong else next(iter(wrong))
    with pytest.raises(BadSpec, match=word):
        replace(SHORT, **wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("index", [-1, 24])
def test_a_frame_outside_the_clip_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match="24 frames"):
        next(render(SHORT, [index]))


def test_straight_ways_are_straight_and_fast_and_stay_in_the_picture() -> None:
    scene = replace(QUIET, size=(320, 180), target="ellipse", num_frames=40, motion=0.0, straight=0.5)
    found = boxes(list(render(scene)))
    centres = found[:, :2] + found[:, 2:] / 2
    moves = np.diff(centres, axis=0)
    assert np.hypot(*moves.T).max() == pytest.approx(0.5 * found[:, 2:].max(axis=1).mean(), rel=0.35)
    turns = np.hypot(*np.diff(moves, axis=0).T) > 1
    assert 0 < turns.sum() < 20  # straight but where the border throws it back, between two frames
    assert found[:, :2].min() > 0
    assert (found[:, :2] + found[:, 2:] < (320, 180)).all()


def test_doubles_of_what_goes_straight_are_seen_and_do_not_change_its_way() -> None:
    scene = replace(QUIET, size=(320, 180), target="ellipse", num_frames=8, motion=0.0, straight=0.5)
    alone, among = (np.array([shot.frame.image for shot in render(replace(scene, distractors=number))]) for number in (0, 3))
    assert boxes(list(render(scene))).tolist() == boxes(list(render(replace(scene, distractors=3)))).tolist()
    changed = (np.abs(alone.astype(int) - among).max(axis=3) > 30).mean(axis=(1, 2))
    assert (changed > 0.005).all()
