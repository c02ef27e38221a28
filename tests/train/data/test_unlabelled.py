"""Videos without labels as tracks of squares."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import numpy as np
import pytest

from sightline.draw import VideoWriter
from sightline.errors import BadData
from sightline.train.data import Image, Problems, Track, open_data
from sightline.train.data.unlabelled import EVERY, LONG_SIDE, PICTURES, SQUARES, squares_in
from sightline.train.recipe import Share
from tests.train.data import made

SHOT = EVERY * PICTURES  # frames


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def image(seed: int, level: int = 60, width: int = 96) -> Image:
    """Dim noise with a bright patch of noise in its top left quarter, which is somewhere else for another seed."""
    rng = np.random.default_rng(seed)
    picture = np.full((72, width, 3), level, np.uint8)
    picture[4 + seed % 8 : 30 + seed % 8, 4:40] = rng.integers(0, 255, (26, 36, 3))
    return picture


def video(path: Path, levels: tuple[int, ...] = (60,), frames: int = SHOT + 1, width: int = 96) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 25) as writer:
        for level in levels:
            for i in range(frames):
                writer.write(image(i, level, width))
    return path


def tracks(folder: Path, split: str = "train", problems: Problems | None = None) -> list[Track]:
    return open_data([folder], (), "val" if split == "val" else "train", problems or Problems(), labelled=False).tracks


@pytest.mark.parametrize("indexed", [True, False], ids=["index", "files"])
def test_every_video_is_cut_into_tracks_of_squares_that_stay_in_place(indexed: bool, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    for name in "abc":
        video(folder / f"{name}.mp4")
    if indexed:
        lines = [{"file": f"{name}.mp4", "modality": "thermal" if name == "b" else "visible"} for name in "abc"]
        (folder / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = tracks(folder)
    assert {track.source for track in found} == {"clips:salient", "clips:random"}
    assert {track.name.split(".")[0] for track in found} == {"a", "b"}
    assert {track.name.split(".")[0] for track in tracks(folder, "val")} == {"c"}
    assert {track.modality for track in found if track.name.startswith("b")} == {"infrared" if indexed else "visible"}
    for track in found:
        assert len(track.pictures) == PICTURES
        images, boxes = zip(*(picture.read() for picture in track.pictures), strict=True)
        assert len(set(boxes)) == 1
        assert not np.array_equal(images[0], images[-1])
        x, y, w, h = boxes[0]
        assert w == h
        assert min(x, y) >= 0
        assert x + w <= images[0].shape[1]
        assert y + h <= images[0].shape[0]


def test_a_share_chooses_salient_squares_or_random_ones(tmp_path: Path) -> None:
    video(tmp_path / "clips" / "a.mp4")
    share = Share(weight=1.0, sources=("clips:salient",))
    opened = open_data([tmp_path / "clips"], (share,), "train", Problems(), labelled=False)
    assert {track.source for track in opened.tracks} == {"clips:salient"}
    assert opened.shares == (share,)


def test_salient_squares_lie_where_something_is_seen() -> None:
    squares = squares_in([image(3), image(5)], np.random.default_rng(0))
    centres = {kind: boxes[:, :2] + boxes[:, 2:] / 2 for kind, boxes in squares.items()}
    inside = {kind: ((at > (4, 4)) & (at < (40, 38))).all(axis=1).mean() for kind, at in centres.items()}
    assert inside["salient"] > inside["random"]
    assert inside["salient"] >= 0.5
    assert len(squares["random"]) == SQUARES


def test_what_is_stored_is_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video(tmp_path / "clips" / "a.mp4")
    stored = []
    for name in ("one", "two"):
        monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / name))
        tracks(tmp_path / "clips")
        [folder] = (tmp_path / name / "clips").iterdir()
        stored.append({path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".tar"})
        assert sorted(path.name for path in folder.iterdir()) == ["clips.tar", "index.jsonl", "problems.json"]
    assert stored[0] == stored[1]


def test_videos_are_decoded_once_and_again_when_they_change(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "clips"
    video(folder / "a.mp4")
    tracks(folder)
    [kept] = (cache / "clips").iterdir()
    before = (kept / "clips.tar").stat().st_mtime_ns
    tracks(folder)
    assert (kept / "clips.tar").stat().st_mtime_ns == before
    video(folder / "b.mp4")
    tracks(folder)
    assert len(list((cache / "clips").iterdir())) == 2


def test_no_decoded_frame_is_left_for_a_worker_to_wait_for(tmp_path: Path) -> None:
    video(tmp_path / "clips" / "a.mp4")
    gc.collect()
    gc.disable()
    try:
        tracks(tmp_path / "clips")
        assert not [one for one in gc.get_objects() if type(one).__name__ == "VideoFrame"]
    finally:
        gc.enable()


def test_a_track_ends_where_another_shot_begins(tmp_path: Path) -> None:
    video(tmp_path / "clips" / "a.mp4", levels=(10, 240), frames=2 * EVERY)
    found = tracks(tmp_path / "clips")
    assert {len(track.pictures) for track in found} == {2}


def test_large_videos_are_kept_small(tmp_path: Path) -> None:
    video(tmp_path / "clips" / "a.mp4", width=600, frames=EVERY + 1)
    picture, _ = tracks(tmp_path / "clips")[0].pictures[0].read()
    assert picture.shape == (58, LONG_SIDE, 3)


def test_videos_that_cannot_be_used_are_named_every_time_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    video(folder / "a.mp4")
    video(folder / "short.mp4", frames=2)
    (folder / "broken.mp4").write_bytes(b"no video")
    for _ in range(2):
        problems = Problems()
        tracks(folder, problems=problems)
        assert list(problems.bad) == ["clips/broken.mp4", "clips/short.mp4"]
    with pytest.raises(BadData, match=r"clips/broken.mp4.*--on-bad skip"):
        tracks(folder, problems=Problems("stop"))
    (folder / "a.mp4").unlink()
    with pytest.raises(BadData, match="holds no video that can be read"):
        tracks(folder)


def test_a_wrong_line_of_the_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.jsonl").write_text('{"file": "a.mp4"}\n{"name": "b.mp4"}\n')
    with pytest.raises(BadData, match=r"index.jsonl, line 2"):
        tracks(tmp_path)


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video(tmp_path / "clips" / "a.mp4")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIGHTLINE_CACHE", str(tmp_path / "file"))
    with pytest.raises(BadData, match="SIGHTLINE_CACHE"):
        tracks(tmp_path / "clips")


def test_a_tracker_does_not_learn_from_squares(tmp_path: Path) -> None:
    video(tmp_path / "clips" / "a.mp4")
    made.own(tmp_path / "own", 2)
    problems = Problems()
    assert {track.source for track in open_data([tmp_path / "clips", tmp_path / "own"], (), "train", problems).tracks} == {"own"}
    assert any("videos without labels" in note for note in problems.notes)
    with pytest.raises(BadData, match="videos without labels"):
        open_data([tmp_path / "clips"], (), "train", Problems())
