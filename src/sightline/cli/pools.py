"""Where a command's work runs: here, in processes, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.cli.environment import device_name, machine
from sightline.cli.extras import needing
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.fleet import Pool

__all__ = ["check_numbers", "choose_pool", "where"]


def check_numbers(workers: int | None, threads: int) -> None:
    """Refuse what is no number of processes or threads.

    Raises:
        SightlineError: less than 1.
    """
    for option, value in (("--workers", workers), ("--threads", threads)):
        if value is not None and value < 1:
            raise SightlineError(f"{option} is {value}; expected at least 1.")


def choose_pool(workers: int | None, ray: str | None, prepare: Callable[[], None], *, shared: tuple[Path, ...] = (), written: Path) -> Pool:
    """The pool that the options ask for.

    Args:
        workers: None for one, or for as many as a cluster has processors.
        ray: address of a cluster; None for this machine.
        prepare: called once in each process.
        shared: folders of data that every machine of a cluster has to see; absolute.
        written: the folder for results, likewise.

    Raises:
        MissingExtra: Ray is not installed.
    """
    from sightline.fleet import Here, Processes

    if ray is None:
        return Here() if workers in (None, 1) else Processes(workers or 1, prepare)
    with needing("ray", "--ray"):
        from sightline.fleet.cluster import Ray
    return Ray(ray, prepare, workers, shared, written)


def where(workers: int | None, ray: str | None, threads: int, device: str = "cpu") -> str:
    """The processors and threads that times are from, and the device of the network where that is another one, in words."""
    each = f"{threads} thread{'s' * (threads > 1)}"
    each += f", the network on {device_name(device)}" if device != "cpu" else ""
    if ray is not None:
        return f"a Ray cluster, {workers or 'one process per processor'} x {each}"
    return f"{machine()['processor']}, {workers or 1} x {each}"
