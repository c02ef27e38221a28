"""Whether a copy of a data set is whole: sequences, annotation and images, before a tracker runs for hours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sightline.errors import VideoError
from sightline.evaluate.clips import open_dataset
from sightline.evaluate.dataset import Clip
from sightline.evaluate.layouts import LAYOUTS
from sightline.fleet import Lost, Pool
from sightline.frame.images import begins_as_image, image_size

__all__ = ["Checked", "check"]

ADVICE = " Replace or remove the file; the frames before it are good."  # to somebody who tracks
TOLD = 3  # damaged images of one sequence that are named


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes:
        dataset: its name.
        expected: sequences that the data set has; of one that names none, those that were found.
        whole: those of them without a problem.
        images: that were looked at.
        problems: of a sequence, what is missing or wrong.
        left_out: images or rows that evaluation will not use, by sequence: no problem, but worth knowing.
    """

    dataset: str
    expected: int
    whole: int
    images: int
    problems: Mapping[str, str]
    left_out: Mapping[str, int]


def check(name: str, root: Path, *, decode: bool, pool: Pool, begin: Callable[[int], None], report: Callable[[Clip], None]) -> Checked:
    """Look at every file of a data set.

    Args:
        name: key of `layouts.LAYOUTS`.
        root: the folder that the data set was unpacked to.
        decode: read and decode every image, and compare the sizes of pairs; otherwise only see that none is empty and each begins as an image does.
        pool: where to look at the images.
        begin: told the number of images before the first is looked at.
        report: called for each sequence whose images have been looked at.

    Raises:
        BadData: no such data set, or nothing of it is there.
    """
    problems: dict[str, str] = {}
    data = open_dataset(name, root, broken=problems.__setitem__)
    problems |= data.missing
    expected = len(data) + len(problems)
    begin(sum(len(clip.frames) + len(clip.extra) for clip in data))
    frames = LAYOUTS[data.name].frames
    with contextlib.closing(pool.map(partial(_images_of, decode=decode), data.clips)) as results:
        for number, found in results:
            clip = data[number]
            wrong = [f"looking at it failed: {found.reason}"] if isinstance(found, Lost) else found
            if frames.get(clip.name, len(clip.frames)) != len(clip.frames):
                wrong = [f"{len(clip.frames)} frames with a row of the annotation; the data set has {frames[clip.name]}", *wrong]
            if wrong:
                more = f"; and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
                problems[clip.name] = "; ".join(wrong[:TOLD]) + more
            report(clip)
    return Checked(
        dataset=data.name,
        expected=expected,
        whole=expected - len(problems),
        images=sum(len(clip.frames) + len(clip.extra) for clip in data),
        problems=problems,
        left_out={clip.name: clip.dropped for clip in data if clip.dropped},
    )


def _images_of(clip: Clip, *, decode: bool) -> list[str]:
    """What is wrong with the images of a sequence."""
    paths = [Path(path) for path in (*clip.frames, *clip.extra)]
    if not decode:
        return [f"{path} is empty, or no image" for path in paths if not begins_as_image(path)]
    wrong: list[str] = []
    sizes: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            sizes.append(image_size(path))
        except VideoError as error:
            sizes.append(None)
            wrong.append(str(error).removesuffix(ADVICE))
    for name, first, second in zip(clip.frames, sizes, sizes[len(clip.frames) :], strict=False):
        if first and second and first != second:
            wrong.append(f"{name} is {first[0]}x{first[1]}, and its partner {second[0]}x{second[1]}")
    return wrong
