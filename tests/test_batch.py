from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from sightline.batch import Done, Job, read_jobs, run
from sightline.box import Box
from sightline.errors import BadData
from sightline.fleet import Here, Pool, Processes
from sightline.frame import Frame, Seconds
from sightline.mark import Mark
from sightline.methods.network import NetworkMethod, Target
from sightline.tracker import Tracker
from tests.cli.clips import make_folder, make_video
from tests.fakes import FakeSession, brightest

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra `parquet`)")
dataset = pytest.importorskip("pyarrow.dataset")

HEAD = "source,x,y,w,h\n"


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """Two videos and a folder of images; the second video has two targets."""
    make_video(tmp_path / "one.mp4")
    make_video(tmp_path / "two.mp4", 8)
    make_folder(tmp_path / "three")
    (tmp_path / "jobs.csv").write_text(
        "source,x,y,w,h,start,target\none.mp4,20,40,24,24,,\ntwo.mp4,20,40,24,24,0,car\ntwo.mp4,22,41,20,20,0,roof\nthree,26,40,24,24,3,\n"
    )
    return tmp_path / "jobs.csv"


def ran(jobs: Path, pool: Pool | None = None, made_by: str = "fake", method: type[NetworkMethod] = NetworkMethod) -> Done:
    tracker = Tracker(method(FakeSession(step=brightest)))
    return run(read_jobs(jobs), jobs.parent / "tracks", tracker=tracker, made_by=made_by, pool=pool or Here())


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dataset.dataset(folder, format="parquet").to_table().to_pylist()
    return sorted(found, key=lambda row: (row["video"], row["target"], row["frame"]))


@pytest.mark.parametrize("pool", [Here(), Processes(2)], ids=["here", "two processes"])
def test_a_folder_of_files_is_one_table(pool: Pool, jobs: Path) -> None:
    done = ran(jobs, pool)
    assert (done.skipped, done.failed) == ((), {})
    assert sorted(done.made.values()) == [8, 9, 12]
    assert any(name.endswith("three from frame 3") for name in done.made)
    table = rows(jobs.parent / "tracks")
    assert len(table) == 12 + 2 * 8 + 9
    of_one = [row for row in table if row["video"] == str(jobs.parent / "one.mp4")]
    assert [row["frame"] for row in of_one] == list(range(12))
    assert [row["x"] for row in of_one] == pytest.approx([20 + 2 * i for i in range(12)], abs=2)
    assert of_one[1]["time"] == pytest.approx(0.04)
    assert {(row["target"], row["status"]) for row in of_one} == {("1", "tracked")}
    assert {row["target"] for row in table} == {"1", "car", "roof"}
    assert [row["time"] for row in table if row["video"].endswith("three")] == [None] * 9


def test_processes_leave_the_same_bytes(jobs: Path) -> None:
    ran(jobs)
    (jobs.parent / "tracks").rename(jobs.parent / "alone")
    ran(jobs, Processes(2))
    for path in (jobs.parent / "alone").iterdir():
        assert (jobs.parent / "tracks" / path.name).read_bytes() == path.read_bytes()


def test_what_is_complete_is_left_alone_until_something_changes(jobs: Path) -> None:
    ran(jobs)
    assert len(ran(jobs).skipped) == 3
    shutil.copy(jobs.parent / "two.mp4", jobs.parent / "one.mp4")
    assert list(ran(jobs).made.values()) == [8]
    jobs.write_text(jobs.read_text().replace("one.mp4,20", "one.mp4,21"))
    assert list(ran(jobs).made) == [str(jobs.parent / "one.mp4")]
    assert len(ran(jobs, made_by="another").made) == 3
    [path] = (jobs.parent / "tracks").glob("one-*.parquet")
    path.write_bytes(path.read_bytes()[:100])
    assert list(ran(jobs, made_by="another").made) == [str(jobs.parent / "one.mp4")]


