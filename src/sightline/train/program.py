"""Modules of this package that are programs of their own: `python -m sightline.train.rollout ...`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from sightline.errors import SightlineError

__all__ = ["program"]


def program(work: Callable[..., str | None]) -> NoReturn:
    """Call a function with what the command line says, and print what it returns; end as the command `sightline` does.

    Args:
        work: its signature and docstring make the options.
    """
    import tyro

    try:
        sys.stdout.write(tyro.cli(work) or "")
    except SightlineError as error:
        sys.stderr.write(f"sightline: error: {' '.join(str(error).split())}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        sys.stderr.write("sightline: interrupted.\n")
        raise SystemExit(130) from None
    raise SystemExit(0)
