from __future__ import annotations

import signal
import threading

import pytest

from sightline.cli.interrupt import Interrupts


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)  # to this thread: one for the process may come later, by way of another thread


def write_a_row(interrupts: Interrupts, done: list[str]) -> None:
    with interrupts.held():
        interrupt()
        done.append("row")


def test_an_interrupt_takes_effect_at_once() -> None:
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        interrupt()


def test_an_interrupt_waits_for_the_end_of_what_is_held() -> None:
    done: list[str] = []
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            write_a_row(interrupts, done)
        with interrupts.held():
            done.append("next row")
    assert done == ["row", "next row"]


def test_the_handler_of_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_may_enter_it_too() -> None:
    reached: list[bool] = []

    def enter() -> None:
        with Interrupts() as interrupts, interrupts.held():
            reached.append(True)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert reached == [True]
