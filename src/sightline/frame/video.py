"""Video files and addresses, by PyAV."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import av.container
import av.error
import av.video
import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.stream import Disposition

from sightline.errors import VideoError
from sightline.frame.picture import Frame, Image
from sightline.frame.source import Shot, Source

__all__ = ["open_address", "open_file"]

PATIENCE = 10.0  # seconds for an address to answer, and for each picture after that
READABLE = "expected H.264, H.265, MPEG-4, Motion JPEG, VP8 or VP9 in .mp4, .mov, .mkv, .avi or .webm"
FASTEST = 1000  # frames in a second: more is no rate but the ticks of a clock, which cameras send where they know no rate
UPPER_LEFT = [0, 1, 3, 4]  # the part of a display matrix that turns and mirrors


def open_file(path: Path) -> Source:
    """A video file.

    Raises:
        VideoError: it is empty, not a video, or cannot be read; while reading: it is damaged, or ends before it should.
    """
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError(f"{path} is empty (0 bytes); {READABLE}.")
    try:
        container = av.open(f"file:{path}", metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise VideoError(f"{path} is not a video, or only the beginning of one; {READABLE}.") from error
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{path} cannot be opened ({error.strerror}).") from error
    return _source(container, str(path), live=False)


def open_address(address: str) -> Source:
    """A video that comes over a network. One without an end is live; a file behind http:// is read as a file.

    Raises:
        VideoError: nobody answers, or not with a video; while reading: no picture comes for a while.
    """
    name = re.sub(r"//[^/@]*@", "//", address)  # messages show no passwords
    options = {"rtsp_flags": "prefer_tcp"} if address.lower().startswith("rtsp") else {}
    try:
        container = av.open(address, options=options, timeout=(PATIENCE, PATIENCE), metadata_errors="replace")
    except av.error.InvalidDataError as error:
        raise VideoError(f"{name} answers, but not with a video; {READABLE}.") from error
    except av.error.ExitError as error:
        raise VideoError(f"{name} gave no answer in {PATIENCE:.0f} s; check the address, and that the camera or server is on.") from error
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{name} cannot be opened ({error.strerror}); check the address, and that the camera or server is on.") from error
    live = not re.match(r"(https?|file):", address, re.IGNORECASE) or container.duration is None
    return _source(container, name, live=live)


def _source(container: av.container.InputContainer, name: str, *, live: bool) -> Source:
    stream = next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)
    if stream is None or container.format.name == "tty":  # a .txt file is a film of letters to FFmpeg
        container.close()
        raise VideoError(f"{name} has no video stream; {READABLE}.")
    if stream.codec_context is None:  # no decoder for it
        container.close()
        raise VideoError(f"{name} holds a video of a kind that cannot be decoded here; {READABLE}.")
    # With more threads FFmpeg may hand out a picture before it knows that it is damaged (seen: about one file in a thousand),
    # and hold live ones back. A large file is then followed at the pace of that one thread where the tracker is small: benchmarks/pipeline.py.
    stream.codec_context.thread_count = 1
    rate = stream.average_rate or stream.guessed_rate
    fps = float(rate) if rate and rate <= FASTEST else None
    video = _Video(container, stream, name, fps, live)
    return Source(name=name, fps=fps, num_frames=video.num_frames(), live=live, shots=video.shots(), close=container.close)


class _Broken(Exception):
    """Why a stream cannot be read further; it becomes an error when the frames before it have been given."""


class _DamagedFrame(_Broken):
    """A frame that was decoded with pieces missing; what follows is built upon it."""


class _Video:
    """One pass over a video stream, in the order of presentation."""

    def __init__(
        self, container: av.container.InputContainer, stream: av.video.VideoStream, name: str, fps: float | None, live: bool
    ) -> None:
        self.container, self.stream, self.name, self.fps, self.live = container, stream, name, fps, live
        self.count = 0  # frames given
        self.steps: deque[int] = deque(maxlen=16)  # between the last frames, in the stream's time base
        self.last: int | None = None  # presentation time of the last frame
        self.rotation: int | None = None  # of the last frame
        self.matrix: list[int] | None = None  # how frames are turned and mirrored; None: they stand upright

    def num_frames(self) -> int | None:
        """Counted by the container, else estimated from its length."""
        if self.live:
            return None
        if self.stream.frames:
            return self.stream.frames
        if self.fps is None or self.container.duration is None:
            return None
        return round(self.container.duration / av.time_base * self.fps)

    def shots(self) -> Iterator[Shot]:
        """The frames; VideoError where the stream breaks, after all frames before that."""
        try:
            yield from self._until_the_end()
        except _Broken as broken:
            if not isinstance(broken, _DamagedFrame):
                yield from self._what_is_left()
            advice = (
                "check the camera or the network"
                if self.live
                else f"the {self.count} frames before are good: record or copy the file again, or go on with those"
            )
            raise VideoError(f"{self.name} ({self.stream.codec_context.name}) stops at frame {self.count}: {broken}; {advice}.") from broken

    def _until_the_end(self) -> Iterator[Shot]:
        num_packets, end = 0, 0.0
        for packet in self._packets():
            if packet.is_corrupt and not self.live:
                raise _Broken("the data is cut off or damaged")
            num_packets += 1
            if packet.pts is not None and packet.time_base is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            try:
                frames = self.stream.decode(packet)
            except av.error.FFmpegError as error:
                if self.live and isinstance(error, av.error.InvalidDataError):
                    continue  # something was lost on the way: the next key frame repairs it
                raise _Broken(_reason(error)) from error
            yield from self._given(frames)
        if not self.live and self._ends_early(num_packets, end):
            raise _Broken("the file ends before the video does")
        yield from self._given(self._flushed())

    def _packets(self) -> Iterator[av.Packet[av.VideoStream]]:
        try:
            for packet in self.container.demux(self.stream):
                if packet.dts is not None or packet.size > 0:  # the very last one holds nothing
                    yield packet
        except av.error.FFmpegError as error:
            raise _Broken(_reason(error)) from error

    def _flushed(self) -> list[av.VideoFrame]:
        """The frames that the decoder still holds."""
        try:
            return self.stream.decode(None)
        except av.error.FFmpegError as error:
            raise _Broken(_reason(error)) from error

    def _what_is_left(self) -> Iterator[Shot]:
        """After a break, the frames that follow without a gap: the numbers of later ones would be wrong."""
        try:
            for frame in self._flushed():
                if not self._follows(frame):
                    return
                yield from self._given([frame])
        except _Broken:
            return

    def _follows(self, frame: av.VideoFrame) -> bool:
        """Whether no frame is missing between the last one and this, as far as times tell."""
        if self._has_no_times() or frame.pts is None or self.last is None:
            return False
        return frame.pts - self.last <= 1.5 * max(self.steps, default=0)

    def _given(self, frames: list[av.VideoFrame]) -> Iterator[Shot]:
        for frame in frames:
            if frame.is_corrupt and not self.live:
                raise _DamagedFrame("the frame is damaged")
            if frame.pts is not None:
                if self.last is not None:
                    self.steps.append(frame.pts - self.last)
                self.last = frame.pts
            index, self.count = self.count, self.count + 1
            time = self._time(frame, index)
            yield Shot(index, time, partial(_develop, frame, index, time, self.name, self._turned(frame)))

    def _turned(self, frame: av.VideoFrame) -> list[int] | None:
        """The display matrix of a frame, looked up where its rotation is another one than before.

        A frame that was asked for its side data refers to itself: it stays, with all its pixels, until the garbage collector comes by.
        """
        if frame.rotation != self.rotation:
            self.rotation = frame.rotation
            matrix = frame.side_data.get("DISPLAYMATRIX")
            self.matrix = np.frombuffer(bytes(matrix), np.int32)[UPPER_LEFT].tolist() if isinstance(matrix, SideData) else None
        return self.matrix

    def _time(self, frame: av.VideoFrame, index: int) -> float | None:
        if frame.pts is not None and self.stream.time_base is not None and not self._has_no_times():
            return float(frame.pts * self.stream.time_base)
        return index / self.fps if self.fps else None

    def _has_no_times(self) -> bool:
        return self.container.format.name == "avi"  # it has a rate; what stands for times is the order of decoding

    def _ends_early(self, num_packets: int, end: float) -> bool:
        """Whether the container promises clearly more than it gave: by its index, its head, or the length of the track."""
        kind = self.container.format.name
        if "mp4" in kind:
            return num_packets < len(getattr(self.stream, "index_entries", ())) - 2  # PyAV < 17 does not show the index
        if kind == "avi":
            return num_packets < self.stream.frames - 2
        length = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", self.stream.metadata.get("DURATION", ""))
        if length is None:
            return False
        hours, minutes, seconds = map(float, length.groups())
        return end < 3600 * hours + 60 * minutes + seconds - 0.5


def _reason(error: av.error.FFmpegError) -> str:
    if isinstance(error, av.error.ExitError):
        return f"no picture came for {PATIENCE:.0f} s"
    return "the data is damaged" if isinstance(error, av.error.InvalidDataError) else str(error.strerror)


def _develop(frame: av.VideoFrame, index: int, time: float | None, name: str, matrix: list[int] | None) -> Frame:
    """A decoded frame as RGB, standing upright."""
    try:
        image = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError(f"{name}: frame {index} cannot be converted from {frame.format.name} to RGB ({error}).") from error
    if matrix is not None:
        image = _upright(image, matrix)
    return Frame(np.ascontiguousarray(image), index, time)


def _upright(image: Image, matrix: list[int]) -> Image:
    """Turn and mirror a picture as the display matrix says: (x, y) goes to (a x + c y, b x + d y). Right angles only."""
    a, b, c, d = matrix
    turned: cv2.typing.MatLike = image
    rows, columns = d, a  # negative: in reverse
    if abs(b) + abs(c) > abs(a) + abs(d):
        turned, rows, columns = cv2.transpose(image), b, c
    if rows < 0:
        turned = cv2.flip(turned, 0)
    if columns < 0:
        turned = cv2.flip(turned, 1)
    return turned.astype(np.uint8, copy=False)
