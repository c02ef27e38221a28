"""Evaluations by the command line that are killed ten times and run again, for a process of its own.

One process with everything imported forks the runs that are to die, so that few of the random moments fall into the start of Python. Its clocks stand still: times
are results too, and those of two runs are then the same bytes. Prints how long each run was let live.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import sightline.tracker
from sightline.cli import main
from sightline.engines import Array
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.fakes import FakeSession, brightest

KILLS = 10
PER_FRAME = 0.004  # seconds, so that there is something to interrupt


def stand_still() -> float:
    """The time."""
    return 0.0


time.perf_counter = time.thread_time = stand_still  # in workers too: they import this for the tracker


def step(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
    """The fake tracker of the tests, slowly."""
    time.sleep(PER_FRAME)
    return brightest(arrays)


def opened(*_: object, **__: object) -> Tracker[Any]:
    """That tracker, whatever is asked for."""
    return Tracker(NetworkMethod(FakeSession(step=step)))


def start(root: str, output: str, workers: str, protocols: Sequence[str]) -> int:
    """A process that evaluates by all these protocols."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(max(run(root, output, workers, protocol) for protocol in protocols))
    return child


def run(root: str, output: str, workers: str, protocol: str) -> int:
    """One evaluation."""
    words = ["eval", "--tracker", "kestrel-nano", "--dataset", "folder", "--root", root, "--output", output, "--workers", workers]
    return main([*words, "--protocol", protocol])


def end_of(child: int) -> int:
    """The exit code of a process; below 0 where it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def done_in(folder: str) -> int:
    """Finished sequences."""
    return len(list(Path(folder).rglob("made/*.json")))


def kill_and_resume(root: str, folder: str, seed: str, workers: str, share: str, *protocols: str) -> None:
    """One run to `folder`/whole, and to `folder`/again ten that are killed and one that is not.

    Args:
        root: of the data set.
        folder: for the results.
        seed: of the moments.
        workers: processes of each run.
        share: of the time that the whole run took, which is the longest that those that are killed are let live; with several workers from their first result on.
        protocols: one after the other in each run; those that are killed begin with each in turn.
    """
    sightline.tracker.opened = opened
    assert run(root, f"{folder}/first", "1", "one-pass") == 0  # so that everything is imported before processes are forked
    rng, began, again = random.Random(int(seed)), time.monotonic(), f"{folder}/again"
    assert end_of(start(root, f"{folder}/whole", workers, protocols)) == 0
    longest = float(share) * (time.monotonic() - began)
    kills = 0
    while kills < KILLS:
        before, life = done_in(again), rng.uniform(0, longest)
        first = kills % len(protocols)
        child = start(root, again, workers, (*protocols[first:], *protocols[:first]))
        while workers != "1" and done_in(again) == before and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            time.sleep(0.005)  # nothing of interest happens while workers start
        time.sleep(life)
        os.kill(child, signal.SIGKILL)
        if end_of(child) == -signal.SIGKILL:
            kills += 1
            print(f"killed after {life:.3f} s of {protocols[first]}, when {before} sequences had become {done_in(again)}", flush=True)
        else:  # it had ended before: there has to be something to do again
            rng.choice(sorted(Path(again).rglob("made/*.json"))).unlink()
    assert end_of(start(root, again, workers, protocols)) == 0
