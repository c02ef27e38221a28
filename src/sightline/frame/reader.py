"""Frames of any source, decoded ahead in one thread and in constant memory."""

from __future__ import annotations

import glob
import os
import re
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from sightline.errors import VideoError
from sightline.frame.moment import Moment, Seconds, is_before, told
from sightline.frame.picture import Frame
from sightline.frame.source import Shot, Source, paired

__all__ = ["AHEAD", "FrameReader", "SourceLike", "read"]

SourceLike: TypeAlias = str | int | Path | Sequence[str | Path]

AHEAD = 8  # frames decoded before they are asked for
MEMORY = 64 << 20  # bytes that they may take together, though two may in any case: 4K has 24 MiB a frame, 8K 95
PATIENCE = 2.0  # seconds for the thread to end; one that waits for a camera or a network ends by its own time limit


def read(source: SourceLike, *, start: Moment = 0, infrared: SourceLike | None = None) -> FrameReader:
    """Open a source of frames.

    Args:
        source: a video file; a folder of images or a pattern such as "img/*.jpg" (natural order: 2 before 10); a list of images
            (in the order given); one image; the number of a camera (0 or "0"); an address (rtsp://, http://, udp://, tcp://).
        start: the first frame to give, counted from 0, or `Seconds`; those before it are decoded and dropped, so the number is exact.
        infrared: a second source, aligned with the first: its frame i becomes `Frame.extra` of frame i.

    Returns:
        An iterator of `Frame`. Files give every frame; cameras and addresses without an end give the newest one and drop what
        came in between. `Frame.index` is the true number of the frame in either case.

    Raises:
        VideoError: the source cannot be opened; while iterating: it breaks off (after all frames before the break), has no frame
            `start` (or no clock, where that is a time), or the infrared source ends first or has another size.
    """
    if start < 0:
        raise VideoError(f"cannot start at {told(start)}; expected a number from 0 on.")
    opened = _open(source)
    if infrared is not None:
        try:
            opened = paired(opened, _open(infrared))
        except VideoError:
            opened.close()
            raise
    return FrameReader(opened, start)


class FrameReader(Iterator[Frame]):
    """Frames of one source, one after the other; closes itself at the end, on an error, and when nobody holds it any more.

    Attributes:
        name: the source, for messages.
        fps: frames per second, of a variable rate the mean; None where the source has no rate (images).
        num_frames: how many frames it gives in all, from `start` on, counted or estimated; None where nobody knows.
        live: a camera or a stream: frames that come too fast are dropped.
        each: called for each frame that is given; does nothing unless somebody sets it.
        decode_seconds: processor time that the frame given last took to read and decode, in the thread that does; 0 before the first.
    """

    def __init__(self, source: Source, start: Moment = 0) -> None:
        self.name = source.name
        self.fps = source.fps
        self.num_frames = _num_frames(source, start)
        self.live = source.live
        self.each: Callable[[], None] = lambda: None
        self.decode_seconds = 0.0
        self._queue = _Queue(source.live)
        # The thread knows the queue and not the reader: a reader that nobody holds is collected, and the thread told to end.
        thread = threading.Thread(
            target=_decode_ahead, args=(source, start, self._queue), name=f"sightline reads {source.name}", daemon=True
        )
        self._close = weakref.finalize(self, _end, self._queue, thread)
        thread.start()

    def __next__(self) -> Frame:
        try:
            decoded = self._queue.get()
        except Exception:
            self.close()
            raise
        if decoded is None:
            self.close()
            raise StopIteration
        frame, self.decode_seconds = decoded
        self.each()
        return frame

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and give the source back; harmless when called again. A closed reader has no more frames."""
        self._close()


class _Queue:
    """Hands frames from the decoding thread to the reader; either side waits without spinning.

    A file's queue holds AHEAD frames, or as many large ones as MEMORY does, then `put` waits. A live one holds the newest frame only.
    """

    def __init__(self, live: bool) -> None:
        self.stopped = False
        self._live = live
        self._frames: deque[tuple[Frame, float]] = deque()
        self._ended = False
        self._error: Exception | None = None
        self._changed = threading.Condition()

    def put(self, frame: Frame, seconds: float) -> None:
        most = _most_ahead(frame)
        with self._changed:
            if self._live:
                self._frames.clear()
            self._changed.wait_for(lambda: self.stopped or len(self._frames) < most)
            if not self.stopped:
                self._frames.append((frame, seconds))
                self._changed.notify_all()

    def get(self) -> tuple[Frame, float] | None:
        """The next frame and the seconds that it took; None after the last. An error of the thread is raised once, after the frames before it."""
        with self._changed:
            self._changed.wait_for(lambda: self.stopped or self._ended or self._frames)
            if self.stopped:
                return None
            if self._frames:
                self._changed.notify_all()
                return self._frames.popleft()
            error, self._error = self._error, None
        if error is not None:
            raise error
        return None

    def end(self, error: Exception | None) -> None:
        """No frames follow."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def stop(self) -> None:
        """No frames are wanted."""
        with self._changed:
            self.stopped = True
            self._frames.clear()
            self._changed.notify_all()


