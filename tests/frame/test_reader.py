from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline import Frame, VideoError, read
from sightline.frame import FrameReader, Image
from sightline.frame.reader import AHEAD
from sightline.frame.source import Shot, Source
from tests.frame.test_images import write
from tests.frame.videos import make_video, number_in, picture


class FakeSource:
    """Shots without a file; counts what is developed, alive, and closed."""

    def __init__(self, num_frames: int | None = None, *, live: bool = False, fails_at: int | None = None) -> None:
        self.num_frames, self.live, self.fails_at = num_frames, live, fails_at
        self.num_developed = self.num_closed = 0
        self.alive: weakref.WeakSet[Frame] = weakref.WeakSet()
        self.most_alive = 0
        self.all_out, self.go_on = threading.Event(), threading.Event()

    def develop(self, index: int) -> Frame:
        if index == self.fails_at:
            raise ZeroDivisionError("a mistake in the program")
        frame = HeldFrame(np.full((2, 2, 3), index % 256, np.uint8), index)
        self.num_developed += 1
        self.alive.add(frame)
        self.most_alive = max(self.most_alive, len(self.alive))
        return frame

    def shots(self) -> Iterator[Shot]:
        index = 0
        while index != self.num_frames:
            yield Shot(index, None, partial(self.develop, index))
            index += 1
        self.all_out.set()
        if self.live:
            self.go_on.wait(20)

    def close(self) -> None:
        self.num_closed += 1

    def source(self) -> Source:
        return Source("a fake", None, self.num_frames, self.live, self.shots(), self.close)


class HeldFrame(Frame):
    """A frame that can be looked at from afar."""

    __slots__ = ("__weakref__",)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sightline reads")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    assert threads() == []
    yield
    gc.collect()
    assert threads() == []


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_video(tmp_path / "clip.mp4")


def test_leaving_the_loop_ends_the_thread(clip: Path) -> None:
    for frame in read(clip):
        assert threads() != []
        if frame.index == 3:
            break
    assert threads() == []


def test_the_end_ends_the_thread(clip: Path) -> None:
    reader = read(clip)
    assert len(list(reader)) == 20
    assert threads() == []
    assert next(reader, None) is None


def test_an_exception_in_the_loop_ends_the_thread(clip: Path) -> None:
    def fail() -> None:
        for frame in read(clip):
            assert frame.index / 0

    with pytest.raises(ZeroDivisionError):
        fail()


def test_a_reader_that_is_forgotten_ends_its_thread_and_closes_its_source() -> None:
    fake = FakeSource()
    reader = FrameReader(fake.source())
    assert next(reader).index == 0
    del reader
    assert threads() == []
    assert fake.num_closed == 1


def test_a_reader_that_was_never_asked_can_be_closed_too() -> None:
    fake = FakeSource()
    FrameReader(fake.source()).close()
    assert threads() == []
    assert fake.num_closed == 1


def test_closing_twice_does_no_harm_and_a_closed_reader_has_no_frames(clip: Path) -> None:
    with read(clip) as reader:
        next(reader)
        reader.close()
        reader.close()
        assert list(reader) == []


def test_no_more_than_the_queue_is_decoded_ahead() -> None:
    fake = FakeSource(200)
    reader = FrameReader(fake.source())
    for _ in range(200):
        assert fake.num_developed <= next(reader).index + 1 + AHEAD + 2  # in the queue, in the hand of the thread, and just taken
    assert fake.most_alive <= AHEAD + 3
    assert fake.num_developed == 200


def test_of_large_frames_fewer_are_decoded_ahead_and_never_less_than_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for frames_that_fit, ahead in ((5.5, 5), (0.5, 2)):
        monkeypatch.setattr("sightline.frame.reader.MEMORY", int(frames_that_fit * 12))  # a frame of the fake has 2 x 2 x 3 bytes
        fake = FakeSource(60)
        reader = FrameReader(fake.source())
        assert [frame.index for frame in reader] == list(range(60))
        assert fake.most_alive <= ahead + 3


def test_a_thread_that_is_ahead_waits_until_the_frames_are_taken() -> None:
    fake = FakeSource(AHEAD)
    reader = FrameReader(fake.source())
    assert fake.all_out.wait(20)
    reader.close()
    fake = FakeSource(AHEAD + 2)
    reader = FrameReader(fake.source())
    assert not fake.all_out.wait(0.2)
    next(reader)
    next(reader)
    assert fake.all_out.wait(20)
    reader.close()


def test_a_file_never_drops_a_frame_however_slow_the_reader_is() -> None:
    fake = FakeSource(30)
    reader = FrameReader(fake.source())
    fake.all_out.wait(0.1)
    assert [frame.index for frame in reader] == list(range(30))


