"""Options that commands have in common, and what their values mean; what is wrong with one becomes one line."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import tyro

from sightline.errors import BadBox, SightlineError

if TYPE_CHECKING:
    from sightline.frame import Moment

__all__ = [
    "Device",
    "Flag",
    "Json",
    "Precision",
    "box_from_text",
    "check_folder",
    "check_place",
    "check_suffix",
    "is_source",
    "moment_from_text",
    "name_from_text",
    "numbers",
    "optional",
    "words",
]

Precision: TypeAlias = Literal["f32", "bf16", "int8", "int8+bf16"]  # as in `sightline.engines`, which help does not import
Device: TypeAlias = Annotated[str, tyro.conf.arg(metavar="cpu|cuda|cuda:1|...")]  # where a network runs, as its engine names it
Flag: TypeAlias = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]  # off where it is not given: help need not say so
Json: TypeAlias = Annotated[bool, tyro.conf.arg(name="json", help_behavior_hint="")]


def optional(metavar: str, *aliases: str) -> Any:
    """Annotation of an option that may be left out, and whose description says what happens then."""
    return tyro.conf.arg(metavar=metavar, aliases=aliases or None, help_behavior_hint="")


def is_source(path: Path, source: str) -> bool:
    """Whether a file that is to be written is the one that is read."""
    return Path(source).exists() and path.exists() and path.samefile(source)


def name_from_text(text: str) -> tuple[str, str]:
    """NAME and what follows of "NAME=...", without spaces around them; an empty name where there is no equals sign.

    Raises:
        SightlineError: there is one, and nothing before it.
    """
    name, sign, rest = (part.strip() for part in text.rpartition("="))
    if sign and not name:
        raise SightlineError(f"{text!r} has no name before the equals sign; expected NAME=..., as in --box car=120,80,40,60.")
    return name, rest


def box_from_text(text: str) -> tuple[float, float, float, float]:
    """Four numbers from "X,Y,W,H"; whether they mark something is for the frame to say.

    Raises:
        BadBox: not four numbers.
    """
    words = [word for word in re.split(r"[,\s]+", text.strip()) if word]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise BadBox(f"--box {text!r} is not four numbers; expected X,Y,W,H in pixels, as in --box 120,80,40,60.") from None
    if len(numbers) != 4:
        raise BadBox(
            f"--box {text!r} has {len(numbers)} number{'s' * (len(numbers) != 1)}; expected four, X,Y,W,H in pixels, as in --box 120,80,40,60."
        )
    x, y, w, h = numbers
    return x, y, w, h


def moment_from_text(option: str, text: str) -> Moment:
    """A frame's number or a time.

    Raises:
        SightlineError: neither.
    """
    from sightline.frame import moment_from

    moment = moment_from(text)
    if moment is None:
        raise SightlineError(f"{option} is {text}; expected the number of a frame, counted from 0, or a time as in 12.5s or 0:12.5.")
    return moment


def check_folder(path: Path, option: str) -> None:
    """Refuse a folder that could not be written to, or made, before there is anything to write: minutes may lie between.

    Raises:
        SightlineError: nothing may be written there, or something that is no folder is in the way.
    """
    found = next(place for place in (path.absolute(), *path.absolute().parents) if os.access(place, os.F_OK))
    if not found.is_dir():
        raise SightlineError(f"{option}: {found} is a file, and no folder to write to; choose another place.")
    if not os.access(found, os.W_OK | os.X_OK):
        raise SightlineError(f"{option}: nothing may be written to {found}; choose another place.")


def check_place(path: Path, option: str) -> None:
    """Refuse a file that could not be written, likewise.

    Raises:
        SightlineError: it is a folder, or a pipe or a device, whose place a file would take; or as `check_folder` says of its own.
    """
    check_folder(path.parent, option)
    if path.is_dir():
        raise SightlineError(f"{option} {path} is a folder; expected the name of a file.")
    if path.exists() and not path.is_file():
        raise SightlineError(f"{option} {path} is a pipe or a device, which a file would replace; expected the name of a file.")


def check_suffix(path: Path, accepted: Sequence[str], option: str) -> None:
    """Refuse a file name whose suffix is none of `accepted` (lower case, with the dot).

    Raises:
        SightlineError: another suffix; the message lists the accepted ones.
    """
    if path.suffix.lower() not in accepted:
        found = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise SightlineError(f"{option} {path} has {found}; expected a name that ends in {' or '.join(accepted)}.")


def words(option: str, text: str) -> list[str]:
    """Words between commas, each once.

    Raises:
        SightlineError: an empty one between others.
    """
    found = [word.strip() for word in text.split(",")] if text.strip() else []
    if not all(found):
        raise SightlineError(f"{option} {text!r} has an empty entry; expected words with commas between them.")
    return list(dict.fromkeys(found))


def numbers(option: str, text: str, *, least: int = 1) -> list[int]:
    """Whole numbers from `least` on between commas, each once.

    Raises:
        SightlineError: something else.
    """
    found = words(option, text)
    if not found or not all(word.isdecimal() and int(word) >= least for word in found):
        raise SightlineError(
            f"{option} {text!r} is not a list of numbers; expected numbers from {least} on, as in {option} {least},{least + 1}."
        )
    return list(dict.fromkeys(int(word) for word in found))
