from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from sightline.errors import BadData
from sightline.train.program import parts_shown, program


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command line without words, and the handlers of signals as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr("sys.argv", ["program"])
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_end_is_one_line_and_takes_away_what_is_half_done(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []

    def work() -> None:
        try:
            signal.raise_signal(number)
        finally:
            done.append("taken away")

    with pytest.raises(SystemExit) as stop:
        program(work)
    assert (stop.value.code, done) == (130, ["taken away"])
    assert capsys.readouterr().err == "sightline: interrupted.\n"


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise BadData("no data\nhere")

    with pytest.raises(SystemExit) as stop:
        program(work)
    assert stop.value.code == 2
    assert capsys.readouterr() == ("", "sightline: error: no data here\n")


def test_each_part_of_the_work_is_told_as_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    with parts_shown() as begin:
        for title in ("pairs", "[tracks]"):
            seen = begin(title)
            for done in range(3):
                seen(done, 2)
                told.append(capsys.readouterr())
    assert told == [("", "pairs: 2\n"), ("", ""), ("", ""), ("", "[tracks]: 2\n"), ("", ""), ("", "")]
