from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sightline.cli import main
from tests.cli.clips import make_video

pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra `parquet`)")


@pytest.fixture
def words(tmp_path: Path, fake_tracker: object) -> list[str]:
    assert fake_tracker
    make_video(tmp_path / "one.mp4")
    (tmp_path / "jobs.csv").write_text("source,x,y,w,h\none.mp4,20,40,24,24\n")
    return ["batch", str(tmp_path / "jobs.csv"), "--output", str(tmp_path / "tracks")]


def test_a_run_says_what_it_did_and_the_next_one_that_it_is_done(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert "fake followed 12 frames of 1 of 1 videos." in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["made"], len(told["skipped"]), told["failed"]) == ({}, 1, {})


def test_a_video_that_fails_is_exit_code_2_after_the_others(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "jobs.csv").open("a") as file:
        file.write("nowhere.mp4,20,40,24,24\n")
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert "followed 12 frames of 1 of 2 videos" in out
    assert f"FAILED: {tmp_path / 'nowhere.mp4'}" in out
    assert "1 of 2 videos failed: nowhere.mp4." in err
    assert len(list((tmp_path / "tracks").glob("*.parquet"))) == 1


@pytest.mark.parametrize(
    "change,told",
    [(["--workers", "0"], "--workers is 0"), (["--threads", "0"], "--threads is 0")],
)
def test_what_makes_no_sense_is_one_line(change: list[str], told: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, *change]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("module,extra,options", [("pyarrow", "parquet", []), ("ray", "ray", ["--ray", "local"])])
def test_without_a_library_the_extra_is_named(
    module: str, extra: str, options: list[str], words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("sightline.batch", "sightline.fleet.cluster"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    assert main([*words, *options]) == 2
    assert f"pip install 'sightline[{extra}]'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_loaded(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    words[words.index("--output") + 1] = str(tmp_path / "file" / "tracks")
    assert main(words) == 2
    error = capsys.readouterr().err
    assert f"--output: {tmp_path / 'file'} is a file, and no folder to write to" in error
    assert error.count("\n") == 1
