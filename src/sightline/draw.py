"""Boxes on frames, and frames into a video file."""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import av
import av.container
import av.error
import av.video
import cv2
import numpy as np

from sightline.box import BoxLike
from sightline.errors import BadImage, VideoError
from sightline.estimate import Estimate, Status
from sightline.frame import Image
from sightline.mask import Mask

__all__ = ["COLOURS", "VIDEO_SUFFIXES", "VideoWriter", "draw", "draw_all", "label_of", "ruled"]

Colour: TypeAlias = tuple[int, int, int]
Area: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom in whole pixels

# Okabe and Ito, "Color Universal Design" (2008): told apart by people with any kind of colour vision, and in grey by lightness.
COLOURS: Mapping[Status, Colour] = {"tracked": (86, 180, 233), "uncertain": (240, 228, 66), "lost": (213, 94, 0)}
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
VEIL = 0.45  # how much of its colour a mask lays over the picture
RULES = (10, 20, 50, 100, 200, 500, 1000)  # pixels between two lines of `ruled`
SHIFT = 4  # OpenCV draws in sixteenths of a pixel

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm")
# Quick enough to stand beside a tracker, and good enough to look at: benchmarks/encoding.py sets it beside veryfast at crf 20, which takes 1.7 times
# as long for nearly the same file.
ENCODERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "h264": ("libx264", {"preset": "superfast", "crf": "22"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "30", "b": "0"}),
}
TICK = Fraction(1, 90_000)  # seconds: how finely times are written, as is usual in video
BT601, BT709 = 6, 1  # in the tables of ITU-T H.273: the matrix that PyAV converts with, and the colours of screens


def draw(
    image: Image,
    box: BoxLike | None,
    *,
    label: str | None = None,
    status: Status = "tracked",
    truth: BoxLike | None = None,
    mask: Mask | None = None,
) -> Image:
    """A copy of a frame with a box on it.

    Args:
        image: (H, W, 3) uint8 RGB; not modified.
        box: x, y, w, h in pixels, drawn on its border in the colour of `status`, with a dark rim that shows on any ground. It may
            lie partly or wholly outside; None or a box with NaN is not drawn.
        label: short text (ASCII) above the box, moved into the frame.
        status: "tracked" (blue), "uncertain" (yellow) or "lost" (red).
        truth: where the target really is, drawn thin and white underneath.
        mask: which pixels show the target, laid over them in the colour of `status`, translucent and under the lines.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        BadImage: `image` is not such an array.
    """
    _check(image, "draw on")
    canvas = np.array(image, order="C")
    _mark(canvas, box, label, status, mask, truth)
    return canvas


def draw_all(image: Image, estimates: Mapping[Any, Estimate]) -> Image:
    """A copy of a frame with the boxes and masks of several targets on it, each with its name, its status where that is not "tracked", and score.

    Labels lie over all boxes, and beside one another where there is room.

    Args:
        image: as for `draw`.
        estimates: by the targets' names.

    Returns:
        As `draw`.

    Raises:
        BadImage: as `draw`.
    """
    _check(image, "draw on")
    canvas = np.array(image, order="C")
    for estimate in estimates.values():
        _mark(canvas, estimate.box, None, estimate.status, estimate.mask)
    taken: list[Area] = []
    for name, estimate in estimates.items():
        if np.isfinite(estimate.box).all():
            label = f"{name} {label_of(estimate).removeprefix('tracked').lstrip()}".rstrip()
            taken.append(_label(canvas, estimate.box, label, COLOURS[estimate.status], taken))
    return canvas


