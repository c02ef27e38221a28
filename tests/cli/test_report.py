from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sightline.cli import main
from tests.evaluate.folders import make_sequences


@pytest.fixture
def words(tmp_path: Path, fake_tracker: object, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """A report over two sequences that were tracked already."""
    assert fake_tracker
    root = make_sequences(tmp_path / "data", ["a", "b"])
    data = ["--dataset", "folder", "--root", str(root), "--output"]
    assert main(["eval", "--tracker", "kestrel-nano", *data, str(tmp_path / "results")]) == 0
    capsys.readouterr()
    return ["report", str(tmp_path / "results" / "folder"), *data, str(tmp_path / "report")]


def test_a_report_is_written_from_what_eval_left(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "1 tracker on 2 of 2 sequences of folder." in printed
    assert f"written: {tmp_path / 'report' / 'report.html'}" in printed
    assert (tmp_path / "report" / "plots" / "speed.png").read_bytes().startswith(b"\x89PNG")
    assert "fake" in (tmp_path / "report" / "report.md").read_text()


def test_a_gap_is_code_2_and_nothing_is_written(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results" / "folder" / "fake" / "b.txt").unlink()
    assert main(words) == 2
    assert "1 result is missing or wrong: fake/b (no result)" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()
    assert main([*words, "--partial"]) == 0
    assert "LEFT OUT: b: fake: no result" in capsys.readouterr().out


def test_without_matplotlib_the_extra_is_named(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(words) == 2
    assert "pip install 'sightline[plots]'" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    "change,told",
    [
        (lambda words: ["report", *words[2:]], "no folder of results"),
        (lambda words: [*words, "--page-mb", "-1"], "--page-mb is -1"),
        (lambda words: ["report", "nowhere", *words[2:]], "nowhere holds no results"),
    ],
    ids=["no folder", "negative", "nowhere"],
)
def test_what_makes_no_sense_is_refused(change: object, told: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(change)
    assert main(change(words)) == 2
    assert told in capsys.readouterr().err
