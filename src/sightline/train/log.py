"""What a run writes and tells on its way: only its first process has a folder, and only that one speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.train.data import Problems
from sightline.train.folder import NOTES, Report, add_line, append
from sightline.train.samples import Batch
from sightline.train.show import Board, write_samples

__all__ = ["Log"]


@dataclass(frozen=True, slots=True)
class Log:
    """Where a process writes, and whom it tells.

    Attributes:
        out: folder of the run; None in all processes but the first, which then write nothing.
        report: called with every line of the log.
        teller: called with what should be known.
        board: TensorBoard, where it is written for.
        noted: what was told before this run was interrupted, and since: nothing is noted twice.
    """

    out: Path | None
    report: Report | None
    teller: Callable[[str], None] | None
    board: Board | None
    noted: set[str]

    def write(self, line: dict[str, float]) -> None:
        """A line of figures."""
        if self.out is not None:
            append(self.out, line, self.report)
            if self.board is not None:
                self.board.figures(line)

    def tell(self, text: str) -> None:
        """What should be known."""
        if self.out is not None:
            if text not in self.noted:  # as it is told again where a run goes on
                self.noted.add(text)
                add_line(self.out / NOTES, text)
            if self.teller is not None:
                self.teller(text)

    def note(self, notes: Sequence[tuple[str, str]], problems: Problems) -> None:
        """What could not be read, by name, and why: told once, and reported."""
        for name, why in notes:
            if name not in problems.bad:
                self.tell(f"skipped {name}: {why}")
            problems.add(name, why)

    def samples(self, batch: Batch) -> None:
        """A picture of what is learned from."""
        if self.out is not None:
            write_samples(self.out, batch.arrays)
            if self.board is not None:
                self.board.samples(batch.arrays, 0)

    def close(self) -> None:
        """Nothing follows."""
        if self.board is not None:
            self.board.close()
