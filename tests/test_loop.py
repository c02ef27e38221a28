from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline import BadBox, BadData, Mark, MultiTracker, Seconds, Tracker, follow, follow_all
from sightline.frame import Frame
from sightline.loop import Steps
from sightline.methods.network import NetworkMethod
from tests.fakes import FakeSession, brightest

LANES = (40, 100, 160)  # y of the middle of a lane, in which a square goes to the right


def frames(number: int = 8, first: int = 0) -> list[Frame]:
    made = []
    for i in range(first, first + number):
        image = np.zeros((200, 200, 3), np.uint8)
        for lane in LANES:
            image[lane - 8 : lane + 8, 20 + 4 * i : 36 + 4 * i] = 255
        made.append(Frame(image, index=i, time=i / 25))
    return made


def box(lane: int, i: int) -> tuple[float, ...]:
    return 20 + 4 * i, LANES[lane] - 8, 16, 16


def tracker() -> Tracker[Any]:
    return Tracker(NetworkMethod(FakeSession(step=brightest)))


def who(steps: Sequence[Steps[str]]) -> list[str]:
    return ["".join(step.estimates) for step in steps]


def test_targets_of_a_mapping_are_followed_from_the_first_frame_on() -> None:
    steps = list(follow_all(frames(), boxes={"a": box(0, 0), "b": box(1, 0)}, tracker=tracker()))
    assert who(steps) == ["ab"] * 8
    for i, step in enumerate(steps):
        assert step.estimates["b"].box == pytest.approx(box(1, i), abs=1.5)


def test_targets_come_and_go_as_marked() -> None:
    marks = [Mark("c", box(2, 6), 6), Mark("a", box(0, 0), last=3), Mark("b", box(1, 2), 2, 4), Mark("d", box(0, 7), 7, 7)]
    steps = list(follow_all(frames(), boxes=marks, tracker=tracker()))
    assert who(steps) == ["a", "a", "ab", "ab", "b", "", "c", "cd"]
    assert steps[2].estimates["b"].box == box(1, 2)
    assert steps[2].estimates["b"].score == 1.0
    assert steps[4].estimates["b"].box == pytest.approx(box(1, 4), abs=1.5)


def test_those_who_come_and_go_leave_the_others_as_they_are() -> None:
    alone = [step.estimates["a"] for step in follow_all(frames(), boxes={"a": box(0, 0)}, tracker=tracker())]
    marks = [Mark("a", box(0, 0)), Mark("b", box(1, 2), 2, 4), Mark("c", box(2, 3), 3)]
    assert [step.estimates["a"] for step in follow_all(frames(), boxes=marks, tracker=tracker())] == alone


def test_a_second_mark_starts_a_target_over() -> None:
    marks = [Mark("a", box(0, 0), last=2), Mark("a", box(2, 4), 4)]
    steps = list(follow_all(frames(), boxes=marks, tracker=tracker()))
    assert who(steps) == ["a", "a", "a", "", "a", "a", "a", "a"]
    assert steps[4].estimates["a"].box == box(2, 4)
    assert steps[7].estimates["a"].box == pytest.approx(box(2, 7), abs=1.5)


def test_a_mark_replaces_the_one_before_with_its_own_end() -> None:
    marks = [Mark("a", box(0, 0), last=6), Mark("a", box(1, 2), 2)]
    steps = list(follow_all(frames(), boxes=marks, tracker=tracker()))
    assert who(steps) == ["a"] * 8
    assert steps[7].estimates["a"].box == pytest.approx(box(1, 7), abs=1.5)


def test_times_and_frames_come_and_go_together() -> None:
    marks = [
        Mark("c", box(2, 6), Seconds(0.2401)),
        Mark("a", box(0, 0), last=Seconds(0.12)),
        Mark("b", box(1, 2), 2, Seconds(0.1799)),
        Mark("d", box(0, 7), 7),
    ]
    steps = list(follow_all(frames(), boxes=marks, tracker=tracker()))
    assert who(steps) == ["a", "a", "ab", "ab", "b", "", "c", "cd"]
    assert steps[6].estimates["c"].box == box(2, 6)


def test_a_time_between_two_frames_is_the_later_one_and_one_before_all_is_the_first() -> None:
    shown = [Frame(frame.image, frame.index, None if frame.time is None else frame.time + 0.5) for frame in frames()]
    steps = list(follow_all(shown, boxes=[Mark("a", box(0, 0), Seconds(0)), Mark("b", box(1, 3), Seconds(0.59))], tracker=tracker()))
    assert who(steps) == ["a", "a", "a", "ab", "ab", "ab", "ab", "ab"]


@pytest.mark.parametrize(
    "mark,told",
    [
        (Mark("a", box(0, 0), Seconds(0.1)), r"'a' is marked at 0\.1 s, before the first one that is read, 0\.2 s; begin earlier"),
        (Mark("a", box(0, 0), Seconds(0.3), Seconds(0.25)), r"'a' ends with 0\.25 s, before it is marked"),
        (Mark("a", box(0, 0), 9, Seconds(0.25)), "'a' was not followed"),
        (Mark("a", box(0, 0), Seconds(99)), r"ended with frame 12, before it came to the target 'a' \(99 s\)"),
    ],
)
def test_times_that_cannot_be_are_named(mark: Mark[str], told: str) -> None:
    with pytest.raises(BadData, match=told):
        list(follow_all(frames(8, first=5), boxes=[Mark("b", box(1, 5)), mark], tracker=tracker()))


