from __future__ import annotations

from pathlib import Path

import pytest

from sightline.engines.cores import Cores, call_threads, cores, num_cores
from sightline.engines.onnx import options_for


def system(root: Path, files: dict[str, str]) -> Path:
    """A folder with such files of the system, and nothing else."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2 = {"proc/self/cgroup": "0::/system.slice/job\n"}
V1 = {"proc/self/cgroup": "3:memory:/docker/1\n2:cpu,cpuacct:/docker/1\n0::/\n"}


@pytest.mark.parametrize(
    "files, expected",
    [
        pytest.param({}, None, id="no such files"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2.0, id="a container"),
        pytest.param({**V2, "sys/fs/cgroup/system.slice/job/cpu.max": "150000 100000\n"}, 1.5, id="a service"),
        pytest.param({**V2, "sys/fs/cgroup/system.slice/job/cpu.max": "max 100000\n"}, None, id="no limit"),
        pytest.param(
            {**V2, "sys/fs/cgroup/system.slice/job/cpu.max": "400000 100000\n", "sys/fs/cgroup/system.slice/cpu.max": "300000 100000\n"},
            3.0,
            id="less around it",
        ),
        pytest.param(
            {**V1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "50000\n"},
            5.0,
            id="a container of version 1, whose path is the machine's",
        ),
        pytest.param(
            {
                **V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000\n",
            },
            2.0,
            id="version 1 seen from the machine",
        ),
        pytest.param(
            {**V1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            None,
            id="version 1 without a limit",
        ),
        pytest.param({**V2, "sys/fs/cgroup/cpu.max": "nonsense\n"}, None, id="another text"),
    ],
)
def test_the_time_that_a_container_gets_is_read(files: dict[str, str], expected: float | None, tmp_path: Path) -> None:
    assert cores(system(tmp_path, files)).quota == expected


@pytest.mark.parametrize("quota, usable", [(None, 8), (64.0, 8), (2.0, 2), (2.9, 2), (0.5, 1)])
def test_threads_beyond_the_time_of_a_container_are_not_usable(quota: float | None, usable: int) -> None:
    assert Cores(64, 8, 4, quota).usable == usable


def test_the_affinity_of_this_process_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 32, 33}, raising=False)
    siblings = {f"sys/devices/system/cpu/cpu{i}/topology/thread_siblings_list": f"{i % 32},{i % 32 + 32}\n" for i in range(64)}
    assert cores(system(tmp_path / "a", siblings)) == Cores(machine=64, mask=4, physical=2, quota=None)
    assert cores(tmp_path / "nowhere").physical == 4


@pytest.mark.parametrize(
    "found, threads",
    [
        pytest.param(Cores(64, 64, 32, None), None, id="all of a machine: the engine knows its cores"),
        pytest.param(Cores(64, 64, 32, 2.0), 2, id="the time of two"),
        pytest.param(Cores(64, 8, 4, None), 4, id="four cores of two threads"),
        pytest.param(Cores(64, 8, 4, 6.0), 4, id="both"),
        pytest.param(Cores(2, 2, 2, 0.5), 1, id="half a processor"),
    ],
)
def test_a_call_has_as_many_threads_as_may_run(found: Cores, threads: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.engines.cores.cores", lambda: found)
    assert call_threads(None) == threads
    assert call_threads(3) == 3
    assert num_cores() == found.usable
    assert options_for(None).intra_op_num_threads == (threads or 0)
    assert options_for(3).intra_op_num_threads == 3


def test_openvino_is_told_as_many_threads_as_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    openvino = pytest.importorskip("sightline.engines.openvino")
    monkeypatch.setattr("sightline.engines.cores.cores", lambda: Cores(64, 64, 32, 2.0))
    assert openvino.settings_for("f32", None)["INFERENCE_NUM_THREADS"] == 2
    assert openvino.settings_for("f32", 1)["INFERENCE_NUM_THREADS"] == 1
    assert not {"INFERENCE_NUM_THREADS", "ENABLE_CPU_PINNING"} & set(openvino.settings_for("f32", 1, "GPU"))