def test_a_broken_video_is_told_and_keeps_what_came_before(jobs: Path) -> None:
    make_video(jobs.parent / "one.mp4", 120, noise=True)
    whole = (jobs.parent / "one.mp4").read_bytes()
    (jobs.parent / "one.mp4").write_bytes(whole[: len(whole) // 2])
    (jobs.parent / "two.mp4").unlink()
    done = ran(jobs)
    assert list(done.made.values()) == [9]
    assert "does not exist" in done.failed[str(jobs.parent / "two.mp4")]
    told = done.failed[str(jobs.parent / "one.mp4")]
    kept = [row for row in rows(jobs.parent / "tracks") if row["video"].endswith("one.mp4")]
    assert 0 < len(kept) < 120
    assert f"Kept: {len(kept)} frames." in told
    assert set(ran(jobs).failed) == set(done.failed)  # tried again


class Deadly(NetworkMethod):
    """Kills its process on a video whose target begins at x = 22."""

    def begin(self, frame: Frame, box: Box) -> Target:
        if box.x == 22:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().begin(frame, box)


def test_a_video_that_kills_its_workers_does_not_stop_the_others(jobs: Path) -> None:
    done = ran(jobs, Processes(1), method=Deadly)
    assert len(done.made) == 2
    assert "SIGKILL" in done.failed[str(jobs.parent / "two.mp4")]


def test_lists_are_csv_or_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"source": "v.mp4", "x": 1, "y": 2, "w": 3, "h": 4}\n\n{"source": "rtsp://there", "x": 1, "y": 2, "w": 3, "h": 4, "start": 5}\n'
    )
    first, second = read_jobs(tmp_path / "a.jsonl")
    assert (first.source, first.start, first.marks) == (str(tmp_path / "v.mp4"), 0, [Mark("1", Box(1, 2, 3, 4))])
    assert (second.source, second.start) == ("rtsp://there", 5)


def test_targets_of_a_list_come_and_go_in_one_pass(jobs: Path) -> None:
    jobs.write_text("source;frame;last;name;x;y;w;h\none.mp4;;3;car;20;40;24;24\none.mp4;0:00.2;;man;30;40;24;24\n")
    [job] = read_jobs(jobs)
    assert job.marks == [Mark("car", (20, 40, 24, 24), None, 3), Mark("man", (30, 40, 24, 24), Seconds(0.2))]
    assert list(ran(jobs).made.values()) == [12]
    found = [(row["frame"], row["target"]) for row in rows(jobs.parent / "tracks")]
    assert found == [(i, "car") for i in range(4)] + [(i, "man") for i in range(5, 12)]
    assert len(ran(jobs).skipped) == 1
    jobs.write_text(jobs.read_text().replace(";3;", ";4;"))
    assert list(ran(jobs).made.values()) == [12]


def test_what_a_row_leaves_out_at_its_end_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("source,x,y,w,h,start,target\nv.mp4,1,2,3,4\nv.mp4,1,2,3,4,7.0\nv.mp4,1,2,3,4,,car,,\n")
    first, second = read_jobs(tmp_path / "a.csv")
    assert [mark.key for mark in first.marks] == ["1", "car"]
    assert second.start == 7


@pytest.mark.parametrize(
    "name,text,told",
    [
        ("a.csv", HEAD, "has no boxes"),
        ("a.csv", "source,x,y,w\nv.mp4,1,2,3\n", "no column 'h'"),
        ("a.csv", HEAD + "v.mp4,1,2,3,wide\n", r"a\.csv:2: column 5 \(h\) is 'wide'"),
        ("a.csv", HEAD + "v.mp4,1,2,3\n", r"a\.csv:2: 4 columns, and 5 in the first line"),
        ("a.csv", HEAD + "v.mp4,1,2,3,nan\n", r"a\.csv:2: column 5 \(h\) is 'nan'"),
        ("a.csv", HEAD + ",1,2,3,4\n", r"a\.csv:2 has no source"),
        ("a.csv", "x,y,w,h\n1,2,3,4\n", r"a\.csv:2 has no source"),
        ("a.csv", "source,x,y,w,h,target\nv,1,2,3,4,a\nv,1,2,3,4,a\n", r"a\.csv:3: target 'a' is marked twice"),
        ("a.csv", "source,x,y,w,h,frame,last\nv,1,2,3,4,9,5\n", r"a\.csv:2: column 7 \(last\) is 5, before frame 9"),
        ("a.jsonl", "{}\n", r"a\.jsonl:1 has no 'x'"),
        ("a.jsonl", "[1]\n", r"a\.jsonl:1 has no 'x'"),
        (
            "a.jsonl",
            '{"source": "v", "x": 1, "y": 2, "w": 3, "h": 4, "start": -1}\n',
            r"a\.jsonl:1: 'start' is -1; expected the number of a frame",
        ),
    ],
)
def test_a_wrong_list_names_the_line(name: str, text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadData, match=told):
        read_jobs(tmp_path / name)


def test_sources_of_one_name_have_files_of_their_own() -> None:
    jobs = [Job("a/clip.mp4", 0, []), Job("b/clip.mp4", 0, []), Job("a/clip.mp4", 7, []), Job("rtsp://host/a b?c", 0, [])]
    assert len({job.file for job in jobs}) == 4
    assert all(job.file.replace("-", "").replace(".", "").replace("_", "").isalnum() for job in jobs)
