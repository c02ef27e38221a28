from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from sightline.cli.interrupt import SIGNALS, Interrupts


def interrupt(number: signal.Signals = signal.SIGINT) -> None:
    signal.raise_signal(number)  # to this thread: one for the process may come later, by way of another thread


def write_a_row(interrupts: Interrupts, done: list[str]) -> None:
    with interrupts.held():
        interrupt()
        done.append("row")


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupt_takes_effect_at_once(number: signal.Signals) -> None:
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        interrupt(number)


def test_an_interrupt_waits_for_the_end_of_what_is_held() -> None:
    done: list[str] = []
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            write_a_row(interrupts, done)
        with interrupts.held():
            done.append("next row")
    assert done == ["row", "next row"]


@pytest.mark.parametrize("number", SIGNALS)
def test_the_handler_of_before_comes_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts():
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_terminal_that_is_closed_is_let_be_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts():
            interrupt(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_may_enter_it_too() -> None:
    reached: list[bool] = []

    def enter() -> None:
        with Interrupts() as interrupts, interrupts.held():
            reached.append(True)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert reached == [True]


def test_an_interrupt_while_the_command_is_loaded_is_one_line() -> None:
    code = (
        "import sys, types\n"
        "class Interrupting(types.ModuleType):\n"
        "    def __getattr__(self, name): raise KeyboardInterrupt\n"
        "sys.modules['sightline.cli'] = Interrupting('sightline.cli')\n"
        "from sightline.__main__ import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "sightline: interrupted.\n")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_terminal_that_is_closed_ends_it_too() -> None:
    assert signal.SIGHUP in SIGNALS
