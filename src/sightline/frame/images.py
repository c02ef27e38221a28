"""Folders, patterns and lists of images, by OpenCV."""

from __future__ import annotations

import contextlib
import glob
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from sightline.errors import BadImage, VideoError
from sightline.frame.damage import JPEG, PNG, damage
from sightline.frame.picture import Frame
from sightline.frame.source import Shot, Source

__all__ = ["SUFFIXES", "begins_as_image", "image_size", "natural_order", "open_folder", "open_images", "open_pattern", "quiet_opencv"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".jp2", ".pgm", ".ppm", ".pbm")

_BEGINNINGS = {
    ".jpg": (JPEG, PNG),
    ".jpeg": (JPEG, PNG),
    ".png": (PNG, JPEG),
    ".bmp": (b"BM", JPEG, PNG),
}  # some data sets rename instead of converting
_LEVEL = threading.Lock()  # OpenCV's log level is one for the whole process


def open_folder(folder: Path) -> Source:
    """The images of a folder in natural order; other files and hidden ones are passed over.

    Raises:
        VideoError: there are none.
    """
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()]
    except OSError as error:
        raise VideoError(f"the folder {folder} cannot be read ({error.strerror}); check its permissions.") from error
    if not files:
        raise VideoError(f"the folder {folder} holds no images; expected {', '.join(SUFFIXES)}. Give the folder that holds them itself.")
    return open_images(natural_order(files), str(folder))


def open_pattern(pattern: str) -> Source:
    """The files that match a pattern, in natural order of their paths.

    Raises:
        VideoError: there are none.
    """
    files = [path for path in map(Path, glob.glob(pattern, recursive=True)) if path.is_file()]  # noqa: PTH207  Path.glob knows no absolute patterns
    if not files:
        raise VideoError(f"no file matches {pattern}; expected a pattern of images such as 'folder/*.jpg', in quotes.")
    return open_images(natural_order(files), pattern)


def open_images(paths: Sequence[Path], name: str) -> Source:
    """Images in the order given, each a frame without a time.

    Raises:
        VideoError: the list is empty, or names a file that does not exist.
    """
    if not paths:
        raise VideoError("the list of images is empty; expected at least one path.")
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise VideoError(f"{missing} does not exist or is no file; expected a list of image files.")
    shots = (Shot(i, None, partial(_read_image, path, i)) for i, path in enumerate(paths))
    return Source(name=name, fps=None, num_frames=len(paths), live=False, shots=shots, close=lambda: None)


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Paths sorted as people count: 2 before 10, letters without regard to case."""

    def key(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
        parts = re.findall(r"([0-9]+)|([^0-9]+)", str(path))
        return [(not digits, int(digits or 0), text.casefold()) for digits, text in parts], str(path)

    return sorted(paths, key=key)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image that is decoded as a whole.

    Raises:
        VideoError: it cannot be.
    """
    height, width = _pixels(path, str(path)).shape[:2]
    return width, height


def begins_as_image(path: Path) -> bool:
    """Whether a file can be read, is not empty, and begins as files of its suffix do; of suffixes other than JPEG's, PNG's and BMP's anything will do."""
    try:
        with path.open("rb") as file:
            begin = file.read(len(PNG))
    except OSError:
        return False
    return bool(begin) and begin.startswith(_BEGINNINGS.get(path.suffix.lower(), b""))


def _read_image(path: Path, index: int) -> Frame:
    """One image as a frame: turned upright by its EXIF note, deep grey stretched as `Frame.of` says.

    Deep colour keeps its upper eight bits.
    """
    where = f"frame {index} ({path})"
    image = _pixels(path, where)
    try:
        return Frame.of(image, index=index)
    except BadImage as error:
        raise VideoError(f"{where}: {error}") from error


def _pixels(path: Path, where: str) -> cv2.typing.MatLike:
    """(H, W) or (H, W, 3) BGR."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VideoError(f"{where} cannot be read ({error.strerror}).") from error
    wrong = damage(data)
    if wrong is not None:
        raise VideoError(f"{where} cannot be decoded: {wrong}. Replace or remove the file; the frames before it are good.")
    image = _decode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if image is not None and image.dtype == np.uint16 and image.ndim == 3:
        image = _decode(data, cv2.IMREAD_COLOR)
    if image is None:
        raise VideoError(
            f"{where} cannot be decoded: not an image, or a damaged one. Replace or remove the file; the frames before it are good."
        )
    return image


def _decode(data: bytes, flags: int) -> cv2.typing.MatLike | None:
    """(H, W) or (H, W, 3) BGR; None where OpenCV cannot."""
    checked = data.startswith((JPEG, PNG))  # these need no silence, and so no lock: many folders can be read at once
    with contextlib.nullcontext() if checked else quiet_opencv():
        try:
            return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error:
            return None


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from printing what it cannot read: that is said by an error."""
    with _LEVEL:
        set_level = getattr(cv2.utils, "logging", cv2).setLogLevel  # `cv2.setLogLevel` up to OpenCV 4.12
        before = set_level(0)  # silent
        try:
            yield
        finally:
            set_level(before)
