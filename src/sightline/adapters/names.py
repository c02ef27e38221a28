"""Trackers of others by what a user writes: opencv:NAME (or NAME=FILE where it needs a network), python:MODULE:CLASS, command:WORDS."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import cv2

from sightline.adapters.classes import ClassFollower, find_class
from sightline.adapters.command import CommandFollower
from sightline.adapters.foreign import ForeignMethod
from sightline.adapters.opencv import OpenCVFollower, find_opencv, parts_of

__all__ = ["Foreign", "open_foreign"]


class Foreign(NamedTuple):
    """A tracker of others, and what can be said about what it is."""

    method: ForeignMethod
    facts: dict[str, Any]


def open_foreign(words: str) -> Foreign | None:
    """The tracker that is meant; None where the words name one of ours.

    Raises:
        UnknownTracker, EngineError: it is not there, or does not start.
    """
    kind, _, rest = words.partition(":")
    if kind == "opencv":
        find_opencv(rest)
        name, files = parts_of(rest)
        facts = {"opencv": name, "version": cv2.__version__, "files_sha256": [_sha256(file) for file in files]}
        return Foreign(ForeignMethod(f"opencv-{name}", functools.partial(OpenCVFollower, rest)), facts)
    if kind == "python":
        file = inspect.getsourcefile(find_class(rest)) if not rest.rpartition(":")[0].endswith(".py") else rest.rpartition(":")[0]
        source = _sha256(Path(file)) if file else None
        name = rest.rpartition(":")[2]
        return Foreign(ForeignMethod(name, functools.partial(ClassFollower, rest)), {"class": rest, "source_sha256": source})
    if kind == "command":
        follower = CommandFollower(rest)  # says its name, and that it runs at all
        follower.close()
        name = re.sub(r"[^\w.-]+", "-", follower.name).strip("-.") or Path(shlex.split(rest)[0]).name
        return Foreign(ForeignMethod(name, functools.partial(CommandFollower, rest)), {"command": rest, "says": follower.name})
    return None


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
