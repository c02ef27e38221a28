from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import sightline
from sightline.cli.loading import set_threads
from sightline.engines.cores import READ_AT_LOADING
from sightline.errors import BadData
from sightline.fleet import Here, Lost, Pool, Processes
from sightline.tracker import Tracker


def square(number: int) -> int:
    return number * number


def process_of(_: int) -> tuple[int, str]:
    return os.getpid(), os.environ.get("PREPARED", "")


def threads_of(_: int, *, tracker: Tracker[Any]) -> dict[str, int]:
    """How many threads a worker would use: what the libraries themselves say, for a tracker on onnxruntime."""
    import torch  # here, so that processes of the other tests start without it

    graphs = tracker.method.session.graphs  # type: ignore[attr-defined]  # a network's method has one
    told = {"cv2": cv2.getNumThreads(), "torch": torch.get_num_threads(), "OpenMP": int(os.environ.get("OMP_NUM_THREADS", "0"))}
    told |= {f"network, {role}": graph.get_session_options().intra_op_num_threads for role, graph in graphs.items()}
    for path in (Path(np.__file__).parents[1] / "numpy.libs").glob("*openblas*"):
        told["numpy"] = ctypes.CDLL(str(path)).scipy_openblas_get_num_threads64_()
    return told


def prepare() -> None:
    os.environ["PREPARED"] = "yes"


def refuse(number: int) -> int:
    if number == 1:
        raise BadData("item 1 is wrong.")
    return number


def die(number: int, *, folder: Path, times: int) -> int:
    """Item 2 kills its process the first `times` times that it is tried."""
    tried = folder / f"{number}-{len(list(folder.iterdir()))}"
    tried.touch()
    if number == 2 and len(list(folder.glob("2-*"))) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep_long(path: Path) -> None:
    path.write_text(str(os.getpid()))
    time.sleep(3600)


@pytest.mark.parametrize("pool", [Here(), Processes(1), Processes(2)], ids=["here", "one process", "two processes"])
def test_every_pool_gives_the_same_results(pool: Pool) -> None:
    assert sorted(pool.map(square, range(5))) == [(i, i * i) for i in range(5)]


def test_nothing_starts_where_there_are_no_items() -> None:
    assert list(Processes(2).map(square, [])) == []


def test_work_is_done_in_prepared_processes_of_their_own() -> None:
    results = [result for _, result in Processes(2, prepare).map(process_of, range(4)) if not isinstance(result, Lost)]
    assert [told for _, told in results] == ["yes"] * 4
    numbers = {number for number, _ in results}
    assert len(numbers) == 2
    assert os.getpid() not in numbers


def ending_of_a_child(_: int) -> int | None:
    child = multiprocessing.get_context("spawn").Process(target=int)
    child.start()
    child.join()
    return child.exitcode


def test_work_may_start_processes_of_its_own() -> None:
    assert list(Processes(1).map(ending_of_a_child, [0])) == [(0, 0)]


@pytest.mark.parametrize("pool", [Here(), Processes(2)], ids=["here", "two processes"])
def test_what_the_function_raises_is_raised(pool: Pool) -> None:
    with pytest.raises(BadData, match="item 1 is wrong"):
        list(pool.map(refuse, range(3)))


def test_a_killed_worker_loses_nothing_because_its_item_is_tried_again(tmp_path: Path) -> None:
    assert sorted(Processes(2).map(partial(die, folder=tmp_path, times=1), range(5))) == [(i, i) for i in range(5)]


def test_an_item_that_kills_two_workers_is_reported_and_the_others_are_done(tmp_path: Path) -> None:
    results = dict(Processes(2).map(partial(die, folder=tmp_path, times=9), range(5)))
    assert results.pop(2) == Lost("its worker died 2 times, killed by SIGKILL")
    assert results == {i: i for i in (0, 1, 3, 4)}


def test_each_process_has_the_threads_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in READ_AT_LOADING:
        monkeypatch.setenv(name, "2")  # put back at the end; until then what a user may have
    before = cv2.getNumThreads()
    try:
        set_threads(1, torch_too=False)
    finally:
        cv2.setNumThreads(before)
    ask = partial(threads_of, tracker=sightline.load("kestrel-nano", threads=1))
    [(_, told)] = Processes(1, partial(set_threads, 1, torch_too=True)).map(ask, range(1))
    assert not isinstance(told, Lost)
    assert len(told) >= 5
    assert told == dict.fromkeys(told, 1)


def test_closing_ends_the_workers(tmp_path: Path) -> None:
    results = Processes(2).map(hang_or_answer, [tmp_path / "quick", tmp_path / "slow"])
    next(results)
    number = int(wait_for(tmp_path / "slow"))
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom sightline.fleet import Processes\nfrom tests.test_fleet import sleep_long\n"
        f"list(Processes(2).map(sleep_long, [Path({str(tmp_path / 'one')!r}), Path({str(tmp_path / 'two')!r})]))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        wait_for(tmp_path / "one")
        wait_for(tmp_path / "two")
        parent.kill()
        assert parent.communicate(timeout=60)[0] == b""  # ends when the last of them has closed it


def hang_or_answer(path: Path) -> None:
    if path.name == "slow":
        sleep_long(path)


def wait_for(path: Path) -> str:
    for _ in range(600):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")
