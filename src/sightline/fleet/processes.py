"""Processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from sightline.fleet.pool import Due, Lost

__all__ = ["Processes"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Processes:
    """Items are handed to processes of this machine, one at a time each.

    Functions, items and results travel pickled. A process starts afresh (`spawn`), and Ctrl-C does not reach it: who maps decides.

    Attributes:
        count: how many processes, at least 1.
        prepare: called once in each, before anything else: to set its number of threads.
    """

    count: int
    prepare: Callable[[], None] | None = None

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Generator[tuple[int, R | Lost], None, None]:
        """See `Pool.map`."""
        due = Due(len(items))
        workers: list[_Worker] = []
        try:
            while due or workers:
                while due and len(workers) < self.count:
                    workers.append(_Worker.start(function, self.prepare))
                    workers[-1].give(number := due.take(), items[number])
                for connection in wait([worker.connection for worker in workers]):
                    worker = next(worker for worker in workers if worker.connection is connection)
                    number = worker.number
                    answer = worker.answer()
                    if answer is None:
                        workers.remove(worker)
                        if (lost := due.again(number, worker.ending())) is not None:
                            yield number, lost
                        continue
                    value, error = answer
                    if error is not None:
                        raise error
                    if due:
                        worker.give(following := due.take(), items[following])
                    else:
                        workers.remove(worker)
                        worker.stop()
                    yield number, value
        finally:
            for worker in workers:
                worker.stop(now=True)


@dataclass(slots=True)
class _Worker:
    """A process with the item that it works on."""

    process: BaseProcess
    connection: Connection
    number: int = -1

    @classmethod
    def start(cls, function: Callable[[Any], Any], prepare: Callable[[], None] | None) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        # no daemon: those may have no children, and a training run has some that load its samples
        process = context.Process(target=_work, args=(theirs, prepare), name="sightline worker", daemon=False)
        process.start()
        theirs.close()  # so that its end is seen when it dies
        worker = cls(process, ours)
        worker._send(function)
        return worker

    def give(self, number: int, item: object) -> None:
        self.number = number
        self._send(item)

    def _send(self, value: object) -> None:
        data = pickle.dumps(value)
        with contextlib.suppress(OSError):  # a worker that is dead already is noticed when its answer is read
            self.connection.send_bytes(data)

    def answer(self) -> tuple[Any, Exception | None] | None:
        """A result and what was raised instead; None where the process died."""
        try:
            value, error = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            self.connection.close()
            return None
        return value, error

    def ending(self) -> str:
        code = self.process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"

    def stop(self, *, now: bool = False) -> None:
        self.connection.close()
        if now:
            self.process.terminate()
        self.process.join()
        self.process.close()


def _work(connection: Connection, prepare: Callable[[], None] | None) -> None:
    """What a process does until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare()
    with contextlib.suppress(EOFError, OSError):
        function = connection.recv()
        while True:
            item = connection.recv()
            answer: tuple[Any, Exception | None]
            try:
                answer = function(item), None
            except Exception as error:  # noqa: BLE001  raised again by who maps
                answer = None, _portable(error)
            connection.send(answer)


def _end_with_parent() -> None:
    """Nobody waits for the rest of an item when the parent was killed, and whoever runs it again should not meet us."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _portable(error: Exception) -> Exception:
    """The error itself, or its text where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    except Exception:  # noqa: BLE001  an error may refuse in any way
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
