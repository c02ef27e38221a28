"""A Ray cluster of two nodes on this machine."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sightline
from sightline.cli import main
from sightline.cli.loading import set_threads
from sightline.errors import BadData, SightlineError
from sightline.evaluate.clips import open_dataset
from sightline.evaluate.results import Maker
from sightline.evaluate.run import Ran, evaluate
from sightline.fleet import Here, Lost, Pool
from sightline.fleet.cluster import Ray, check_files
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.evaluate.folders import make_sequences
from tests.fakes import FakeSession, brightest
from tests.test_fleet import die, prepare, process_of, refuse, threads_of

ray = pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray leaves files and sockets to the garbage collector

NAMES = tuple("abcdef")


class Nodes:
    """The cluster, and its second node."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        self.second = self.cluster.add_node(num_cpus=1)
        ray.init(address=self.cluster.address, log_to_driver=False, logging_level="ERROR", configure_logging=False)

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def lose_one(self) -> None:
        self.cluster.remove_node(self.second, allow_graceful=False)

    def mend(self) -> None:
        self.second = self.cluster.add_node(num_cpus=1)
        self.cluster.wait_for_nodes()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Nodes()
    yield made
    ray.shutdown()
    made.cluster.shutdown()  # type: ignore[no-untyped-call]  # Ray says nothing of its types here


def node_of(number: int) -> str:
    time.sleep(0.3)  # so that both take part
    assert number >= 0
    return str(ray.get_runtime_context().get_node_id())


def wait_on(number: int, *, node: str, marker: Path) -> int:
    """What comes to that node waits for ever; the other node waits until something has."""
    if ray.get_runtime_context().get_node_id() == node:
        marker.touch()
        time.sleep(3600)
    while not marker.exists():
        time.sleep(0.01)
    return number


