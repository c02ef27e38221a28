"""Measurements that want a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from sightline.errors import EngineError

__all__ = ["environment", "last_line"]


def environment(threads: int) -> dict[str, str]:
    """This process's environment, for one whose libraries use so many threads."""
    from sightline.engines.cores import READ_AT_LOADING  # late: one of those processes times its imports

    return os.environ | dict.fromkeys(READ_AT_LOADING, str(threads))


def last_line(arguments: Sequence[str], *, threads: int) -> str:
    """Run Python with these arguments, and its libraries on so many threads; the last line that it prints.

    Raises:
        EngineError: it fails; the message is the last line of what it says of that.
    """
    done = subprocess.run([sys.executable, *arguments], env=environment(threads), capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        told = (done.stderr.strip().splitlines() or [f"it said nothing, exit code {done.returncode}"])[-1]
        raise EngineError(f"{' '.join(arguments)} fails: {told}")
    return done.stdout.splitlines()[-1]
