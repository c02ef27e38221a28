"""What every kind of source gives to the reader, and two sources in step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from sightline.errors import VideoError
from sightline.frame.picture import Frame

__all__ = ["Shot", "Source", "paired"]


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame that is not converted yet, so that passing over it is cheap.

    Attributes:
        index: number of the frame in its source, from 0.
        time: seconds, as the source says; None where it has no clock.
        develop: gives the frame; raises VideoError where it cannot be decoded.
    """

    index: int
    time: float | None
    develop: Callable[[], Frame]


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source.

    Attributes:
        name: for messages.
        fps: frames per second; None where it has no rate.
        num_frames: all its frames, counted or estimated; None where nobody knows.
        live: frames come when they come; late ones are of no use.
        shots: the frames from the first on; raises VideoError where they break off.
        close: gives files and devices back; harmless when called again.
    """

    name: str
    fps: float | None
    num_frames: int | None
    live: bool
    shots: Iterator[Shot]
    close: Callable[[], None]


def paired(visible: Source, infrared: Source) -> Source:
    """Two aligned sources as one: frame i of the second is `Frame.extra` of frame i of the first."""

    def close() -> None:
        visible.close()
        infrared.close()

    return replace(visible, live=visible.live or infrared.live, shots=_in_step(visible, infrared), close=close)


def _in_step(visible: Source, infrared: Source) -> Iterator[Shot]:
    for shot in visible.shots:
        second = next(infrared.shots, None)
        if second is None:
            raise VideoError(
                f"the infrared source {infrared.name} ends before frame {shot.index} of {visible.name}; expected two aligned sources, frame by frame."
            )
        yield Shot(shot.index, shot.time, partial(_pair, shot, second, infrared.name))


def _pair(shot: Shot, second: Shot, name: str) -> Frame:
    frame, extra = shot.develop(), second.develop()
    if frame.image.shape != extra.image.shape:
        raise VideoError(
            f"frame {frame.index} is {frame.width}x{frame.height}, and {extra.width}x{extra.height} in the infrared source {name}; "
            "expected two aligned sources of one size."
        )
    return replace(frame, extra=extra.image)
