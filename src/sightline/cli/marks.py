"""How somebody says on the command line where the objects are, and the targets that follow from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.cli.arguments import box_from_text, name_from_text
from sightline.errors import BadBox, SightlineError

if TYPE_CHECKING:
    from sightline.frame import Frame
    from sightline.mark import Mark, Name
    from sightline.tracker import Tracker

__all__ = ["Marks", "marks_from", "numbers_of"]


@dataclass(frozen=True, slots=True)
class Marks:
    """Objects, in the order boxes, those of a file, points, masks. Those without a name are numbered, from 1.

    Attributes:
        boxes: those that are known before a frame is seen.
        points: x, y of each in the first frame, about the centre of an object, by its name.
        masks: files of images of the first frame's size, not black where an object is, by the names of the objects in it.
        select: the one object is drawn with the mouse in the first frame.
    """

    boxes: Sequence[Mark[Name]] = ()
    points: Mapping[Name, tuple[float, float]] = field(default_factory=dict)
    masks: Mapping[tuple[Name, ...], Path] = field(default_factory=dict)
    select: bool = False

    @property
    def names(self) -> list[Name]:
        """Of all objects, each once."""
        in_masks = [name for names in self.masks for name in names]
        return [*dict.fromkeys(mark.key for mark in self.boxes), *self.points, *in_masks, *[1] * self.select]

    @property
    def most_at_once(self) -> int:
        """How many are followed in the same frame, at most."""
        from sightline.mark import most_at_once

        return most_at_once(self.boxes) + len(self.points) + sum(len(names) for names in self.masks) + self.select

    @property
    def are_boxes(self) -> bool:
        """Nobody has to look at the first frame."""
        return not (self.points or self.masks or self.select)

    def found_in(self, frame: Frame, tracker: Tracker[Any]) -> list[Mark[Name]]:
        """All as boxes; a copy of the tracker finds the size of what a point marks.

        Raises:
            BadBox, BadImage: a point lies outside, or a mask does not fit.
            SightlineError: nothing was drawn.
        """
        from sightline.cli.masks import boxes_in
        from sightline.mark import Mark, box_from_point

        found = list(self.boxes)
        found += [Mark(name, box_from_point(tracker, frame, point)) for name, point in self.points.items()]
        for names, path in self.masks.items():
            found += [Mark(name, box) for name, box in zip(names, boxes_in(path, len(names), frame), strict=True)]
        if self.select:
            from sightline.cli.select import select_box

            found.append(Mark(1, select_box(frame)))
        return found


def numbers_of(marks: Marks) -> dict[Name, int] | None:
    """A number for each target, its name where all are called by numbers; None for a single one without a name that is followed to the end."""
    names = marks.names
    if names == [1] and all(mark == (1, mark.box, None, None) for mark in marks.boxes):
        return None
    if all(isinstance(name, int) for name in names):
        return {name: int(name) for name in names}
    return {name: number for number, name in enumerate(names, start=1)}


def marks_from(
    boxes: Sequence[str], listed: Path | None, points: Sequence[str], masks: Sequence[str], *, select: bool, source: str
) -> Marks:
    """The words of the options, and a file of boxes (of a list of many videos, the rows of `source`), as marks.

    Raises:
        BadBox: a word is not the numbers that it should be.
        BadData: the file of boxes is wrong.
        SightlineError: nothing is marked, two targets have the same name, or the mouse is asked for beside other marks.
    """
    if not (boxes or listed or points or masks or select) or (select and (boxes or listed or points or masks)):
        raise SightlineError(
            "say where the object is in the first frame: either --box X,Y,W,H in pixels, --boxes FILE, --point X,Y, --mask FILE, "
            "or --select to draw it with the mouse; --look FILE.png writes that frame to read a box from."
        )
    from sightline.mark import Mark, read_marks

    names = _Names()
    by_box = [Mark(names.take(name), box_from_text(rest)) for name, rest in map(name_from_text, boxes)]
    in_file = [] if listed is None else read_marks(listed, first=len(names.taken) + 1, source=source)
    for name in dict.fromkeys(mark.key for mark in in_file):
        names.take(str(name))
    by_point = {names.take(name): _point_from(rest) for name, rest in map(name_from_text, points)}
    by_mask = {tuple(names.take(name) for name in said.split(",")): path for said, path in map(_named_file, masks)}
    return Marks([*by_box, *in_file], by_point, by_mask, select)


class _Names:
    """Names that are taken; who brings none gets the number of his place."""

    def __init__(self) -> None:
        self.taken: list[Name] = []

    def take(self, text: str) -> Name:
        """A name as `sightline.mark.Name`, made sure of."""
        from sightline.mark import name_from

        name = name_from(text)
        name = len(self.taken) + 1 if name is None else name
        if name in self.taken:
            raise SightlineError(f"two targets are called {name}; give each a name of its own, as in --box car=120,80,40,60.")
        self.taken.append(name)
        return name


def _point_from(text: str) -> tuple[float, float]:
    words = [word for word in re.split(r"[,\s]+", text.strip()) if word]
    try:
        x, y = (float(word) for word in words)
    except ValueError:
        raise BadBox(f"--point {text!r} is not two numbers; expected X,Y in pixels, as in --point 140,110.") from None
    return x, y


def _named_file(text: str) -> tuple[str, Path]:
    """Names and file of "NAME=FILE"; a file whose own name has an equals sign is one without a name."""
    name, rest = ("", text) if Path(text).exists() else name_from_text(text)
    return name, Path(rest)
