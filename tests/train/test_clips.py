from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.box import Box, iou
from sightline.errors import BadData
from sightline.frame import Frame
from sightline.train.clips import follow, is_open, label_clips, moving_boxes
from sightline.train.data import Stored, read_tracks

NUM = 30


def truth(i: int) -> Box:
    return Box(40.0 + 2 * i, 50.0 + i, 60.0, 48.0)


def clip() -> list[Frame]:
    """A textured square moves over a textured ground, which itself drifts slowly: the camera."""
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.integers(0, 255, (180, 280, 3), dtype=np.uint8), (0, 0), 2)
    ground = cv2.normalize(ground, np.empty_like(ground), 20, 160, cv2.NORM_MINMAX)
    thing = cv2.GaussianBlur(rng.integers(90, 255, (48, 60, 3), dtype=np.uint8), (0, 0), 1.5)
    frames = []
    for i in range(NUM):
        image = ground[i // 6 : i // 6 + 150, i // 3 : i // 3 + 240].astype(np.uint8)
        x, y, w, h = (int(value) for value in truth(i))
        image[y : y + h, x : x + w] = thing
        frames.append(Frame(image, i))
    return frames


@dataclass
class Oracle:
    """Says the truth, or loses it from a frame on."""

    lost_from: int = NUM
    score: float = 0.9

    def init(self, frame: Frame, box: Box) -> None:
        self.marked = (frame.index, box)

    def update(self, frame: Frame) -> tuple[Box, float]:
        return (truth(frame.index) if frame.index < self.lost_from else Box(0, 0, 10, 10)), self.score


def test_what_moves_against_the_camera_is_found() -> None:
    frames = clip()
    found = moving_boxes(frames[0], frames[3])
    assert found
    assert float(iou(np.array(found[0]), np.array(truth(0)))) > 0.5


def test_a_moving_camera_alone_gives_no_boxes() -> None:
    frames = [Frame(np.ascontiguousarray(frame.image[:45])) for frame in clip()]  # above the object
    assert moving_boxes(frames[0], frames[3]) == []


def test_a_track_that_both_trackers_hold_is_kept_whole() -> None:
    labels = follow(clip(), 2, truth(2), Oracle(), Oracle())
    assert labels is not None
    assert (labels.start, len(labels.boxes)) == (2, NUM - 2)
    assert labels.boxes[10] == pytest.approx(truth(12))


@pytest.mark.parametrize("second", [Oracle(lost_from=12), Oracle(score=0.1)], ids=["they differ", "one is unsure"])
def test_a_short_agreement_is_no_track(second: Oracle) -> None:
    assert follow(clip(), 0, truth(0), Oracle(), second) is None


def test_a_track_that_does_not_come_back_to_its_start_is_dropped() -> None:
    assert follow(clip(), 0, Box(120, 100, 20, 20), Oracle(), Oracle()) is None


@pytest.mark.parametrize(
    "licence, footage, expected",
    [("MIT", None, True), ("CC BY 4.0", None, True), ("CC BY-NC 4.0", None, False), ("not stated", None, False), ("MIT", "DAVIS", False)],
)
def test_only_open_clips_are_used(licence: str, footage: str | None, expected: bool) -> None:
    entry = {"licence": licence} | ({"footage": footage} if footage else {})
    assert is_open(entry) is expected


def test_a_labelled_folder_reads_as_training_data(tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    (clips / "a").mkdir(parents=True)
    for frame in clip():
        cv2.imwrite(str(clips / "a" / f"{frame.index:03d}.png"), frame.image[..., ::-1])
    (clips / "broken.mp4").write_bytes(b"no video")
    lines = [{"file": "a", "licence": "MIT"}, {"file": "closed", "licence": "own"}, {"file": "broken.mp4", "licence": "MIT"}]
    (clips / "index.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    told = list(label_clips(clips, Oracle(), Oracle(), out))
    assert told[:2] == ["a: 1 tracks", "closed: left out, its licence is not open"]
    assert told[2].startswith("broken.mp4: left out (")
    [track] = read_tracks(out, "train")
    picture = track.pictures[0]
    assert isinstance(picture, Stored)
    image, box = picture.read()
    centre = image[int(box.y + box.h / 2), int(box.x + box.w / 2)]
    there = clip()[picture.frame].image
    x, y = truth(picture.frame).centre
    assert np.abs(centre.astype(int) - there[int(y), int(x)]).max() < 40  # JPEG
    assert math.sqrt(box.w * box.h) == pytest.approx(math.sqrt(60 * 48), rel=0.15)


def test_clips_without_an_index_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="folder of clips"):
        next(label_clips(tmp_path, Oracle(), Oracle(), tmp_path / "out"))


def test_a_labelled_folder_stays_as_it_was_until_the_next_is_whole(tmp_path: Path) -> None:
    (tmp_path / "index.jsonl").write_text("\n".join(json.dumps({"file": name, "licence": "own"}) for name in ("a", "b")))
    out = tmp_path / "out"
    out.mkdir()
    (out / "clips.tar").write_bytes(b"of before")
    labelling = label_clips(tmp_path, Oracle(), Oracle(), out)
    next(labelling)
    labelling.close()
    assert [path.name for path in out.iterdir()] == ["clips.tar"]
    assert (out / "clips.tar").read_bytes() == b"of before"


@pytest.mark.parametrize("line", ["[1]", '{"file": "a"}'])
def test_a_clip_without_a_file_or_a_licence_is_an_error(line: str, tmp_path: Path) -> None:
    (tmp_path / "index.jsonl").write_text(line)
    with pytest.raises(BadData, match="line 1: expected one JSON object"):
        next(label_clips(tmp_path, Oracle(), Oracle(), tmp_path / "out"))


def interrupted(folder: Path, out: Path) -> None:
    """Ctrl-C after the first of two clips."""
    (folder / "index.jsonl").write_text("\n".join(json.dumps({"file": name, "licence": "own"}) for name in ("a", "b")))
    labelling = label_clips(folder, Oracle(), Oracle(), out)
    next(labelling)
    assert len(list(out.iterdir())) == 1  # something is half written
    with pytest.raises(KeyboardInterrupt):
        labelling.throw(KeyboardInterrupt())


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    interrupted(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_interrupt_leaves_a_folder_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    interrupted(tmp_path, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_what_a_killed_run_left_half_written_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "index.jsonl").write_text(json.dumps({"file": "a", "licence": "own"}))
    out = tmp_path / "out"
    out.mkdir()
    labelling = label_clips(tmp_path, Oracle(), Oracle(), out)
    next(labelling)
    [left] = out.iterdir()
    labelling.close()
    left.with_name(left.name.replace(str(os.getpid()), "1")).write_bytes(b"half of a tar")  # of a process that could not take it away
    list(label_clips(tmp_path, Oracle(), Oracle(), out))
    assert sorted(path.name for path in out.iterdir()) == ["clips.tar", "index.jsonl"]
