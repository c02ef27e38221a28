"""Small videos whose pictures carry their own number, so that a wrong, missing or doubled frame shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from sightline import Frame, VideoError
from sightline.frame import Image

WIDTH, HEIGHT = 144, 80
FPS = 25
MILLISECOND = Fraction(1, 1000)


def picture(number: int) -> Image:
    """(80, 144, 3) RGB: eight squares, black or white, are the bits of `number`; the corners have colours of their own."""
    image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    for bit in range(8):
        image[32:48, 8 + 16 * bit : 24 + 16 * bit] = 235 if number >> bit & 1 else 20
    image[:24, :24], image[:24, -24:], image[-24:, :24] = (220, 30, 30), (30, 220, 30), (30, 30, 220)
    return image


def number_in(image: Image) -> int:
    """The number that `picture` put there."""
    return sum(int(image[40, 16 + 16 * bit].mean() > 128) << bit for bit in range(8))


def make_video(
    path: Path,
    codec: str = "libx264",
    num_frames: int = 20,
    *,
    pix_fmt: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    index_first: bool = False,
    times_ms: Sequence[int] | None = None,
    turned: Mapping[str, int | bool] | None = None,
    noise: bool = False,
) -> Path:
    """Write `num_frames` pictures, by default 25 a second, with a key frame every 8 and frames that are stored out of order.

    Args:
        path: the suffix says which container.
        codec: an encoder of FFmpeg.
        num_frames: how many.
        pix_fmt: how pixels are stored.
        options: of the encoder.
        index_first: put the index of an .mp4 in front, so that a file that is cut off can be opened.
        times_ms: when each picture is shown; None for a constant rate.
        turned: arguments of PyAV's `set_display_rotation`.
        noise: fill the lower rows with noise, so that the file is larger.
    """
    rng = np.random.default_rng(0)
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w", options={"movflags": "faststart"} if index_first else {}) as container:
        stream = container.add_stream(codec, rate=FPS, options={"g": "8", **quiet, **(options or {})})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        if times_ms is not None:
            stream.codec_context.time_base = MILLISECOND
        if turned is not None:
            stream.set_display_rotation(**turned)  # type: ignore[arg-type]  # degrees is a number, the mirrors are flags
        for i in range(num_frames):
            image = picture(i)
            if noise:
                image[48:] = rng.integers(0, 255, (HEIGHT - 48, WIDTH, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times_ms is not None:
                frame.time_base, frame.pts = MILLISECOND, times_ms[i]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def until_it_breaks(frames: Iterator[Frame]) -> tuple[list[Frame], str]:
    """The frames before an error, and what it says; the empty text where none comes."""
    given: list[Frame] = []
    try:
        for frame in frames:
            given.append(frame)  # noqa: PERF402  those before the error are wanted
    except VideoError as error:
        return given, str(error)
    return given, ""
