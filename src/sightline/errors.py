"""Everything that Sightline raises on purpose.

    SightlineError
    ├── BadBox, BadImage, BadSpec, BadData   also ValueError     the input is wrong
    ├── WeightsMismatch                      also ValueError     the file is not that network
    ├── UnknownTracker                       also LookupError    no such name
    ├── WeightsMissing, VideoError           also OSError        a file is not there, or cannot be read or written
    ├── EngineError, NotStarted              also RuntimeError   the engine refuses, or `init` was not called
    ├── MissingExtra                         also ImportError    an optional package is not installed
    └── LittleChecked                        also UserWarning    warned of, not raised: int8 that was checked on few objects

A message is one line: what happened, with which value, what was expected, what to do next.
The command line prints it and exits with 2.
"""

from __future__ import annotations

__all__ = [
    "BadBox",
    "BadData",
    "BadImage",
    "BadSpec",
    "EngineError",
    "LittleChecked",
    "MissingExtra",
    "NotStarted",
    "SightlineError",
    "UnknownTracker",
    "VideoError",
    "WeightsMismatch",
    "WeightsMissing",
]


class SightlineError(Exception):
    """Base of everything that Sightline raises on purpose."""


class BadBox(SightlineError, ValueError):
    """A box is not four finite numbers with an area inside the frame."""


class BadImage(SightlineError, ValueError):
    """An array is not a picture that can be tracked in."""


class BadSpec(SightlineError, ValueError):
    """A tracker's description cannot be read, or contradicts itself."""


class BadData(SightlineError, ValueError):
    """A data file is wrong; the message names file and line."""


class WeightsMismatch(SightlineError, ValueError):
    """A weights file does not hold the network that was asked for.

    Attributes:
        details: one line for each tensor that does not fit, with its name; empty where it is not about single tensors.
    """

    def __init__(self, message: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.details = details

    def __reduce__(self) -> tuple[type[WeightsMismatch], tuple[str, tuple[str, ...]]]:
        return WeightsMismatch, (str(self), self.details)


class UnknownTracker(SightlineError, LookupError):
    """No tracker has that name."""


class WeightsMissing(SightlineError, OSError):
    """A weights file is not where it was expected, or is not one."""


class VideoError(SightlineError, OSError):
    """A source of frames cannot be opened, read or written; the message names the path and the frame."""


class EngineError(SightlineError, RuntimeError):
    """An engine cannot open or run a network."""


class NotStarted(SightlineError, RuntimeError):
    """`update` was called before `init`."""


class MissingExtra(SightlineError, ImportError):
    """A feature needs an optional package that is not installed."""


class LittleChecked(SightlineError, UserWarning):
    """A file in int8 is loaded whose boxes were compared with those of f32 for few objects: a warning, with a category of its own to silence or to raise."""


def first_line(error: BaseException) -> str:
    """What an error of another library says, in one line, for a message of ours; its class where it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
