"""`sightline check`: whether a copy of a data set is whole."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sightline.cli.arguments import Flag, Json
from sightline.cli.progress import progress_bar
from sightline.errors import BadData, SightlineError

if TYPE_CHECKING:
    from sightline.evaluate.dataset import Clip

__all__ = ["check"]

SHOWN = 20  # of a long list; --json has all


def check(
    *,
    dataset: Annotated[str, tyro.conf.arg(metavar="NAME")],
    root: Annotated[Path, tyro.conf.arg(metavar="DIR")],
    decode: Flag = False,
    workers: Annotated[int, tyro.conf.arg(metavar="N")] = 1,
    as_json: Json = False,
) -> None:
    """Look whether a data set is all there: sequences, annotation and images.

    Sequences are held against the benchmark's list, images against the annotation. Everything that is missing or damaged is
    listed, and the exit code is 2 then. Nothing is changed.

    Example: sightline check --dataset lasot --root LaSOT --decode --workers 8

    Args:
        dataset: as for `sightline eval`.
        root: the folder that the data set was unpacked to.
        decode: decode every image to its end, which takes about as long as tracking; otherwise each is only opened.
        workers: processes to spread the sequences over.
        as_json: print one JSON object on standard output, and nothing else there.
    """
    if workers < 1:
        raise SightlineError(f"--workers is {workers}; expected at least 1.")
    from sightline.evaluate.check import check as look
    from sightline.fleet import Here, Processes

    with progress_bar() as bar:
        task = bar.add_task(dataset, total=None)

        def advance(clip: Clip) -> None:
            bar.update(task, advance=len(clip.frames) + len(clip.extra), description=clip.name)

        pool = Here() if workers == 1 else Processes(workers)
        found = look(dataset, root, decode=decode, pool=pool, begin=lambda total: bar.update(task, total=total), report=advance)
    if as_json:
        print(json.dumps(dataclasses.asdict(found), indent=1))
    else:
        for name, problem in list(found.problems.items())[:SHOWN]:
            print(f"{name}: {problem}")
        if len(found.problems) > SHOWN:
            print(f"... and {len(found.problems) - SHOWN} more (--json lists all)")
        for name, count in list(found.left_out.items())[:SHOWN]:
            print(f"note: {name}: {count} images or rows have no partner and are left out")
        how = "decoded" if decode else "opened, not decoded (--decode does)"
        print(f"{found.dataset}: {found.whole} of {found.expected} sequences are whole; {found.images} images {how}.")
    if found.problems:
        raise BadData(f"{len(found.problems)} of {found.expected} sequences of {found.dataset} are missing or damaged.")
