"""From what a user calls a tracker to one that is ready."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.cli.extras import needing
from sightline.errors import MissingExtra, WeightsMissing

if TYPE_CHECKING:
    from sightline.engines import Precision
    from sightline.tracker import Tracker

__all__ = ["READ_AT_LOADING", "Loaded", "limit_of", "load_by_name", "set_threads"]

ENOUGH_OBJECTS = 5  # in the check of int8: those of a folder of ten sequences
READ_AT_LOADING = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Loaded(NamedTuple):
    """A tracker, what runs it, and the path of its weights; None where they are random."""

    tracker: Tracker[Any]
    engine: str
    weights: str | None
    precision: Precision = "f32"


def load_by_name(tracker: str, *, engine: str | None, threads: int | None, precision: Precision = "f32") -> Loaded:
    """Load a tracker and set the number of threads wherever it counts.

    A known tracker whose weights are not here, and cannot be fetched either, gets random ones where torch is installed: a line on
    standard error says so, and where the authors publish theirs. So does one where int8 was checked on few objects.

    Args:
        tracker: a name from the zoo, or the path of a weights file.
        engine: None for the one that reads the file, "auto" for the fastest.
        threads: None for one on each physical core.
        precision: what the engine computes in; the roughest that it may, with "auto".

    Raises:
        UnknownTracker, WeightsMissing, WeightsMismatch, BadSpec, EngineError, MissingExtra: what they say.
    """
    from sightline.engines import quantised
    from sightline.tracker import load, resolve
    from sightline.weights import find

    try:
        path = find(tracker)
    except WeightsMissing as missing:
        return Loaded(_untrained(tracker, missing, threads), "torch", None)
    with needing("convert", f"tracking with {tracker}"):
        chosen, precision = resolve(path, engine=engine, threads=threads, precision=precision)
        set_threads(threads, torch_too=chosen == "torch")
        number = None if chosen == "torch" else threads
        loaded = Loaded(load(tracker, engine=chosen, threads=number, precision=precision), chosen, str(path), precision)
    limit = limit_of(quantised(path, chosen)) if "int8" in precision else None
    if limit is not None:
        print(f"sightline: warning: {limit}", file=sys.stderr)
    return loaded


def limit_of(path: Path) -> str | None:
    """What has to be said of a file in int8 whose check saw few objects; None where it saw enough.

    Raises:
        WeightsMissing, WeightsMismatch: the file cannot be read.
    """
    from sightline.weights import OBJECTS_KEY, int8_in

    note = int8_in(path) or {}
    objects = note.get(OBJECTS_KEY, 0)
    if objects >= ENOUGH_OBJECTS:
        return None
    told = note.get("calibration", {}).get("from", "nothing that it names")
    return (
        f"the boxes of {path.name} were compared with those of f32 for {objects} real object{'' if objects == 1 else 's'} ({told}): "
        "nothing is known of others. `sightline quantize --calibrate` with ten sequences or more tells."
    )


def _untrained(tracker: str, missing: WeightsMissing, threads: int | None) -> Tracker[Any]:
    from sightline.tracker import untrained
    from sightline.zoo import SPECS

    if tracker not in SPECS or SPECS[tracker].origin.url:  # a path, or weights that one command would fetch
        raise missing
    try:
        set_threads(threads, torch_too=True)
        made = untrained(tracker)
    except (ModuleNotFoundError, MissingExtra):
        raise missing from None
    print(f"sightline: warning: {tracker} runs with RANDOM weights, its boxes mean nothing: {missing}", file=sys.stderr)
    return made


def set_threads(threads: int | None, *, torch_too: bool) -> None:
    """For the whole process, where a number is given: crops are resized by OpenCV, and torch has one number for all networks.

    Libraries that read their number as they are loaded, numpy's linear algebra above all, follow in processes that start from now on.
    """
    if threads is None:
        return
    import cv2

    os.environ.update(dict.fromkeys(READ_AT_LOADING, str(threads)))
    cv2.setNumThreads(threads)
    if torch_too:
        import torch

        torch.set_num_threads(threads)
