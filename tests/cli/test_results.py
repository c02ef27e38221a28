from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from sightline.box import Box
from sightline.cli.results import ResultsFile, Row

ROWS = (
    Row(frame=3, time=0.12, box=Box(1, 2.5, 30, 40.12345), score=1.0, status="tracked"),
    Row(frame=4, time=None, box=Box(-1.5, 2, 30, 40), score=math.nan, status="lost"),
)


def written(path: Path) -> str:
    file = ResultsFile(path)
    for row in ROWS:
        file.write(row)
    file.finish()
    file.commit()
    return path.read_text(encoding="utf-8")


def test_csv_has_a_header_and_leaves_unknown_values_empty(tmp_path: Path) -> None:
    assert written(tmp_path / "track.csv") == (
        "frame,time,x,y,w,h,score,status\n3,0.120000,1.000,2.500,30.000,40.123,1.0000,tracked\n4,,-1.500,2.000,30.000,40.000,,lost\n"
    )


def test_jsonl_has_the_same_keys_in_the_same_order(tmp_path: Path) -> None:
    first, second = (json.loads(line) for line in written(tmp_path / "track.jsonl").splitlines())
    assert ",".join(first) == "frame,time,x,y,w,h,score,status"
    assert first == {"frame": 3, "time": 0.12, "x": 1, "y": 2.5, "w": 30, "h": 40.123, "score": 1.0, "status": "tracked"}
    assert second["time"] is None
    assert second["score"] is None


def test_txt_is_plain_boxes(tmp_path: Path) -> None:
    assert written(tmp_path / "track.txt") == "1.000,2.500,30.000,40.123\n-1.500,2.000,30.000,40.000\n"


def test_nothing_stands_under_the_name_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "track.csv"
    file = ResultsFile(path)
    file.write(ROWS[0])
    assert not path.exists()
    file.finish()
    file.commit()
    assert [entry.name for entry in tmp_path.iterdir()] == ["track.csv"]


def test_giving_up_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "track.csv"
    path.write_text("older")
    file = ResultsFile(path)
    file.write(ROWS[0])
    file.abort()
    assert path.read_text() == "older"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("suffix", [".csv", ".CSV"])
def test_the_case_of_a_suffix_does_not_matter(tmp_path: Path, suffix: str) -> None:
    assert written(tmp_path / f"track{suffix}").startswith("frame,")


def test_mot_challenge_has_no_row_where_a_target_is_lost_and_the_others_have_one(tmp_path: Path) -> None:
    rows = [row._replace(target="car", number=7) for row in ROWS]
    texts = {}
    for suffix in (".txt", ".csv", ".jsonl"):
        file = ResultsFile(tmp_path / f"track{suffix}", several=True)
        for row in rows:
            file.write(row)
        file.finish()
        file.commit()
        texts[suffix] = file.path.read_text(encoding="utf-8")
    assert texts[".txt"] == "4,7,2.000,3.500,30.000,40.123,1.0000,-1,-1,-1\n"
    assert texts[".csv"].splitlines()[2] == "4,,car,-1.500,2.000,30.000,40.000,,lost"
    assert json.loads(texts[".jsonl"].splitlines()[1])["status"] == "lost"


def test_two_who_write_the_same_file_leave_that_of_one_of_them(tmp_path: Path) -> None:
    first, second = (ResultsFile(tmp_path / "track.csv") for _ in range(2))
    for file, count in ((first, 1), (second, 2)):
        for row in ROWS[:count]:
            file.write(row)
        file.finish()
    first.commit()
    second.commit()
    assert (tmp_path / "track.csv").read_text().count("\n") == 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["track.csv"]


def test_a_name_of_bytes_that_are_no_text_is_written_escaped(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "track.csv", several=True)
    file.write(ROWS[0]._replace(target="car \udcff"))
    file.finish()
    file.commit()
    assert "car \\udcff" in (tmp_path / "track.csv").read_text(encoding="utf-8")