def ruled(image: Image) -> Image:
    """A copy of a frame with lines at round numbers of pixels, to read the place of an object from: about a dozen along the longer side.

    Args:
        image: (H, W, 3) uint8 RGB; not modified.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        BadImage: `image` is not such an array.
    """
    _check(image, "draw on")
    height, width = image.shape[:2]
    step = next(step for step in RULES if step * 15 >= max(height, width) or step == RULES[-1])
    lines = np.array(image, order="C")
    for at in range(step, width, step):
        lines[:, at] = WHITE if lines[:, at].mean() < 128 else BLACK
    for at in range(step, height, step):
        lines[at, :] = WHITE if lines[at, :].mean() < 128 else BLACK
    canvas = cv2.addWeighted(image, 0.55, lines, 0.45, 0.0)
    thickness = _thickness(image)
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.2 * thickness
    places = [(str(at), (at + 1, 6 * thickness)) for at in range(step, width, step)]
    places += [(str(at), (1, at + 6 * thickness)) for at in range(step, height, step)]
    for text, place in places:
        for colour, stroke in ((BLACK, thickness + 1), (WHITE, max(1, thickness // 2))):  # a dark rim shows on any ground
            cv2.putText(canvas, text, place, font, scale, colour, stroke, cv2.LINE_AA)
    return np.asarray(canvas, np.uint8)


def label_of(estimate: Estimate) -> str:
    """Status and score, in short."""
    return estimate.status if math.isnan(estimate.score) else f"{estimate.status} {estimate.score:.2f}"


def _mark(canvas: Image, box: BoxLike | None, label: str | None, status: Status, mask: Mask | None, truth: BoxLike | None = None) -> None:
    """Draw one target into `canvas`."""
    thickness = _thickness(canvas)
    if mask is not None:
        _veil(canvas, mask, COLOURS[status])
    if truth is not None and np.isfinite(truth).all():
        _rectangle(canvas, truth, BLACK, thickness // 2 + 2)
        _rectangle(canvas, truth, WHITE, thickness // 2)
    if box is not None and np.isfinite(box).all():
        _rectangle(canvas, box, BLACK, thickness + 2)
        _rectangle(canvas, box, COLOURS[status], thickness)
        if label:
            _label(canvas, box, label, COLOURS[status])


def _check(image: Image, what: str) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise BadImage(f"cannot {what} {image.dtype} {image.shape}; expected uint8 (height, width, 3), RGB.")


def _veil(canvas: Image, mask: Mask, colour: Colour) -> None:
    """Tint the pixels of `canvas` that show the target."""
    shown = mask.shows((canvas.shape[1], canvas.shape[0]))
    x, y, w, h = cv2.boundingRect(shown.view(np.uint8))  # the rest of a large frame is not looked at
    part, inside = canvas[y : y + h, x : x + w], shown[y : y + h, x : x + w]
    part[inside] = np.rint((1 - VEIL) * part[inside] + VEIL * np.array(colour)).astype(np.uint8)


def _rectangle(canvas: Image, box: BoxLike, colour: Colour, thickness: int) -> None:
    """Draw the border of a box into `canvas`, anti-aliased."""
    height, width = canvas.shape[:2]
    x, y, w, h = (float(value) for value in box)
    margin = 2 * thickness  # what lies further outside is not seen, and might not fit into OpenCV's integers
    corners = np.clip([(x, y), (x + w, y + h)], -margin, [width + margin, height + margin])
    first, second = np.rint((corners - 0.5) * (1 << SHIFT)).astype(int).tolist()  # OpenCV counts from the middle of pixel (0, 0)
    cv2.rectangle(canvas, first, second, colour, thickness, cv2.LINE_AA, SHIFT)


def _thickness(canvas: Image) -> int:
    """Pixels of the lines of boxes: more in larger frames."""
    size: tuple[int, int] = canvas.shape[:2]
    return max(2, round(min(size) / 360))


def _label(canvas: Image, box: BoxLike, label: str, colour: Colour, taken: Sequence[Area] = ()) -> Area:
    """Write a label into `canvas`, always inside the frame as far as it fits, and tell what it covers.

    Above the box; where that is `taken`, below it, inside at the top or the bottom, and above after all.
    """
    height, width = canvas.shape[:2]
    label = label.encode("utf-8", "backslashreplace").decode()  # bytes that are no text end the process in OpenCV
    thickness = _thickness(canvas)
    font, scale, stroke, pad = cv2.FONT_HERSHEY_SIMPLEX, 0.22 * thickness, max(1, thickness // 2), thickness + 1
    (text_width, text_height), below = cv2.getTextSize(label, font, scale, stroke)
    full_width, full_height = text_width + 2 * pad, text_height + below + 2 * pad
    x, y, _, h = (float(value) for value in box)
    left = int(np.clip(x - thickness / 2, 0, max(width - full_width, 0)))
    above, under = y - thickness / 2 - full_height, y + h + thickness / 2
    places = (above, under, y + thickness / 2, under - thickness - full_height, above)
    areas = [
        (left, top, left + full_width, top + full_height) for top in (int(np.clip(at, 0, max(height - full_height, 0))) for at in places)
    ]
    area = next((area for area in areas if not any(_meet(area, other) for other in taken)), areas[-1])
    cv2.rectangle(canvas, area[:2], (area[2] - 1, area[3] - 1), colour, cv2.FILLED)
    cv2.putText(canvas, label, (left + pad, area[1] + pad + text_height), font, scale, BLACK, stroke, cv2.LINE_AA)
    return area


def _meet(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


class VideoWriter:
    """A video file, written frame by frame: H.264 (VP9 in .webm), 4:2:0, with its index in front: browsers play it.

    It grows under another name in the same folder and is moved to its place by `close`, so what stands there is always complete.
    Leaving a `with` block closes it, after Ctrl-C and errors too: the frames so far are a playable file. Where no frame was
    written there is no file.

    Args:
        path: .mp4, .mov, .mkv, .avi or .webm; its folder is made where it is missing.
        fps: frames per second, for frames without a time.
        size: width and height of the picture; None for those of the first frame. Frames of another size are scaled to fit, with
            black bars. An odd side gets one more column on the right or row at the bottom (the last one again), as 4:2:0 asks
            for; positions in the picture stay the same.
        codec: "h264" or "vp9"; None for H.264, and for VP9 in .webm.

    Raises:
        VideoError: a suffix, codec, rate or size that is not possible, or a folder that cannot be made.
    """

    def __init__(self, path: str | Path, fps: float, size: tuple[int, int] | None = None, codec: str | None = None) -> None:
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        self._encoder = _encoder(self.path, codec or ("vp9" if suffix == ".webm" else "h264"))
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise VideoError(f"cannot write {path} with {fps} frames per second; expected more than 0 and at most 1000.")
        if size is not None and min(size) < 1:
            raise VideoError(f"cannot write {path} in the size {size}; expected width and height in pixels.")
        _make_folder(self.path)
        self._step = 1 / Fraction(fps).limit_denominator(10_000)  # seconds
        self._tick = self._step if suffix == ".avi" else TICK  # .avi has a rate and no times
        self._size = size
        self._part = self.path.with_name(f".{self.path.stem}.{secrets.token_hex(4)}{self.path.suffix}")  # FFmpeg goes by the suffix
        self._container: av.container.OutputContainer | None = None
        self._stream: av.video.VideoStream | None = None
        self._began: float | None = None  # time of the first frame in its source, less its time in the file
        self._next = Fraction(0)  # seconds: the next frame, where it has no time of its own
        self._ticks = -1  # the last frame
        self._is_over = False

    def write(self, image: Image, time: float | None = None) -> None:
        """Append a frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            time: seconds in its source, growing; the file begins at 0. None for 1 / fps after the frame before. An .avi file has
                no times: its frames are 1 / fps apart.

        Raises:
            BadImage: `image` is not such an array.
            VideoError: the disk is full, or the like: the file is given up and removed.
        """
        _check(image, "write")
        if self._is_over:
            raise VideoError(f"{self.path} is closed; open another writer.")
        with self._given_up_on_failure():
            if self._stream is None or self._container is None:
                self._container, self._stream = self._open((image.shape[1], image.shape[0]))
            frame = av.VideoFrame.from_ndarray(self._fitted(image), format="rgb24").reformat(format="yuv420p")
            frame.time_base, frame.pts = self._tick, self._advance(time)
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file and move it to its place; harmless when called again.

        Raises:
            VideoError: the rest finds no room; nothing is left.
        """
        if self._is_over:
            return
        with self._given_up_on_failure():
            if self._container is not None and self._stream is not None:
                self._container.mux(self._stream.encode(None))
                self._container.close()
                self._part.replace(self.path)
        self._is_over = True

    def abort(self) -> None:
        """Give up and remove what was written; an older file of that name stays. Harmless when called again."""
        if self._is_over:
            return
        self._is_over = True
        if self._container is not None:
            with contextlib.suppress(av.error.FFmpegError, OSError):  # it tries to write the end
                self._container.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    @contextlib.contextmanager
    def _given_up_on_failure(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            self.abort()
            reason = error.strerror or error
            raise VideoError(
                f"cannot write the video {self.path} ({reason}); nothing of it was left. Make room, or choose another place."
            ) from error

    def _open(self, size: tuple[int, int]) -> tuple[av.container.OutputContainer, av.video.VideoStream]:
        """The file and its stream, when the first frame has come."""
        self._size = self._size or size
        name, options = self._encoder
        is_indexed_last = self.path.suffix.lower() in (".mp4", ".mov")
        container = av.open(f"file:{self._part}", "w", options={"movflags": "+faststart"} if is_indexed_last else {})
        self._container = container  # to be closed from here on
        no_reordering = {"bf": "0"} if self.path.suffix.lower() == ".avi" else {}
        stream = container.add_stream(name, rate=1 / self._step, options={**options, **no_reordering})
        assert isinstance(stream, av.video.VideoStream)
        stream.width, stream.height = (side + side % 2 for side in self._size)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.colorspace, context.color_primaries, context.color_trc = BT601, BT709, BT709
        return container, stream

    def _fitted(self, image: Image) -> Image:
        """A picture in the size of the video, scaled with black bars where it has another one, then made even."""
        assert self._size is not None
        width, height = self._size
        picture: cv2.typing.MatLike = image
        if (image.shape[1], image.shape[0]) != self._size:
            scale = min(width / image.shape[1], height / image.shape[0])
            inner = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
            picture = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
            sides = (top, height - inner[1] - top, left, width - inner[0] - left)
            picture = cv2.copyMakeBorder(picture, *sides, cv2.BORDER_CONSTANT, value=BLACK)
        if width % 2 or height % 2:
            picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        return np.ascontiguousarray(picture, np.uint8)

    def _advance(self, time: float | None) -> int:
        """When the next frame is shown, in ticks; later than the one before, whatever its time says."""
        if time is not None and self._tick == TICK:
            if self._began is None:
                self._began = time - float(self._next)
            self._next = Fraction(time - self._began)
        self._ticks = max(round(self._next / self._tick), self._ticks + 1)
        self._next += self._step
        return self._ticks


def _encoder(path: Path, codec: str) -> tuple[str, Mapping[str, str]]:
    """The encoder for a file; VideoError where it does not fit, or is not installed."""
    suffix = path.suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        found = f"the suffix {path.suffix!r}" if suffix else "no suffix"
        raise VideoError(f"cannot write the video {path}, which has {found}; expected a name that ends in {', '.join(VIDEO_SUFFIXES)}.")
    if codec not in ENCODERS or (codec == "h264" and suffix == ".webm") or (codec == "vp9" and suffix == ".avi"):
        raise VideoError(f"cannot write {codec} into {path}; expected h264 in .mp4, .mov, .mkv, .avi or vp9 in .webm, .mkv, .mp4, .mov.")
    name, options = ENCODERS[codec]
    if name not in av.codecs_available:
        raise VideoError(
            f"cannot write {path}: this PyAV has no encoder {name}; install the one from PyPI: pip install --force-reinstall av."
        )
    return name, options


def _make_folder(path: Path) -> None:
    """Make the folder of a file."""
    if path.is_dir():
        raise VideoError(f"cannot write the video {path}: it is a folder; expected the name of a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VideoError(f"cannot make the folder {path.parent} for a video ({error.strerror}); choose another place.") from error
