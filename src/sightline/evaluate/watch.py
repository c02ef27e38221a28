"""How far each sequence of a run is, told between processes by a small file."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Board"]

COUNT = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Board:
    """A number of frames for each sequence. Whoever tracks one writes its number, whoever watches reads them all; a torn read is of no account.

    Attributes:
        path: the file. A process that does not see it, on another machine, tells nothing.
        names: of the sequences.
    """

    path: Path
    names: tuple[str, ...]

    @classmethod
    def make(cls, path: Path, names: Sequence[str]) -> Board:
        """A board of zeros."""
        path.write_bytes(bytes(COUNT.size * len(names)))
        return cls(path, tuple(names))

    def begin(self, name: str) -> Callable[[], None]:
        """Set a sequence to 0.

        Returns:
            To call for each frame.
        """
        try:
            with self.path.open("r+b") as file:
                memory = mmap.mmap(file.fileno(), 0)
        except (OSError, ValueError):
            return lambda: None
        place, count = COUNT.size * self.names.index(name), 0

        def step() -> None:
            nonlocal count
            count += 1
            COUNT.pack_into(memory, place, count)

        COUNT.pack_into(memory, place, 0)
        return step

    def counts(self) -> dict[str, int]:
        """Frames of each sequence so far; those that were begun again after a crash count from there."""
        values = COUNT.iter_unpack(self.path.read_bytes())
        return {name: count for name, (count,) in zip(self.names, values, strict=True)}
