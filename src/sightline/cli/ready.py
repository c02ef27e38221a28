"""A tracker that is ready to run over many files, with all that says what it is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.cli.arguments import Precision
from sightline.cli.environment import version_of, versions
from sightline.cli.extras import needing
from sightline.cli.loading import load_opening, set_threads
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.evaluate.results import Maker
    from sightline.tracker import Tracker

__all__ = ["Ready", "make_ready"]

TAKES_PART = ("sightline", "numpy", "opencv-python-headless")  # in a box, besides the engine: results of other versions are made anew


class Ready(NamedTuple):
    """A loaded tracker, what it is, and what a process does before it runs there."""

    tracker: Tracker[Any]
    maker: Maker
    prepare: Callable[[], None]


def make_ready(tracker: str, *, threads: int, engine: str | None, device: str = "cpu", precision: Precision = "f32") -> Ready:
    """Load a tracker, ours or one of others, and set the number of threads here.

    Raises:
        SightlineError: it cannot be loaded, or an engine or a device is asked for where there is none to choose.
    """
    return _of_others(tracker, threads, engine, device) or _ours(tracker, threads, engine, device, precision)


def _ours(tracker: str, threads: int, engine: str | None, device: str, precision: Precision) -> Ready:
    from sightline.evaluate.results import maker_of
    from sightline.spec import spec_to_json
    from sightline.tracker import resolve

    opening = resolve(tracker, engine=engine, threads=threads, device=device, precision=precision)
    opening = replace(opening, path=opening.path.absolute())  # processes of a cluster begin in other folders
    with needing("convert", f"tracking with {tracker}"):
        loaded = load_opening(opening)
    taking_part = {name: _version(name) for name in (*TAKES_PART, opening.library)}
    maker = maker_of(loaded.spec.name, opening, spec_to_json(loaded.spec), versions=taking_part)
    return Ready(loaded, maker, functools.partial(set_threads, threads, torch_too=opening.is_in_torch))


def _of_others(tracker: str, threads: int, engine: str | None, device: str) -> Ready | None:
    from sightline.adapters.names import open_foreign
    from sightline.evaluate.results import Maker
    from sightline.tracker import Tracker

    foreign = open_foreign(tracker)
    if foreign is None:
        return None
    asked = f"--engine {engine}" if engine is not None else f"--device {device}" if device != "cpu" else None
    if asked is not None:
        raise SightlineError(f"{asked} is for networks of Sightline's; {tracker} runs by itself, so leave it out.")
    prepare = functools.partial(set_threads, threads, torch_too=False)
    prepare()
    facts = {**foreign.facts, "versions": {name: _version(name) for name in TAKES_PART}}
    return Ready(Tracker(foreign.method), Maker(foreign.method.spec.name, facts), prepare)


def _version(package: str) -> str | None:
    return versions()["sightline"] if package == "sightline" else version_of(package)