def test_items_are_worked_on_by_prepared_processes_of_both_nodes(nodes: Nodes) -> None:
    pool = Ray(nodes.address, prepare)
    found = [result for _, result in pool.map(node_of, range(6))]
    assert set(found) == {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    told = [result for _, result in pool.map(process_of, range(4)) if not isinstance(result, Lost)]
    assert {prepared for _, prepared in told} == {"yes"}
    assert os.getpid() not in {number for number, _ in told}


def test_what_the_function_raises_is_raised(nodes: Nodes) -> None:
    with pytest.raises(BadData, match="item 1 is wrong"):
        list(Ray(nodes.address).map(refuse, range(3)))


def test_a_killed_worker_loses_its_item_once_and_a_deadly_item_only_itself(nodes: Nodes, tmp_path: Path) -> None:
    for times, third in ((1, 2), (9, Lost("its worker died 2 times, ActorDiedError"))):
        (tmp_path / str(times)).mkdir()
        results = dict(Ray(nodes.address).map(partial(die, folder=tmp_path / str(times), times=times), range(5)))
        assert results == {0: 0, 1: 1, 2: third, 3: 3, 4: 4}


def test_a_machine_that_does_not_see_the_data_is_named(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "walk").touch()
    mapped = Ray(nodes.address, shared=(tmp_path / "data",)).map(Hide(tmp_path), range(2))
    with pytest.raises(BadData, match=f"{platform.node()} of the cluster does not see {tmp_path / 'data'}, but nothing there"):
        list(mapped)


class Hide:
    """A function that, as soon as an actor has received it, takes the data away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return hide, (self.folder,)

    def __call__(self, number: int) -> int:
        return number


def hide(folder: Path) -> Hide:
    with contextlib.suppress(OSError):
        (folder / "data").rename(folder / "elsewhere")
    return Hide(folder)


def test_a_machine_with_another_folder_of_the_same_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "walk").touch()
    seen = {str(tmp_path): frozenset({"walk"})}
    (tmp_path / ".seen-1").touch()
    check_files(seen, str(tmp_path / ".seen-1"))  # more than it should have is no harm
    with pytest.raises(BadData, match=f"{platform.node()} of the cluster does not see {tmp_path}, but another folder"):
        check_files(seen, str(tmp_path / ".seen-2"))
    (tmp_path / "walk").rename(tmp_path / "run")
    with pytest.raises(BadData, match="another folder, without walk"):
        check_files(seen, None)


def test_nothing_is_left_of_what_tells_whether_results_are_shared(nodes: Nodes, tmp_path: Path) -> None:
    found = dict(Ray(nodes.address, written=tmp_path / "results").map(names_in, [tmp_path / "results"]))
    assert [len(names) for names in found.values() if not isinstance(names, Lost)] == [1]
    assert names_in(tmp_path / "results") == []


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_each_actor_has_the_threads_that_were_asked_for(nodes: Nodes) -> None:
    ask = partial(threads_of, tracker=sightline.load("kestrel-nano", threads=1))
    for _, told in Ray(nodes.address, partial(set_threads, 1, torch_too=True)).map(ask, range(2)):
        assert not isinstance(told, Lost)
        assert len(told) >= 5
        assert told == dict.fromkeys(told, 1)


def test_a_port_where_nobody_listens_is_one_clear_line_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SightlineError, match=f"no Ray cluster answers at '{address}'"):
            _alone(address, timeout=30)  # Ray itself tries for minutes


def results(pool: Pool, root: Path, folder: Path) -> dict[str, bytes]:
    """What does not depend on time, of six sequences."""
    tracker: Tracker[Any] = Tracker(NetworkMethod(FakeSession(step=brightest)))
    done = evaluate(tracker, open_dataset("folder", root), folder, maker=Maker("fake", {}), pool=pool, timed_on="a test", setting={})
    assert done == Ran(skipped=(), made=dict.fromkeys(NAMES, "no result"))
    return {path.name: path.read_bytes() for kind in ("*.txt", "scores/*.txt", "run.json") for path in sorted(folder.glob(kind))}


def test_two_nodes_leave_the_same_bytes_as_one_process(nodes: Nodes, tmp_path: Path) -> None:
    root = make_sequences(tmp_path / "data", NAMES)
    alone = results(Here(), root, tmp_path / "alone")
    assert results(Ray(nodes.address, shared=(root,)), root, tmp_path / "both") == alone
    assert len(alone) == 13


def test_a_lost_node_loses_nothing_because_the_other_goes_on(nodes: Nodes, tmp_path: Path) -> None:
    lost = nodes.second.node_id
    mapped = Ray(nodes.address).map(partial(wait_on, node=lost, marker=tmp_path / "waits"), range(4))
    try:
        done = [next(mapped)]
        nodes.lose_one()
        done += list(mapped)
    finally:
        mapped.close()
        nodes.mend()
    assert sorted(done) == [(i, i) for i in range(4)]


def test_a_killed_driver_leaves_nothing_behind_that_the_next_run_does_not_finish(nodes: Nodes, tmp_path: Path) -> None:
    root = make_sequences(tmp_path / "data", NAMES, num_frames=60)
    words = ["eval", "--tracker", "kestrel-nano", "--dataset", "folder", "--root", str(root), "--output"]
    ours = tmp_path / "results"
    driver = subprocess.Popen([sys.executable, "-m", "sightline", *words, str(ours), "--ray", nodes.address], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(ours.glob("folder/kestrel-nano/made/*.json")) and time.monotonic() < deadline and driver.poll() is None:
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert main([*words, str(ours), "--ray", nodes.address]) == 0
    assert main([*words, str(tmp_path / "alone")]) == 0
    for path in (tmp_path / "alone" / "folder" / "kestrel-nano").glob("*.txt"):
        assert (ours / "folder" / "kestrel-nano" / path.name).read_bytes() == path.read_bytes()
        assert len(np.loadtxt(path, delimiter=",")) == 60


def test_no_cluster_is_one_clear_line() -> None:
    code = "from sightline.cli import main\nraise SystemExit(main({!r}))"
    words = ["eval", "--tracker", "kestrel-nano", "--dataset", "folder", "--root", ".", "--output", "r", "--ray", "nonsense"]
    done = subprocess.run(
        [sys.executable, "-c", code.format(words)], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    )
    assert done.returncode == 2  # the folder of the tests holds no sequence
    with pytest.raises(SightlineError, match="no Ray cluster answers at 'nonsense'"):
        _alone("nonsense")


def _alone(address: str, timeout: float | None = None) -> None:
    """In a process that is in no cluster yet; what it says is raised here."""
    code = (
        "from sightline.errors import SightlineError\nfrom sightline.fleet.cluster import Ray\n"
        f"try:\n    list(Ray({address!r}).map(abs, [1]))\nexcept SightlineError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=timeout)
    raise SightlineError(done.stdout.strip())
