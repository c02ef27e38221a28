"""A progress bar on standard error, where that is a terminal."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from sightline.evaluate.watch import Board

__all__ = ["counting_bar", "progress_bar", "sequence_bars"]

LOOK = 0.2  # seconds between two looks at a board


class _Speed(ProgressColumn):
    """How many of something in a second; of something else where a task has a `unit`."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """What rich shows for a task."""
        unit = task.fields.get("unit", self.unit)
        return Text("" if task.speed is None else f"{task.speed:.{0 if task.speed >= 10 else 1}f} {unit}", style="progress.data.speed")


def progress_bar(unit: str = "fps") -> Progress:
    """A bar with what is done, how much of it in a second (`unit`) and the time left; it leaves no trace when it is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


@contextlib.contextmanager
def counting_bar(title: str, unit: str, total: float) -> Iterator[Callable[[float], None]]:
    """A `progress_bar` of one piece of work; what it yields is to be called with how much of it is done."""
    with progress_bar(unit) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextlib.contextmanager
def sequence_bars(title: str, frames: Mapping[str, int]) -> Iterator[tuple[Board | None, Callable[[str], None]]]:
    """A bar of all sequences, and one of each that is being tracked, in this process or others.

    Args:
        title: of the first.
        frames: of each sequence.

    Yields:
        Where those that track tell how far they are, None where nobody looks; and what is to be called with the name of a sequence that is done.
    """
    with progress_bar() as bar:
        if bar.disable:
            yield None, lambda _: None
            return
        from sightline.evaluate.watch import Board

        with tempfile.TemporaryDirectory(prefix="sightline-") as folder:
            board = Board.make(Path(folder) / "board", list(frames))
            bars = _Bars(bar, title, frames, board)
            stopped = threading.Event()
            watcher = threading.Thread(target=bars.watch, args=(stopped,), daemon=True)
            watcher.start()
            try:
                yield board, bars.done.add
            finally:
                stopped.set()
                watcher.join()


class _Bars:
    """The bars of `sequence_bars`; everything but `done` belongs to the thread that watches."""

    def __init__(self, bar: Progress, title: str, frames: Mapping[str, int], board: Board) -> None:
        self.done: set[str] = set()
        self._bar, self._frames, self._board = bar, frames, board
        self._all = bar.add_task(title, total=sum(frames.values()))
        self._each: dict[str, TaskID] = {}

    def watch(self, stopped: threading.Event) -> None:
        """Look until it is enough, and once more."""
        while not stopped.wait(LOOK):
            self.look()
        self.look()

    def look(self) -> None:
        """Move every bar to where the board says."""
        counts, done = self._board.counts(), set(self.done)
        for name in self._each.keys() & done:
            self._bar.remove_task(self._each.pop(name))
        under_way = {name: min(count, self._frames[name]) for name, count in counts.items() if count and name not in done}
        for name, count in under_way.items():
            if name not in self._each:
                self._each[name] = self._bar.add_task(f"  {name}", total=self._frames[name])
            self._bar.update(self._each[name], completed=count)
        self._bar.update(self._all, completed=sum(self._frames[name] for name in done) + sum(under_way.values()))
