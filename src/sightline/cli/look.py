"""The first frame as a picture, to read boxes from where there is no display."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2

from sightline.cli.arguments import check_suffix, is_source
from sightline.draw import ruled
from sightline.errors import SightlineError, VideoError
from sightline.frame import Moment, read
from sightline.weights import write_whole

__all__ = ["write_look"]


def write_look(source: str, path: Path, *, start: Moment) -> None:
    """Write a frame of a source with a ruler over it.

    Args:
        source: as `sightline.read` takes it, as text.
        path: .png or .jpg.
        start: number of the frame, from 0, or its time.

    Raises:
        SightlineError: another suffix, or the file cannot be written.
        VideoError: the source cannot be read.
    """
    check_suffix(path, (".png", ".jpg"), "--look")
    if is_source(path, source):
        raise SightlineError(f"--look {path} is the source itself; choose another name.")
    with contextlib.closing(read(source, start=start)) as frames:
        frame = next(iter(frames), None)
    if frame is None:
        raise VideoError(f"{source} has no frames.")
    _, content = cv2.imencode(path.suffix.lower(), cv2.cvtColor(ruled(frame.image), cv2.COLOR_RGB2BGR))
    write_whole({path: content.tobytes()})
    print(f"frame {frame.index}, {frame.width}x{frame.height} pixels: {path}")
    print("Read left, top, width and height of the object from its lines, and give them as --box.")
