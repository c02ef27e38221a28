"""Messages of the TraX protocol: lines of words, between a program that tracks and one that drives it. Ours speak version 1 and drive 1 to 4.

Source: the protocol's specification (Cehovin, TraX: The visual Tracking eXchange protocol and library, 2017).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from sightline.box import Box
from sightline.errors import BadData
from sightline.frame import Frame, Image, read

__all__ = [
    "Message",
    "box_from_region",
    "decode",
    "encode",
    "image_from_word",
    "is_code",
    "region_from_box",
    "version_of",
    "word_from_image",
]

PREFIX = "@@TRAX:"
MANDATORY = {"hello": 0, "initialize": 2, "frame": 1, "state": 1, "quit": 0}
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
PROPERTY = re.compile(r"([A-Za-z0-9._]{1,64})=(.*)", re.DOTALL)


class Message(NamedTuple):
    """One line: what it is, its words, and what it says by name."""

    kind: str
    words: tuple[str, ...] = ()
    named: Mapping[str, str] = {}


def encode(message: Message) -> str:
    """The line, with its end."""
    words = [*message.words, *(f"{key}={value}" for key, value in message.named.items())]
    quoted = [' "' + word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"' for word in words]
    return f"{PREFIX}{message.kind}{''.join(quoted)}\n"


def decode(line: str) -> Message | None:
    """The message of a line; None where it is something else that a program prints.

    Raises:
        BadData: an unknown message, or too few words.
    """
    if not line.startswith(PREFIX):
        return None
    kind, _, rest = line[len(PREFIX) :].strip().partition(" ")
    words = [
        re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], quoted) if plain == "" else plain
        for quoted, plain in WORD.findall(rest)
    ]
    count = MANDATORY.get(kind)
    if count is None or len(words) < count:
        raise BadData(f"{line.strip()[:80]!r} is no TraX message of version 1.")
    named = [PROPERTY.fullmatch(word) for word in words[count:]]
    return Message(kind, tuple(words[:count]), {found[1]: found[2] for found in named if found})


def region_from_box(box: Box) -> str:
    """A rectangle of the protocol."""
    return ",".join(f"{value:.4f}" for value in box)


def version_of(hello: Message) -> int:
    """Of the protocol that a program speaks, as its first message says.

    Raises:
        BadData: it is no number.
    """
    text = hello.named.get("trax.version", "1")
    if not text.isdigit():
        raise BadData(f"the version {text[:20]!r} of TraX is no number.")
    return int(text)


def is_code(text: str) -> bool:
    """Whether a region is one number, which says something other than a place."""
    return re.fullmatch(r"\s*-?\d+(\.\d*)?\s*", text) is not None


def box_from_region(text: str) -> Box:
    """A rectangle, or the bounds of a polygon.

    Raises:
        BadData: a mask, a code, or no region at all.
    """
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 4:
        return Box(*numbers)
    if len(numbers) < 6 or len(numbers) % 2:
        raise BadData(f"the region {text[:60]!r} is neither a rectangle nor a polygon; others are not read.")
    left, top = min(numbers[::2]), min(numbers[1::2])
    return Box(left, top, max(numbers[::2]) - left, max(numbers[1::2]) - top)


def word_from_image(image: Image, kinds: str, folder: Path) -> str:
    """An image as a tracker reads it: in the message where it can, or else as a PNG in `folder`, whose pixels are the same.

    Args:
        image: (H, W, 3) uint8 RGB.
        kinds: what the tracker says that it reads, such as "path;memory;".
        folder: for the file.
    """
    if "memory" in kinds.split(";"):
        return f"image:{image.shape[1]};{image.shape[0]};rgb;{base64.b64encode(np.ascontiguousarray(image).tobytes()).decode()}"
    path = folder / "frame.png"
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_PNG_COMPRESSION, 1)):
        raise BadData(f"{path} cannot be written; make room there.")
    return f"file://{path}"


def image_from_word(word: str) -> Frame:
    """The image that a message carries or points at.

    Raises:
        BadData, VideoError: it cannot be read.
    """
    if word.startswith("image:"):
        parts = word.removeprefix("image:").split(";", 3)
        try:
            width, height, pixels = int(parts[0]), int(parts[1]), base64.b64decode(parts[3])
            shape = (height, width, 3) if parts[2] == "rgb" else (height, width)
            return Frame.of(np.frombuffer(pixels, np.uint8).reshape(shape), channels="rgb")
        except (ValueError, IndexError) as error:
            raise BadData(f"the image {word[:40]!r} cannot be read ({error}); expected image:WIDTH;HEIGHT;rgb;DATA.") from None
    frames = read(word.removeprefix("file://"))
    try:
        return next(iter(frames))
    finally:
        frames.close()
