"""Tables of rich on standard output."""

from __future__ import annotations

import sys

from rich.console import Console

__all__ = ["Tables"]


class Tables(Console):
    """A console whose reader may go, as in `sightline zoo | head`: rich by itself ends the process with exit code 1.

    Args:
        piped_width: characters of a line where the output is no terminal, which has a width of its own.
    """

    def __init__(self, piped_width: int | None = None) -> None:
        super().__init__(width=None if sys.stdout.isatty() else piped_width)

    def on_broken_pipe(self) -> None:
        """Leave it to `sightline.cli.main`, as for everything that is printed."""
        raise BrokenPipeError