def _most_ahead(frame: Frame) -> int:
    """How many frames of that size wait."""
    size = frame.image.nbytes + (0 if frame.extra is None else frame.extra.nbytes)
    return min(AHEAD, max(2, MEMORY // size))


def _decode_ahead(source: Source, start: Moment, queue: _Queue) -> None:
    """Fill the queue, until the source ends or the reader does; what goes wrong is raised where the frames are asked for."""
    failure: Exception | None = None
    try:
        last, is_given, began = None, False, time.thread_time()
        for shot in source.shots:
            if queue.stopped:
                break
            last, is_given = shot, is_given or not is_before(shot.index, shot.time, start)
            if isinstance(start, Seconds) and shot.time is None:
                raise VideoError(f"{source.name} has no clock, so it cannot start at {told(start)}; give the number of a frame.")
            if is_given:
                frame, now = shot.develop(), time.thread_time()
                queue.put(frame, now - began)
                began = now
        if not is_given and not queue.stopped:
            raise VideoError(_too_short(source.name, last, start))
    except Exception as error:  # noqa: BLE001  raised again where the frames are asked for, whatever it is
        failure = error
    finally:
        source.close()
        queue.end(failure)


def _num_frames(source: Source, start: Moment) -> int | None:
    """How many frames are given, from `start` on; None where nobody knows."""
    if source.num_frames is None or (isinstance(start, Seconds) and source.fps is None):
        return None
    skipped = round(start * (source.fps or 1.0)) if isinstance(start, Seconds) else start
    return max(source.num_frames - skipped, 0)


def _too_short(name: str, last: Shot | None, start: Moment) -> str:
    if last is None:
        return f"{name} has no frames: nothing in it could be decoded."
    if isinstance(start, Seconds):
        return f"{name} has its last frame at {last.time:.3f} s, so it cannot start at {told(start)}."
    return f"{name} has {last.index + 1} frames, so it cannot start at frame {start}; expected 0 to {last.index}."


def _end(queue: _Queue, thread: threading.Thread) -> None:
    queue.stop()
    if thread is not threading.current_thread():  # the garbage collector runs in any thread
        thread.join(PATIENCE)


def _open(source: SourceLike) -> Source:
    """Find out what kind of source it is, and open it. The kinds are imported when needed: a tracker alone needs no video library."""
    if isinstance(source, int) and not isinstance(source, bool):
        from sightline.frame.camera import open_camera

        return open_camera(source)
    if isinstance(source, str | Path):
        return _open_text(source)
    if isinstance(source, Sequence) and all(isinstance(path, str | os.PathLike) for path in source):
        from sightline.frame.images import open_images

        return open_images([Path(path) for path in source], f"a list of {len(source)} images")
    raise VideoError(
        f"{source!r} is no source of frames; expected a path, a pattern, a list of images, the number of a camera or an address. "
        "Pictures that are in memory need no reader: give them to the tracker one by one."
    )


def _open_text(source: str | Path) -> Source:
    """A source that is written as text."""
    text, path = str(source), Path(source)
    if not text.strip():
        raise VideoError(
            "the source is empty text, as a variable that nobody has set; expected a path, the number of a camera or an address."
        )
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", text):
        from sightline.frame.video import open_address

        return open_address(text)
    if isinstance(source, str) and re.fullmatch(r"[0-9]+", text):
        return _open(int(text))
    from sightline.frame.images import SUFFIXES, open_folder, open_images, open_pattern

    if path.is_dir():
        return open_folder(path)
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return open_images([path], text)
    if path.exists():
        from sightline.frame.video import open_file

        return open_file(path)
    if glob.has_magic(text):
        return open_pattern(text)
    if text == "-":
        raise VideoError(
            "the standard input is called /dev/stdin here, as in `ffmpeg ... | sightline track /dev/stdin ...`; a file has a name."
        )
    raise VideoError(f"{text} does not exist; expected a video file, a folder or pattern of images, the number of a camera, or an address.")
