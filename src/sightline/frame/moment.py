"""When something begins or ends in a source: at a frame, by its number, or at a time."""

from __future__ import annotations

import math
import re
from typing import TypeAlias

__all__ = ["EARLY", "Moment", "Seconds", "is_after", "is_before", "moment_from", "told", "when"]

EARLY = 1e-3  # seconds: people and files write times to the millisecond, and may have rounded them up


class Seconds(float):
    """A time in a source, as `Frame.time` tells it. It means the first frame at that time or after it; one up to 1 ms earlier counts, too."""


Moment: TypeAlias = int | Seconds
"""The number of a frame, from 0, or a time."""


def moment_from(text: str) -> Moment | None:
    """A moment from what somebody writes: `300` is a frame; `12.5s`, `0:12.5` and `1:02:03.5` are times. None where it is none of these."""
    word = text.strip()
    if word.isascii() and word.isdecimal():
        return int(word)
    clock = re.fullmatch(r"(?:(\d+):(?=\d\d:))?(\d+):(\d\d?(?:\.\d*)?)", word)
    if clock:
        hours, minutes, seconds = int(clock[1] or 0), int(clock[2]), float(clock[3])
        is_clock = seconds < 60 and (minutes < 60 or clock[1] is None)
        return Seconds(3600 * hours + 60 * minutes + seconds) if is_clock else None
    plain = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+) ?s", word)
    return Seconds(plain[1]) if plain else None


def is_before(index: int, time: float | None, moment: Moment) -> bool:
    """Whether a frame comes before a moment; one without a time is before every time."""
    if isinstance(moment, Seconds):
        return (-math.inf if time is None else time) < moment - EARLY
    return index < moment


def is_after(index: int, time: float | None, moment: Moment) -> bool:
    """Whether a frame comes after a moment; one without a time is after none."""
    if isinstance(moment, Seconds):
        return (-math.inf if time is None else time) > moment + EARLY
    return index > moment


def told(moment: Moment) -> str:
    """A moment in words, for messages: "frame 300", "12.5 s"."""
    return f"{float(moment):g} s" if isinstance(moment, Seconds) else f"frame {moment}"


def when(moment: Moment) -> str:
    """When that is, in words: "in frame 300", "at 12.5 s"."""
    return f"{'at' if isinstance(moment, Seconds) else 'in'} {told(moment)}"
