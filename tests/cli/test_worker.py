"""No test here waits for a time: each waits for an event, and fails where that does not come in 20 seconds."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator

import pytest

from sightline.cli.worker import Worker

PATIENCE = 20  # seconds


class Work:
    """Notes what it is given; waits at `stops_at` until `go_on`, and fails at `fails_at`."""

    def __init__(self, *, stops_at: int | None = None, fails_at: int | None = None) -> None:
        self.stops_at, self.fails_at = stops_at, fails_at
        self.done: list[int] = []
        self.threads: set[str] = set()
        self.reached, self.go_on = threading.Event(), threading.Event()

    def __call__(self, item: int) -> None:
        if item == self.stops_at:
            self.reached.set()
            assert self.go_on.wait(PATIENCE)
        if item == self.fails_at:
            raise ZeroDivisionError(item)
        self.done.append(item)
        self.threads.add(threading.current_thread().name)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "a worker"] == []


def test_everything_is_worked_on_in_order_and_in_another_thread() -> None:
    work = Work()
    worker = Worker(work, waiting=2, name="a worker")
    for item in range(100):
        worker.put(item)
    worker.close()
    assert work.done == list(range(100))
    assert work.threads == {"a worker"}


def test_items_are_handed_over_while_one_is_in_work() -> None:
    work = Work(stops_at=0)
    worker = Worker(work, waiting=2, name="a worker")
    worker.put(0)
    assert work.reached.wait(PATIENCE)
    worker.put(1)
    worker.put(2)
    assert work.done == []
    work.go_on.set()
    worker.close()
    assert work.done == [0, 1, 2]


def test_put_waits_where_enough_others_do() -> None:
    work = Work(stops_at=0)
    worker = Worker(work, waiting=1, name="a worker")
    worker.put(0)
    assert work.reached.wait(PATIENCE)
    worker.put(1)
    third = threading.Thread(target=worker.put, args=(2,))
    third.start()
    third.join(0.05)
    assert third.is_alive()
    work.go_on.set()
    third.join(PATIENCE)
    assert not third.is_alive()
    worker.close()
    assert work.done == [0, 1, 2]


def test_an_error_comes_out_once_and_nothing_more_is_worked_on() -> None:
    work = Work(stops_at=1, fails_at=1)
    worker = Worker(work, waiting=2, name="a worker")
    worker.put(0)
    worker.put(1)
    assert work.reached.wait(PATIENCE)
    worker.put(2)
    worker.put(3)
    threading.Timer(0.05, work.go_on.set).start()  # while put waits for room, most likely
    with pytest.raises(ZeroDivisionError):
        worker.put(4)
    worker.put(5)
    worker.close()
    assert work.done == [0]


def test_an_error_of_the_last_item_comes_out_of_close() -> None:
    work = Work(fails_at=1)
    worker = Worker(work, waiting=2, name="a worker")
    worker.put(0)
    worker.put(1)
    with pytest.raises(ZeroDivisionError):
        worker.close()
    worker.close()
    assert work.done == [0]


def test_a_closed_worker_takes_no_more() -> None:
    worker = Worker(Work(), waiting=1, name="a worker")
    worker.close()
    with pytest.raises(RuntimeError, match="closed"):
        worker.put(0)


def test_an_item_that_is_worked_on_is_let_go() -> None:
    class Item:
        pass

    item, gone = Item(), threading.Event()
    weakref.finalize(item, gone.set)
    worker = Worker[Item](lambda _: None, waiting=1, name="a worker")
    worker.put(item)
    del item
    assert gone.wait(PATIENCE)
    worker.close()
