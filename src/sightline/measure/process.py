"""Measurements that want a process of their own, which prints one line at its end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from sightline.errors import EngineError

__all__ = ["last_line"]


def last_line(arguments: Sequence[str], *, threads: int) -> str:
    """The last line that Python prints when it is run with these arguments, and libraries hold to so many threads.

    Raises:
        EngineError: it fails; the message is the last line of its complaint.
    """
    from sightline.engines.cores import READ_AT_LOADING  # late: one of those processes times its imports

    environment = os.environ | dict.fromkeys(READ_AT_LOADING, str(threads))
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        told = (done.stderr.strip().splitlines() or [f"it said nothing, exit code {done.returncode}"])[-1]
        raise EngineError(f"{' '.join(arguments)} fails: {told}")
    return done.stdout.splitlines()[-1]
