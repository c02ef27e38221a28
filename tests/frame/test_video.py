from __future__ import annotations

import gc
import itertools
import socket
import threading
import wave
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from sightline import Frame, VideoError, read
from sightline.frame import Image, video
from tests.frame.videos import FPS, HEIGHT, WIDTH, make_video, number_in, picture, until_it_breaks

CASES = {  # file name: encoder, how pixels are stored
    "h264.mp4": ("libx264", "yuv420p"),
    "h264.mov": ("libx264", "yuv420p"),
    "h264.mkv": ("libx264", "yuv420p"),
    "h264.avi": ("libx264", "yuv420p"),
    "h264.ts": ("libx264", "yuv420p"),
    "raw.h264": ("libx264", "yuv420p"),
    "deep.mp4": ("libx264", "yuv420p10le"),
    "full.mp4": ("libx264", "yuv444p"),
    "h265.mp4": ("libx265", "yuv420p"),
    "h265.mkv": ("libx265", "yuv420p"),
    "mpeg4.mp4": ("mpeg4", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "mjpeg.avi": ("mjpeg", "yuvj420p"),
    "mjpeg.mov": ("mjpeg", "yuvj420p"),
    "vp8.webm": ("libvpx", "yuv420p"),
    "vp9.webm": ("libvpx-vp9", "yuv420p"),
}
MISSING = {encoder for encoder, _ in CASES.values()} - av.codecs_available


@pytest.fixture(scope="module", params=CASES)
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty numbered pictures in one of the containers and codecs."""
    encoder, pix_fmt = CASES[request.param]
    if encoder in MISSING:
        pytest.skip(f"this PyAV has no encoder {encoder}")
    return make_video(tmp_path_factory.mktemp("clips") / request.param, encoder, pix_fmt=pix_fmt)


def numbers(frames: list[Frame]) -> list[int]:
    return [number_in(frame.image) for frame in frames]


def test_every_frame_comes_once_in_order_with_its_number_and_time(clip: Path) -> None:
    with read(clip) as reader:
        frames = list(reader)
    assert numbers(frames) == list(range(20))
    assert [frame.index for frame in frames] == list(range(20))
    times = [frame.time for frame in frames]
    assert None not in times
    assert np.diff(np.array(times, float)) == pytest.approx([1 / FPS] * 19, abs=1e-6)
    if clip.suffix != ".ts":  # its clock does not begin at 0
        assert times[0] == 0
    assert not reader.live
    assert reader.fps == FPS
    assert reader.num_frames in ((20,) if clip.name != "raw.h264" else (None,))


def test_pictures_are_contiguous_rgb(clip: Path) -> None:
    frame = next(read(clip))
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    assert frame.image.shape == picture(0).shape
    assert np.abs(frame.image.astype(int) - picture(0)).mean() < 8  # lossy: a swap of colours would give 30


def test_start_counts_frames_exactly(clip: Path) -> None:
    whole = list(read(clip))
    reader = read(clip, start=13)
    frames = list(reader)
    assert [frame.index for frame in frames] == list(range(13, 20))
    assert [frame.time for frame in frames] == [frame.time for frame in whole[13:]]
    assert all(np.array_equal(frame.image, other.image) for frame, other in zip(frames, whole[13:], strict=True))
    assert reader.num_frames in (7, None)


def test_a_file_can_be_read_twice(clip: Path) -> None:
    first, second = list(read(clip)), list(read(str(clip)))
    assert all(np.array_equal(a.image, b.image) and a.time == b.time for a, b in zip(first, second, strict=True))


def test_the_last_frame_can_be_the_start(clip: Path) -> None:
    assert numbers(list(read(clip, start=19))) == [19]


def test_a_start_behind_the_end_is_refused(clip: Path) -> None:
    frames, message = until_it_breaks(read(clip, start=20))
    assert frames == []
    assert "has 20 frames, so it cannot start at frame 20; expected 0 to 19" in message


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path, suffix: str) -> None:
    times_ms = [0, 40, 50, 400, 401, 1000, 1033, 2500]
    path = make_video(tmp_path / f"clip{suffix}", num_frames=8, times_ms=times_ms)
    frames = list(read(path))
    assert numbers(frames) == list(range(8))
    assert [frame.time for frame in frames] == pytest.approx([t / 1000 for t in times_ms], abs=1e-4)


def test_frames_are_let_go_without_the_garbage_collector(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", num_frames=60)
    gc.collect()
    gc.disable()
    try:
        assert sum(1 for _ in read(path)) == 60
        assert gc.collect() < 60  # of 4K, each frame that waits for it has 12 MB
    finally:
        gc.enable()


def test_ticks_of_a_clock_are_no_rate_of_frames(tmp_path: Path) -> None:
    tick = Fraction(1, 90_000)
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.time_base = WIDTH, HEIGHT, "yuv420p", tick
        for i in range(100):
            frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            frame.time_base, frame.pts = tick, i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with read(tmp_path / "clip.mp4") as reader:
        assert reader.fps is None
        assert numbers(list(reader)) == list(range(100))


@pytest.mark.parametrize(
    "turned, upright",
    [
        ({"degrees": 90}, lambda a: np.rot90(a, 1)),
        ({"degrees": 180}, lambda a: np.rot90(a, 2)),
        ({"degrees": -90}, lambda a: np.rot90(a, -1)),
        ({"degrees": 0, "hflip": True}, lambda a: a[:, ::-1]),
        ({"degrees": 0, "vflip": True}, lambda a: a[::-1]),
        ({"degrees": 90, "hflip": True}, lambda a: np.rot90(a, 1)[:, ::-1]),
    ],
    ids=["left", "about", "right", "mirrored", "flipped", "left and mirrored"],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_turned_video_stands_upright(tmp_path: Path, suffix: str, turned: dict[str, Any], upright: Callable[[Image], Image]) -> None:
    path = make_video(tmp_path / f"clip{suffix}", num_frames=2, turned=turned)
    for frame in read(path):
        expected = upright(picture(frame.index))
        assert frame.image.shape == expected.shape
        assert frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - expected).mean() < 8  # any other position gives more than 20


def test_a_video_that_is_trimmed_without_encoding_begins_at_its_first_visible_frame(tmp_path: Path) -> None:
    source, path = make_video(tmp_path / "whole.mp4", "mpeg4"), tmp_path / "trimmed.mp4"
    with av.open(str(source)) as whole, av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as trimmed:
        stream = trimmed.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(whole.streams.video[0]):
            if packet.pts is None or packet.dts is None:
                continue
            five = int(5 / (FPS * whole.streams.video[0].time_base))  # type: ignore[operator]  # an opened file has one
            packet.pts, packet.dts, packet.stream = packet.pts - five, packet.dts - five, stream
            trimmed.mux(packet)
    frames = list(read(path))
    assert numbers(frames) == list(range(5, 20))
    assert (frames[0].index, frames[0].time) == (0, 0)


def test_a_colon_in_a_file_name_is_no_protocol(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", num_frames=2).rename(tmp_path / "at 12:30.mp4")
    assert numbers(list(read(path))) == [0, 1]


# ---- files that are broken


@pytest.mark.parametrize("name", ["cut.mp4", "cut.avi", "cut.webm", "cut.mkv"])
@pytest.mark.parametrize("share", [0.4, 0.75])
def test_a_file_that_is_cut_off_gives_the_frames_before_and_then_says_where(
    tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    path = make_video(tmp_path / name, codec, 60, index_first=name.endswith("mp4"), noise=True)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    frames, message = until_it_breaks(read(path))
    assert 60 * share - 12 < len(frames) < 60 * share + 6  # key frames are larger than others
    assert numbers(frames) == list(range(len(frames)))
    assert f"stops at frame {len(frames)}: " in message
    assert str(path) in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


def test_a_video_without_its_index_at_the_end_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov")])
    with pytest.raises(VideoError, match="is not a video, or only the beginning of one"):
        read(path)


def test_a_video_whose_index_is_cut_off_anywhere_gives_an_error_or_right_frames(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4")
    data = path.read_bytes()
    for end in range(data.rindex(b"moov"), len(data), 20):
        path.write_bytes(data[:end])
        try:
            frames, message = until_it_breaks(read(path))
        except VideoError as error:
            frames, message = [], str(error)
        assert numbers(frames) == list(range(20)) or str(path) in message


@pytest.mark.parametrize("name, codec", [("bad.mp4", "libx264"), ("bad.mkv", "libx264"), ("bad.ts", "libx264"), ("bad.avi", "mpeg4")])
def test_damage_in_the_middle_gives_the_frames_before_and_then_says_where(
    tmp_path: Path, name: str, codec: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make_video(tmp_path / name, codec, 60, noise=True)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(1).integers(0, 255, 2000, np.uint8).tobytes()
    whole = list(read(path.rename(tmp_path / f"good{path.suffix}")))
    path.write_bytes(data)
    frames, message = until_it_breaks(read(path))
    assert 10 < len(frames) < 45
    assert all(np.array_equal(frame.image, good.image) for frame, good in zip(frames, whole, strict=False))
    assert f"stops at frame {len(frames)}: " in message
    assert "damaged" in message
    assert capfd.readouterr() == ("", "")


def test_a_file_that_breaks_before_the_start_says_so(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", num_frames=60, index_first=True, noise=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    frames, message = until_it_breaks(read(path, start=50))
    assert frames == []
    assert "stops at frame" in message


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("clip.mp4", b"", "is empty"),
        ("clip.mp4", b"x,y,w,h\n1,2,3,4\n" * 50, "is not a video"),
        ("notes.txt", b"x,y,w,h\n1,2,3,4\n" * 50, "has no video stream"),
        ("groundtruth.csv", b"x,y,w,h\n1,2,3,4\n" * 50, "is not a video"),
        ("clip.mkv", bytes(5000), "is not a video"),
        ("words.srt", b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n", "has no video stream"),
    ],
)
def test_a_file_that_is_no_video_is_refused(
    tmp_path: Path, name: str, content: bytes, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(VideoError, match=reason) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "expected H.264" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_file_of_sound_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    with pytest.raises(VideoError, match="has no video stream"):
        read(tmp_path / "sound.wav")


# ---- addresses, by way of this machine's own loopback


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "PATIENCE", 0.3)


def serve(*parts: bytes, pause: threading.Event | None = None) -> Iterator[str]:
    """A TCP address that sends bytes to the first who asks, waits, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                for part in parts:
                    connection.sendall(part)
                if pause is not None:
                    pause.wait(20)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        if pause is not None:
            pause.set()
        thread.join(20)


def test_a_file_behind_http_is_read_as_a_file(tmp_path: Path) -> None:
    make_video(tmp_path / "clip.mp4")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the standard library
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with read(f"http://127.0.0.1:{server.server_port}/clip.mp4") as reader:
                assert not reader.live
                assert numbers(list(reader)) == list(range(20))
            with pytest.raises(VideoError, match="404"):
                read(f"http://127.0.0.1:{server.server_port}/other.mp4")
        finally:
            server.shutdown()


def test_a_stream_is_live_and_its_frames_keep_their_true_numbers(tmp_path: Path) -> None:
    data = make_video(tmp_path / "clip.ts", num_frames=60).read_bytes()
    for address in serve(data):
        with read(address) as reader:
            assert reader.live
            assert reader.num_frames is None
            frames = list(reader)
    assert frames[-1].index == 59
    assert numbers(frames) == [frame.index for frame in frames]
    assert all(a.index < b.index for a, b in itertools.pairwise(frames))


@pytest.mark.usefixtures("impatient")
def test_a_stream_that_stops_sending_is_an_error_after_a_while(tmp_path: Path) -> None:
    data = make_video(tmp_path / "clip.ts", num_frames=60).read_bytes()
    for address in serve(data, pause=threading.Event()):
        with pytest.raises(VideoError, match=r"no picture came for .*check the camera or the network"):
            list(read(address))


@pytest.mark.usefixtures("impatient")
def test_an_address_that_accepts_and_stays_silent_is_refused_after_a_while() -> None:
    for address in serve(pause=threading.Event()):
        with pytest.raises(VideoError, match="gave no answer"):
            read(address)


def test_an_address_that_answers_nonsense_is_refused() -> None:
    for address in serve(b"220 smtp.example ESMTP ready\r\n" * 500):
        with pytest.raises(VideoError, match="answers, but not with a video"):
            read(address)


@pytest.mark.parametrize("scheme", ["rtsp", "http", "tcp"])
def test_an_address_where_nobody_listens_is_refused_without_showing_the_password(scheme: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(VideoError, match=r"127\.0\.0\.1:1/camera cannot be opened \(Connection refused\)") as caught:
        read(f"{scheme}://{'user:secret@' if scheme != 'tcp' else ''}127.0.0.1:1/camera")
    assert "secret" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_protocol_that_nobody_knows_is_refused() -> None:
    with pytest.raises(VideoError, match="Protocol not found"):
        read("pigeon://127.0.0.1/clip.mp4")
