"""From what a user calls a tracker to one that is ready."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.cli.extras import needing
from sightline.errors import MissingExtra, WeightsMissing

if TYPE_CHECKING:
    from sightline.engines import Opening, Precision
    from sightline.tracker import Tracker

__all__ = ["Loaded", "load_by_name", "load_opening", "set_threads"]


class Loaded(NamedTuple):
    """A tracker, and how its weights are opened; None where they are random."""

    tracker: Tracker[Any]
    opening: Opening | None


def load_by_name(tracker: str, *, engine: str | None, threads: int | None, device: str = "cpu", precision: Precision = "f32") -> Loaded:
    """Load a tracker and set the number of threads wherever it counts.

    A known tracker whose weights are not here, and cannot be fetched either, gets random ones where torch is installed: a line on
    standard error says so, and where the authors publish theirs.

    Args:
        tracker: a name from the zoo, or the path of a weights file.
        engine: None for the one that reads the file, "auto" for the fastest.
        threads: None for one on each physical core that this process may use.
        device: where the network runs, as the engine names it.
        precision: what the engine computes in; the roughest that it may, with "auto".

    Raises:
        UnknownTracker, WeightsMissing, WeightsMismatch, BadSpec, EngineError, MissingExtra: what they say.
    """
    from sightline.tracker import resolve
    from sightline.weights import find

    try:
        find(tracker)
    except WeightsMissing as missing:
        return Loaded(_untrained(tracker, missing, threads, device), None)
    with needing("convert", f"tracking with {tracker}"):
        opening = resolve(tracker, engine=engine, threads=threads, device=device, precision=precision)
        return Loaded(load_opening(opening), opening)


def load_opening(opening: Opening) -> Tracker[Any]:
    """Load a tracker and set its number of threads for the whole process.

    Raises:
        WeightsMissing, WeightsMismatch, BadSpec, EngineError, MissingExtra: what they say.
    """
    from sightline.tracker import opened

    set_threads(opening.threads, torch_too=opening.is_in_torch)
    return opened(opening.sharing_threads())


def _untrained(tracker: str, missing: WeightsMissing, threads: int | None, device: str) -> Tracker[Any]:
    from sightline.tracker import untrained
    from sightline.zoo import SPECS

    if tracker not in SPECS or SPECS[tracker].origin.url:  # a path, or weights that one command would fetch
        raise missing
    try:
        set_threads(threads, torch_too=True)
        made = untrained(tracker, device=device)
    except (ModuleNotFoundError, MissingExtra):
        raise missing from None
    print(f"sightline: warning: {tracker} runs with RANDOM weights, its boxes mean nothing: {missing}", file=sys.stderr)
    return made


def set_threads(threads: int | None, *, torch_too: bool) -> None:
    """For the whole process: crops are resized by OpenCV, and torch has one number for all networks.

    Where no number is given, nothing changes, unless this process may use only a part of the machine.

    Libraries that read their number as they are loaded, numpy's linear algebra above all, follow in processes that start from now on.
    """
    from sightline.engines.cores import READ_AT_LOADING, call_threads

    threads = call_threads(threads)
    if threads is None:
        return
    import cv2

    os.environ.update(dict.fromkeys(READ_AT_LOADING, str(threads)))
    cv2.setNumThreads(threads)
    if torch_too:
        import torch

        torch.set_num_threads(threads)
