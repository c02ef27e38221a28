"""`sightline scene`: render a clip whose truth is known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import tyro

from sightline.cli.arguments import check_suffix
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.box import Box
    from sightline.draw import VideoWriter

__all__ = ["scene"]


def scene(
    output: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="VIDEO")],
    /,
    *,
    seed: int = 0,
    frames: int = 150,
    look: Literal["visible", "thermal", "pair"] = "visible",
    target: Literal["any", "car", "drone", "ellipse", "person", "polygon"] = "car",
    width: int = 640,
    height: int = 360,
) -> None:
    """Render a clip of one moving object and write the truth beside it.

    CLIP.txt beside CLIP.mp4 holds one line x,y,w,h per frame, NaN,NaN,NaN,NaN where the object cannot be seen.

    Example: sightline scene clip.mp4 && sightline track clip.mp4 --box "$(head -1 clip.txt)" --output tracked.mp4

    Args:
        output: write the video here, as .mp4. Existing files are replaced.
        seed: another number gives another clip.
        frames: how many, at 30 per second.
        look: a colour camera, a thermal camera, or both with the same geometry: the infrared clip is then CLIP-infrared.mp4.
        target: what moves.
        width: of the frames in pixels.
        height: of the frames in pixels.
    """
    check_suffix(output, (".mp4",), "the video")
    from sightline.scene import Scene, render

    settings = Scene(seed=seed, size=(width, height), num_frames=frames, look=look, target=target)
    truth, infrared = output.with_suffix(".txt"), output.with_name(f"{output.stem}-infrared.mp4")
    with contextlib.ExitStack() as files:
        boxes = files.enter_context(_whole_file(truth))
        video = files.enter_context(_whole_video(output, settings.fps))
        second = files.enter_context(_whole_video(infrared, settings.fps)) if look == "pair" else None
        for shot in render(settings):
            boxes.write(_line(shot.box))
            video.write(shot.frame.image, shot.frame.time)
            if second is not None and shot.frame.extra is not None:
                second.write(shot.frame.extra, shot.frame.time)
    written = [output, infrared, truth] if look == "pair" else [output, truth]
    print(f"{frames} frames of {width}x{height} pixels: {', '.join(map(str, written))}")


def _line(box: Box) -> str:
    """A row of the truth; NaN is written as other tools read it."""
    return ",".join(f"{value:.3f}" for value in box).replace("nan", "NaN") + "\n"


@contextlib.contextmanager
def _whole_video(path: Path, fps: float) -> Iterator[VideoWriter]:
    """A video that takes its place when all went well, and leaves nothing behind when not: half a clip has no truth."""
    from sightline.draw import VideoWriter

    writer = VideoWriter(path, fps)
    try:
        yield writer
    except BaseException:
        writer.abort()
        raise
    writer.close()


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[TextIO]:
    """A text file that takes its place when all went well, and leaves nothing behind when not."""
    from sightline.weights import part_beside

    part = part_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        part.replace(path)
    except OSError as error:
        if isinstance(error, SightlineError):
            raise
        raise SightlineError(f"cannot write {path} ({error.strerror or error}); make room, or choose another place.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
