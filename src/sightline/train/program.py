"""Modules of this package that are programs of their own: `python -m sightline.train.rollout ...`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console
from rich.progress import Progress

from sightline.errors import SightlineError
from sightline.train.loop import Seen

__all__ = ["parts_shown", "program"]


def program(work: Callable[..., str | None]) -> NoReturn:
    """Call a function with what the command line says, and print what it returns; end as the command `sightline` does.

    A request to end (`kill`, `timeout`) is what Ctrl-C is: what is half done is taken away.

    Args:
        work: its signature and docstring make the options.
    """
    import tyro

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.stdout.write(tyro.cli(work) or "")
    except SightlineError as error:
        sys.stderr.write(f"sightline: error: {' '.join(str(error).split())}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        sys.stderr.write("sightline: interrupted.\n")
        raise SystemExit(130) from None
    raise SystemExit(0)


@contextmanager
def parts_shown() -> Iterator[Callable[[str], Seen]]:
    """What shows on standard error how far the parts of some work are: a line as each begins, and where that is a terminal a bar.

    Yields:
        What makes, of the name of a part, the function that is to be told how much of it is done, 0 first, and how much there is.
    """
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:

        def begin(title: str) -> Seen:
            task = bar.add_task(title, total=None)

            def seen(done: int, num: int) -> None:
                if not done:
                    bar.console.print(f"{title}: {num}", markup=False, highlight=False)
                bar.update(task, completed=done, total=num, visible=done < num)

            return seen

        yield begin
