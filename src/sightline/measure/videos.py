"""Several videos at the same time: a thread for each in one process, which share one network, or a process for each.

One thread in each network call, whoever calls. The frames are in memory and the same for all.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import IO, Any

from sightline.box import Box
from sightline.errors import EngineError, LittleChecked, SightlineError
from sightline.frame import Frame
from sightline.measure.process import environment
from sightline.measure.race import WARM
from sightline.measure.subject import Subject, rendered
from sightline.measure.turns import ratio
from sightline.methods import Method
from sightline.tracker import Tracker

__all__ = ["Rates", "in_processes", "in_threads", "rates"]


@dataclass(frozen=True, slots=True)
class Rates:
    """Frames in a second of all videos together.

    Attributes:
        videos: how many at the same time.
        alone: of one.
        threads: with a thread for each, in one network.
        processes: with a process for each.
        threads_ratio, processes_ratio: to one alone, the median of ratios within rounds.
    """

    videos: int
    alone: float
    threads: float
    processes: float
    threads_ratio: float
    processes_ratio: float


def rates(method: Method[Any], subject: Subject, frames: Sequence[Frame], box: Box, *, videos: int, rounds: int, seconds: float) -> Rates:
    """Measure one video, and several in both ways, in turns.

    Args:
        method: with a network of one thread.
        subject: what the processes load.
        frames: in memory, at least two.
        box: of the target in the first.
        videos: how many.
        rounds: of turns.
        seconds: of a turn.

    Raises:
        EngineError: a process does not start.
    """
    alone, threads, processes = list[float](), list[float](), list[float]()
    with in_processes(subject, frames[0].size, videos) as run:
        in_threads(method, frames, box, videos=videos, seconds=0.05)  # graphs are compiled, one for each caller: processes have theirs
        for _ in range(rounds):
            alone.append(in_threads(method, frames, box, videos=1, seconds=seconds))
            threads.append(in_threads(method, frames, box, videos=videos, seconds=seconds))
            processes.append(run(seconds))
    return Rates(
        videos,
        *(statistics.median(values) for values in (alone, threads, processes)),
        *(ratio(values, alone) for values in (threads, processes)),
    )


def in_threads(method: Method[Any], frames: Sequence[Frame], box: Box, *, videos: int, seconds: float) -> float:
    """Frames in a second of several videos, each with a tracker and a thread of its own."""
    with ThreadPoolExecutor(videos) as pool:
        began = time.perf_counter()
        counts = pool.map(lambda _: _count(Tracker(method), frames, box, seconds), range(videos))
        return sum(counts) / (time.perf_counter() - began)


@contextlib.contextmanager
def in_processes(subject: Subject, size: tuple[int, int], videos: int) -> Iterator[Callable[[float], float]]:
    """A process for each video, its tracker loaded with one thread; what is given lets all run for so many seconds, and returns their frames in a second.

    Raises:
        EngineError: one does not start.
    """
    subject = replace(subject, threads=1)
    command = [sys.executable, "-m", "sightline.measure.videos", *subject.words, *map(str, size)]
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(command, env=environment(1), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(videos)
        ]
        stack.callback(lambda: [process.stdin.close() for process in processes if process.stdin])  # they end with their input
        pipes = [(process.stdin, process.stdout) for process in processes if process.stdin and process.stdout]
        for _, told in pipes:
            _line(told, subject)

        def run(seconds: float) -> float:
            began = time.perf_counter()
            for asked, _ in pipes:
                asked.write(f"{seconds}\n")
                asked.flush()
            counts = [json.loads(_line(told, subject)) for _, told in pipes]
            return float(sum(counts) / (time.perf_counter() - began))

        yield run


def _line(told: IO[str], subject: Subject) -> str:
    line = told.readline()
    if not line:
        raise EngineError(f"a process with {subject} ended; what it said stands above.")
    return line


def _count(tracker: Tracker[Any], frames: Sequence[Frame], box: Box, seconds: float) -> int:
    """How many frames of one video are tracked in so many seconds."""
    tracker.init(frames[0], box)
    count, ends = 0, time.perf_counter() + seconds
    while time.perf_counter() < ends:
        count += 1
        tracker.update(frames[count % (len(frames) - 1) + 1])
    return count


def _serve(subject: Subject, size: tuple[int, int]) -> None:
    """What a process does: it waits for lines with a number of seconds, and answers each with a number of frames.

    It ends with its input: Ctrl-C, which reaches it as well, is for the one that gives it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import cv2

    cv2.setNumThreads(1)
    warnings.simplefilter("ignore", LittleChecked)  # who began this has said it
    tracker = subject.loaded()
    frames, box = rendered(size, 4)
    tracker.init(frames[0], box)
    for _ in range(WARM):
        tracker.update(frames[1])
    print("ready", flush=True)  # noqa: T201  # read by `in_processes`
    for line in sys.stdin:
        print(json.dumps(_count(tracker, frames, box, float(line))), flush=True)  # noqa: T201  # likewise


if __name__ == "__main__":
    try:
        *words, width, height = sys.argv[1:]
        _serve(Subject.of_words(words), (int(width), int(height)))
    except SightlineError as error:
        sys.exit(f"sightline: error: {error}")
    except BrokenPipeError:  # nobody listens any more, and Python would say so again at its end
        os._exit(1)
