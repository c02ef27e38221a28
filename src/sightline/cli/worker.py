"""Work on one item after the other in a thread, while the next ones are made."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Worker"]

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """Calls `work` with every item that was `put`, in that order, in one thread of its own.

    When `work` raises, no other item is worked on, those that wait neither; the next `put` or `close` raises it, once.

    Args:
        work: what is done with an item. It gains from the thread as far as it leaves the interpreter, as codecs, OpenCV and files do.
        waiting: items that may wait, from 1 on; with the one in work and the one that `put` holds, that many plus two are alive.
        name: of the thread.
    """

    def __init__(self, work: Callable[[Item], None], *, waiting: int, name: str) -> None:
        self._work = work
        self._waiting = waiting
        self._items: deque[Item] = deque()
        self._closed = False
        self._failed = False
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item; waits while `waiting` others do.

        Raises:
            Exception: what `work` raised with an item before; this one is dropped.
            RuntimeError: after `close`.
        """
        with self._changed:
            if self._closed:
                raise RuntimeError("a closed worker takes no more items")
            self._changed.wait_for(lambda: self._failed or len(self._items) < self._waiting)
            if not self._failed:
                self._items.append(item)
                self._changed.notify_all()
        self._raise()

    def close(self) -> None:
        """Wait until every item is worked on, and end the thread; harmless when called again.

        Raises:
            Exception: what `work` raised, where no `put` did.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._items)
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            try:
                self._work(item)
            except Exception as error:  # noqa: BLE001  raised again by put or close, whatever it is
                with self._changed:
                    self._failed, self._error = True, error
                    self._changed.notify_all()
                return
            del item  # not kept alive while the next one is awaited