def test_a_time_in_a_source_without_a_clock_is_told_before_anything_is_tracked() -> None:
    shown = [Frame(frame.image, frame.index) for frame in frames()]
    for mark in (Mark("a", box(0, 0), Seconds(0.1)), Mark("a", box(0, 0), None, Seconds(0.1))):
        with pytest.raises(BadData, match=r"'a' is marked by a time \(0\.1 s\), and the source has no clock"):
            next(follow_all(shown, boxes=[mark], tracker=tracker()))


def test_a_frame_that_a_live_source_leaves_out_adds_its_targets_to_the_next() -> None:
    shown = [frame for frame in frames() if frame.index not in (2, 3, 5)]
    marks = [Mark("a", box(0, 2), 2), Mark("b", box(1, 3), 3, 3), Mark("c", box(2, 0), last=5)]
    steps = list(follow_all(shown, boxes=marks, tracker=tracker()))
    assert [(step.frame.index, "".join(sorted(step.estimates))) for step in steps] == [(0, "c"), (1, "c"), (4, "ac"), (6, "a"), (7, "a")]


@pytest.mark.parametrize(
    "mark,error,told",
    [
        (Mark("a", (300, 0, 9, 9), 4), BadBox, "target 'a': box"),
        (Mark("a", box(0, 0), 2), BadData, "marked in frame 2, before the first one that is read, 3"),
        (Mark("a", box(0, 0), last=2), BadData, "ends with frame 2, before it is marked"),
        (Mark("a", box(0, 0), 7, 6), BadData, "ends with frame 6, before it is marked"),
    ],
)
def test_a_mark_that_cannot_be_is_told_before_anything_is_yielded(mark: Mark[str], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        next(follow_all(frames(first=3), boxes=[Mark("b", box(1, 3)), mark], tracker=tracker()))


def test_who_was_to_come_after_the_end_is_named_there() -> None:
    steps = follow_all(frames(), boxes=[Mark("a", box(0, 0)), Mark("b", box(0, 0), 8)], tracker=tracker())
    seen: list[Steps[str]] = []
    with pytest.raises(BadData, match=r"ended with frame 7, before it came to the target 'b' \(frame 8\)"):
        seen.extend(steps)
    assert who(seen) == ["a"] * 8


def test_plain_arrays_of_a_generator_are_frames_in_the_trackers_order_of_colours() -> None:
    red = [np.where(frame.image > 0, (255, 0, 0), 0).astype(np.uint8) for frame in frames()]  # the fake looks at red alone
    for channels in ("rgb", "bgr"):
        made = Tracker(tracker().method, channels=channels)
        images = (image if channels == "rgb" else image[..., ::-1].copy() for image in red)
        steps = list(follow_all(images, boxes=[Mark("a", box(0, 2), 2)], tracker=made))
        assert [step.frame.index for step in steps] == list(range(8))
        assert steps[7].estimates["a"].box == pytest.approx(box(0, 7), abs=1.5)
    assert [step.estimate.box for step in follow(iter(red), box=box(1, 0), tracker=Tracker(tracker().method, channels="rgb"))][
        5
    ] == pytest.approx(box(1, 5), abs=1.5)


@pytest.mark.parametrize("asked, expected", [(None, (2, 2)), (1, (None, 1))], ids=["nobody said", "one caller"])
def test_a_tracker_that_is_loaded_for_several_targets_shares_the_cores(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, expected: tuple[int | None, int]
) -> None:
    loaded: list[int | None] = []
    made: list[int] = []

    def load(_: object, *, threads: int | None) -> Tracker[Any]:
        loaded.append(threads)
        return tracker()

    def many(method: Any, *, callers: int) -> MultiTracker[str, Any]:
        made.append(callers)
        return MultiTracker(method, callers=callers)

    monkeypatch.setattr("sightline.engines.cores.num_cores", lambda: 4)
    monkeypatch.setattr("sightline.loop.load", load)
    monkeypatch.setattr("sightline.loop.MultiTracker", many)
    boxes = {"a": box(0, 0), "b": box(1, 0)}
    shared = list(follow_all(frames(), boxes=boxes, callers=asked))
    alone = list(follow_all(frames(), boxes=boxes, tracker=tracker()))
    assert (*loaded, *made) == (*expected, 1)
    assert [step.estimates for step in shared] == [step.estimates for step in alone]


def test_a_list_of_images_is_read_as_read_does(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, frame in zip(paths, frames(3), strict=True):
        cv2.imwrite(str(path), frame.image)
    for source in (paths, tuple(map(str, paths))):
        steps = list(follow(source, box=box(0, 0), tracker=tracker()))
        assert [step.frame.index for step in steps] == [0, 1, 2]
        assert steps[2].estimate.box == pytest.approx(box(0, 2), abs=1.5)
