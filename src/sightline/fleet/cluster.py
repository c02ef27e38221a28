"""A Ray cluster (extra `ray`): many machines that see the same files."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import secrets
import socket
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import ray

from sightline.errors import BadData, SightlineError, first_line
from sightline.fleet.pool import Due, Lost

__all__ = ["Ray", "check_files"]

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = 5  # seconds until a machine that does not answer counts as absent


@dataclass(frozen=True, slots=True)
class Ray:
    """Items are handed to the actors of a cluster, one at a time each; an actor takes one processor.

    Functions, items and results travel pickled. An actor that dies, alone or with its node, loses the item that it works on, and another one gets
    it. Actors end with the process that called `map`, however that ends.

    Attributes:
        address: "host:port" of a cluster; "auto" for the one that `ray start --head` started on this machine; "local" to start one
            in this process and for it alone.
        prepare: called once in each actor, before anything else: to set its number of threads.
        count: of actors, at most; None for as many as the cluster has processors.
        shared: files and folders that every machine has to see under the same path; of folders, with all that is in them here.
        written: a folder for results, which every machine has to see under the same path; a hidden file in it tells, while `map` runs,
            whether they do.
    """

    address: str
    prepare: Callable[[], None] | None = None
    count: int | None = None
    shared: tuple[Path, ...] = ()
    written: Path | None = None

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Generator[tuple[int, R | Lost], None, None]:
        """See `Pool.map`.

        Raises:
            SightlineError: no cluster answers at the address.
            BadData: a machine of it does not see `shared` or `written`, or has others under the same path.
        """
        due = Due(len(items))
        if not due:
            return
        with _connected(self.address, self.count), contextlib.ExitStack() as stack:
            mark = None if self.written is None else str(stack.enter_context(_marked(self.written)))
            seen = {str(path): _names(path) for path in self.shared}
            kept = ray.put(function)
            actors: list[Any] = []
            stack.callback(lambda: [ray.kill(actor) for actor in actors])
            busy: dict[Any, tuple[Any, int]] = {}

            def hand(actor: Any) -> None:
                number = due.take()
                busy[actor.work.remote(items[number])] = actor, number

            while due or busy:
                while due and len(actors) < min(self._room(), len(due) + len(busy)):
                    actors.append(_actor().remote(kept, self.prepare, seen, mark))
                    hand(actors[-1])
                [done], _ = ray.wait(list(busy), num_returns=1)
                actor, number = busy.pop(done)
                try:
                    value = ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    raise (error.cause if isinstance(error.cause, Exception) else error) from None
                except ray.exceptions.RayError as error:
                    actors.remove(actor)
                    if (lost := due.again(number, type(error).__name__)) is not None:
                        yield number, lost
                    continue
                if due:
                    hand(actor)
                else:
                    actors.remove(actor)
                    ray.kill(actor)
                yield number, value

    def _room(self) -> int:
        """How many actors the cluster, as large as it is now, has processors for."""
        processors = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]  # Ray says nothing of its types here
        return max(1, processors if self.count is None else min(self.count, processors))


class _Actor:
    """What runs on one processor of the cluster."""

    def __init__(
        self, function: Callable[[Any], Any], prepare: Callable[[], None] | None, seen: Mapping[str, frozenset[str]], mark: str | None
    ) -> None:
        self.function, self.prepare, self.seen, self.mark = function, prepare, seen, mark
        self.prepared = False

    def work(self, item: Any) -> Any:
        """One item. What is wrong with the machine is told here: an actor that does not begin only counts as dead."""
        if not self.prepared:
            check_files(self.seen, self.mark)
            if self.prepare is not None:
                self.prepare()
            self.prepared = True
        return self.function(item)


def check_files(seen: Mapping[str, frozenset[str]], mark: str | None) -> None:
    """Refuse a machine that has other files than the one that hands out the items.

    Args:
        seen: files and folders of data, and the names in them there.
        mark: a file that was made there in the folder for results.

    Raises:
        BadData: names the machine and the folder.
    """
    for path, names in seen.items():
        here = _names(Path(path))
        if lacking := sorted(names - here):
            raise BadData(_unshared(path, f"another folder, without {lacking[0]}" if here else "nothing there"))
    if mark is not None and not Path(mark).exists():
        raise BadData(_unshared(str(Path(mark).parent), "another folder, or none"))


def _unshared(path: str, instead: str) -> str:
    return (
        f"the machine {platform.node()} of the cluster does not see {path}, but {instead}; "
        "every machine has to see data and results under the same path, as on a network drive."
    )


def _names(path: Path) -> frozenset[str]:
    """What is in a folder, or the file itself; nothing where there is neither."""
    try:
        return frozenset(each.name for each in path.iterdir()) if path.is_dir() else frozenset({path.name} if path.exists() else ())
    except OSError:
        return frozenset()


@contextlib.contextmanager
def _marked(folder: Path) -> Iterator[Path]:
    """A hidden file in a folder, whose name no other machine can have by chance; removed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / f".seen-{secrets.token_hex(8)}"
    mark.touch()
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)


def _actor() -> Any:
    return ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Actor)


@contextlib.contextmanager
def _connected(address: str, count: int | None) -> Iterator[None]:
    """In a cluster; one that this process is in already is neither entered nor left."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a tracker tells nobody that it runs
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray will do, and warns about
    _check_port(address)
    where = {"num_cpus": count, "include_dashboard": False} if address == "local" else {"address": address}
    try:
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise SightlineError(f"no Ray cluster answers at {address!r} ({first_line(error)}); {_todo(address)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_port(address: str) -> None:
    """Ray itself tries for minutes where nothing listens."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdigit()) or "://" in address:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise SightlineError(f"no Ray cluster answers at {address!r} ({error}); start one by `ray start --head`, or use local.") from error


def _todo(address: str) -> str:
    """What to do where a cluster was asked and did not let us in."""
    if ":" not in address:
        return "start one by `ray start --head`, or use local."
    return "something listens there: it needs the same versions of Ray and Python, and, where the cluster has a token, RAY_AUTH_MODE=token and that token here, too."
