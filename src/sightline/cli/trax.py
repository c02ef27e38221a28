"""`sightline trax`: one of our trackers as a program that the TraX protocol drives."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import tyro

from sightline.builtin import DEFAULT
from sightline.cli.arguments import Device, optional
from sightline.errors import SightlineError

__all__ = ["trax"]


def trax(
    *,
    tracker: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = DEFAULT,
    threads: Annotated[int, tyro.conf.arg(metavar="N")] = 1,
    engine: Annotated[str | None, optional("NAME")] = None,
    device: Device = "cpu",
) -> None:
    """Track what a driver of the TraX protocol sends on standard input, such as another toolkit.

    Example: sightline eval --tracker "command:sightline trax --tracker kestrel-nano" --dataset folder --root sequences --output results

    Args:
        tracker: a name from `sightline zoo`, or the path of a weights file.
        threads: processor threads.
        engine: what runs the network, see `sightline doctor`; chosen by the kind of weights file where not given.
        device: where the network runs, as for `sightline track`.
    """
    if threads < 1:
        raise SightlineError(f"--threads is {threads}; expected at least 1.")
    from sightline.adapters.serve import serve
    from sightline.cli.loading import load_by_name

    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as sink:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what an engine prints is no message
        serve(load_by_name(tracker, engine=engine, threads=threads, device=device).tracker, sys.stdin, sink)