def test_a_live_source_gives_the_newest_frame_and_its_true_number() -> None:
    fake = FakeSource(100, live=True)
    reader = FrameReader(fake.source())
    assert fake.all_out.wait(20)
    assert next(reader).index == 99
    fake.go_on.set()
    assert list(reader) == []


def test_frames_before_the_start_are_never_developed() -> None:
    fake = FakeSource(50)
    reader = FrameReader(fake.source(), start=45)
    assert reader.num_frames == 5
    assert [frame.index for frame in reader] == [45, 46, 47, 48, 49]
    assert fake.num_developed == 5


def test_closing_while_frames_are_passed_over_ends_the_thread() -> None:
    fake = FakeSource()
    FrameReader(fake.source(), start=10**12).close()
    assert fake.num_developed == 0
    assert fake.num_closed == 1


def test_an_error_comes_once_after_the_frames_before_it() -> None:
    fake = FakeSource(50, fails_at=20)
    reader = FrameReader(fake.source())
    assert [next(reader).index for _ in range(20)] == list(range(20))
    with pytest.raises(ZeroDivisionError):
        next(reader)
    assert fake.num_closed == 1
    assert list(reader) == []


def test_a_source_without_frames_says_so() -> None:
    with pytest.raises(VideoError, match="a fake has no frames"):
        next(FrameReader(FakeSource(0).source()))


def test_a_negative_start_is_refused(clip: Path) -> None:
    with pytest.raises(VideoError, match="cannot start at frame -1"):
        read(clip, start=-1)


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="the standard input is called /dev/stdin here"):
        read("-")
    with pytest.raises(VideoError, match=r"nothing\.mp4 does not exist; expected a video file, a folder or pattern"):
        read(tmp_path / "nothing.mp4")
    with pytest.raises(OSError, match="does not exist"):
        read(str(tmp_path / "nothing"))
    with pytest.raises(VideoError, match="the source is empty text"):  # and not the folder where one stands
        read("")


@pytest.mark.parametrize(
    "source",
    [None, 2.5, True, b"clip.mp4", [1, 2], [np.zeros((2, 2, 3), np.uint8)]],
    ids=["None", "float", "bool", "bytes", "numbers", "arrays"],
)
def test_what_is_no_source_is_refused(source: Any) -> None:
    with pytest.raises(VideoError, match="is no source of frames"):
        read(source)


# ---- a second source


def folder(path: Path, numbers: range, shape: tuple[int, int] | None = None) -> Path:
    for i, number in enumerate(numbers):
        image = picture(number) if shape is None else np.zeros((*shape, 3), np.uint8)
        write(path / f"{i}.png", image)
    return path


def test_an_infrared_source_is_read_in_step(tmp_path: Path) -> None:
    visible, infrared = folder(tmp_path / "v", range(12)), folder(tmp_path / "i", range(100, 112))
    reader = read(visible, infrared=infrared, start=2)
    assert reader.num_frames == 10
    pairs = [(frame.index, number_in(frame.image), number_in(second(frame))) for frame in reader]
    assert pairs == [(i, i, 100 + i) for i in range(2, 12)]


def second(frame: Frame) -> Image:
    assert frame.extra is not None
    return frame.extra


def test_two_videos_are_read_in_step(clip: Path, tmp_path: Path) -> None:
    other = make_video(tmp_path / "infrared.mkv", "libx265", 25)  # may be longer
    frames = list(read(clip, infrared=other))
    assert [(number_in(frame.image), number_in(second(frame))) for frame in frames] == [(i, i) for i in range(20)]
    assert frames[3].time == pytest.approx(0.12)


def test_an_infrared_source_that_ends_first_is_an_error_at_that_frame(tmp_path: Path) -> None:
    visible, infrared = folder(tmp_path / "v", range(6)), folder(tmp_path / "i", range(4))
    reader = read(visible, infrared=infrared)
    assert [next(reader).index for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(VideoError, match=f"infrared source {infrared} ends before frame 4 of {visible}"):
        next(reader)


def test_an_infrared_source_of_another_size_is_an_error_with_both_sizes(tmp_path: Path) -> None:
    visible, infrared = folder(tmp_path / "v", range(3)), folder(tmp_path / "i", range(3), shape=(60, 90))
    with pytest.raises(VideoError, match="frame 0 is 144x80, and 90x60 in the infrared source"):
        next(read(visible, infrared=infrared))


def test_an_infrared_source_that_breaks_is_named(tmp_path: Path) -> None:
    visible, infrared = folder(tmp_path / "v", range(6)), folder(tmp_path / "i", range(6))
    (infrared / "3.png").write_bytes(b"broken")
    reader = read(visible, infrared=infrared)
    assert [next(reader).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(VideoError, match=f"{infrared}/3.png"):
        next(reader)


def test_an_infrared_source_that_does_not_exist_is_refused(clip: Path) -> None:
    with pytest.raises(VideoError, match="does not exist"):
        read(clip, infrared="nowhere.mp4")
