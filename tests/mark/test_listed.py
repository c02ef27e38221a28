from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sightline import BadData, Mark, Seconds, read_marks
from sightline.mark import most_at_once


def marks(folder: Path, name: str, text: str, **options: Any) -> list[Mark[int | str]]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_marks(path, **options)


def test_a_row_is_a_target_and_those_without_a_name_are_numbered(tmp_path: Path) -> None:
    found = marks(tmp_path, "boxes.csv", "x,y,w,h,name\n1,2,30,40,car\n5,6,7.5,8,\n9,9,9,9,12\n\n-4,0,8,8,\n")
    assert found == [
        Mark("car", (1, 2, 30, 40)),
        Mark(1, (5, 6, 7.5, 8)),
        Mark(12, (9, 9, 9, 9)),
        Mark(2, (-4, 0, 8, 8)),
    ]
    assert [mark.key for mark in marks(tmp_path, "boxes.csv", "1,2,3,4\n5,6,7,8\n", first=4)] == [4, 5]


TWO = [Mark("car", (1, 2, 30, 40), 0, 20), Mark("man, old", (5, 6, 7.5, 8), 12)]


@pytest.mark.parametrize(
    "name,text",
    [
        ("boxes.csv", 'name,x,y,w,h,frame,last\ncar,1,2,30,40,0,20\n"man, old",5,6,7.5,8,12,\n'),
        ("boxes.csv", "\ufeffLast; Frame; Left; Top; Width; Height; ID\r\n20; 0; 1; 2; 30; 40; car\r\n;12; 5; 6; 7.5; 8; man, old\r\n"),
        (
            "boxes.json",
            '[{"name": "car", "box": [1, 2, 30, 40], "frame": 0, "last": 20, "a": 1},\n{"id": "man, old", "bbox": [5, 6, 7.5, 8], "frame": 12}]',
        ),
        (
            "boxes.json",
            '{"car": {"box": [1, 2, 30, 40], "frame": 0, "last": 20}, "man, old": {"x": 5, "y": 6, "w": 7.5, "h": 8, "frame": 12}}',
        ),
        (
            "boxes.jsonl",
            '{"name": "car", "left": 1, "top": 2, "width": 30, "height": 40, "last": 20, "frame": 0}\n\n{"id": "man, old", "box": [5, 6, 7.5, 8], "frame": 12}',
        ),
    ],
    ids=["csv", "other words", "list", "object", "jsonl"],
)
def test_the_same_targets_come_from_every_kind_of_file(tmp_path: Path, name: str, text: str) -> None:
    assert marks(tmp_path, name, text) == TWO


def test_a_name_of_two_lines_stays_one_of_two_lines(tmp_path: Path) -> None:
    found = marks(tmp_path, "boxes.csv", 'name,x,y,w,h\n"a\nb",1,2,30,40\nab,5,6,7,8\n')
    assert [mark.key for mark in found] == ["a\nb", "ab"]


@pytest.mark.parametrize(
    "name,text",
    [
        ("boxes.csv", "1,2,3,4\n5,6,7,8\n"),
        ("boxes.json", "[[1, 2, 3, 4], [5, 6, 7, 8]]"),
        ("boxes.json", '{"1": [1, 2, 3, 4], "2": [5, 6, 7, 8]}'),
        ("boxes.jsonl", "[1, 2, 3, 4]\n[5, 6, 7, 8]"),
        ("boxes.csv", "x\ty\tw\th\n1\t2\t3\t4\n5\t6\t7\t8\n"),
    ],
)
def test_boxes_alone_are_enough(tmp_path: Path, name: str, text: str) -> None:
    assert marks(tmp_path, name, text) == [Mark(1, (1, 2, 3, 4)), Mark(2, (5, 6, 7, 8))]


def test_one_object_of_json_is_one_target(tmp_path: Path) -> None:
    assert marks(tmp_path, "boxes.json", '{"x": 1, "y": 2, "w": 3, "h": 4, "name": "car"}') == [Mark("car", (1, 2, 3, 4))]


def test_a_name_that_comes_again_later_is_marked_anew(tmp_path: Path) -> None:
    found = marks(tmp_path, "boxes.csv", "name,frame,x,y,w,h\ncar,0,1,2,3,4\ncar,50,5,6,7,8\n")
    assert found == [Mark("car", (1, 2, 3, 4), 0), Mark("car", (5, 6, 7, 8), 50)]


@pytest.mark.parametrize("name,between", [("mot.txt", ","), ("mot.txt", " "), ("mot.csv", ",")])
def test_mot_challenge_counts_from_one_and_a_target_lasts_from_its_first_row_to_its_last(tmp_path: Path, name: str, between: str) -> None:
    rows = ["3,7,11,21,30,40,1,-1,-1,-1", "1,7,1,2,30,40,1,-1,-1,-1", "2,9,5,6,7.5,8,1,-1,-1,-1"]
    found = marks(tmp_path, name, "".join(row.replace(",", between) + "\n" for row in rows))
    assert found == [Mark(7, (0, 1, 30, 40), 0, 2), Mark(9, (4, 5, 7.5, 8), 1, 1)]


def test_a_track_without_names_is_one_target(tmp_path: Path) -> None:
    text = "frame,time,x,y,w,h,score,status\n5,0.2,1,2,3,4,1.0000,tracked\n6,0.24,2,2,3,4,,lost\n"
    assert marks(tmp_path, "track.csv", text) == [Mark(1, (1, 2, 3, 4), 5, 6)]


def test_a_track_begins_where_its_target_is_first_seen(tmp_path: Path) -> None:
    text = "frame,target,x,y,w,h,status\n4,a,9,9,9,9,lost\n4,b,8,8,8,8,lost\n5,a,1,2,3,4,uncertain\n6,a,9,9,9,9,lost\n"
    assert marks(tmp_path, "track.csv", text) == [Mark("a", (1, 2, 3, 4), 5, 6)]


@pytest.mark.parametrize(
    "written,moment",
    [
        ("12", 12),
        ("12.0", 12),
        ("12.5s", Seconds(12.5)),
        (".5 s", Seconds(0.5)),
        ("0:12.5", Seconds(12.5)),
        ("75:00", Seconds(4500)),
        ("1:02:03.25", Seconds(3723.25)),
        ("3s", Seconds(3)),
    ],
)
def test_a_target_begins_at_a_frame_or_at_a_time(tmp_path: Path, written: str, moment: int | Seconds) -> None:
    for column in ("frame", "start"):
        [mark] = marks(tmp_path, "boxes.csv", f"x,y,w,h,{column},last\n1,2,3,4,{written},9999\n")
        assert (mark.frame, type(mark.frame)) == (moment, type(moment))
    [mark] = marks(tmp_path, "boxes.json", json.dumps([{"box": [1, 2, 3, 4], "last": written}]))
    assert (mark.last, type(mark.last)) == (moment, type(moment))


def test_a_column_of_times_has_seconds(tmp_path: Path) -> None:
    found = marks(tmp_path, "boxes.csv", "x,y,w,h,time\n1,2,3,4,12\n1,2,3,4,0:13\n")
    assert [repr(mark.frame) for mark in found] == ["12.0", "13.0"]


LISTS = "source,x,y,w,h,start,target\na.mp4,1,2,3,4,,car\nb.mp4,5,6,7,8,30,\nrtsp://there,5,6,7,8,,\n"


def test_of_a_list_of_many_videos_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert marks(tmp_path, "videos.csv", LISTS, source=str(tmp_path / "b.mp4")) == [Mark(1, (5, 6, 7, 8), 30)]
    assert marks(tmp_path, "videos.csv", LISTS, source="rtsp://there") == [Mark(1, (5, 6, 7, 8))]
    monkeypatch.chdir(tmp_path.parent)
    assert marks(tmp_path, "videos.csv", LISTS, source=f"{tmp_path.name}/a.mp4") == [Mark("car", (1, 2, 3, 4))]
    assert marks(tmp_path, "videos.csv", "\n".join(LISTS.splitlines()[:2])) == [Mark("car", (1, 2, 3, 4))]
    with pytest.raises(BadData, match=r"has no target of c\.mp4; its column source names a\.mp4, b\.mp4, rtsp://there\."):
        marks(tmp_path, "videos.csv", LISTS, source="c.mp4")
    with pytest.raises(BadData, match="has no target of one video alone"):
        marks(tmp_path, "videos.csv", LISTS)


def test_a_text_of_one_box_is_one_target(tmp_path: Path) -> None:
    assert marks(tmp_path, "box.txt", "1 2\t3, 4\n") == [Mark(1, (1, 2, 3, 4))]


@pytest.mark.parametrize(
    "name,text,told",
    [
        ("b.csv", "x,y,w,h\n1,2,3,4\n1,2,wide,4\n", "b.csv:3: column 3 (w) is 'wide'; expected a number"),
        ("b.csv", "x,y,w,h\n1,2,nan,4\n", "b.csv:2: column 3 (w) is 'nan'"),
        ("b.csv", "name,x,y,w,h\na,1,2,3,0\n", "b.csv:2: column 5 (h) is 0; expected a size"),
        ("b.csv", "x,y,w,h\n1,2,3\n", "b.csv:2: 3 columns, and 4 in the first line"),
        ("b.csv", "x1,y1,x2,y2\n1,2,3,4\n", "b.csv:1: no column 'x' in 'x1,y1,x2,y2'"),
        ("b.csv", "car,1,2,3,4\n", "b.csv:1: no column 'x'"),
        ("b.csv", "1,2,3,4,5\n", "b.csv:1: 5 numbers; expected four"),
        ("b.csv", "x,y,w,h,frame\n1,2,3,4,1.5\n", "b.csv:2: column 5 (frame) is '1.5'; expected the number of a frame"),
        (
            "b.csv",
            "x,y,w,h,frame\n1,2,3,4,soon\n",
            "b.csv:2: column 5 (frame) is 'soon'; expected the number of a frame, from 0 on, or a time",
        ),
        ("b.csv", "x,y,w,h,frame\n1,2,3,4,0:75\n", "b.csv:2: column 5 (frame) is '0:75'"),
        ("b.csv", "x,y,w,h,frame\n1,2,3,4,0:01:02:13\n", "b.csv:2: column 5 (frame) is '0:01:02:13'"),
        ("b.csv", "x,y,w,h,frame,last\n1,2,3,4,1:05,64.9s\n", "b.csv:2: column 6 (last) is 64.9s, before 65 s"),
        ("b.csv", "x,y,w,h,time\n1,2,3,4,-1\n", "b.csv:2: column 5 (time) is '-1'"),
        ("b.txt", "1s,1,1,2,3,4\n", "b.txt:1: column 1 is 1.0; expected the number of a frame"),
        ("b.csv", "x,y,w,h,score,status\n1,2,3,4,,lost\n1,2,3,4,,lost\n", "b.csv:2: the target is lost here and in all other rows"),
        ("b.csv", "x,y,w,h,frame,last\n1,2,3,4,9,8\n", "b.csv:2: column 6 (last) is 8, before frame 9"),
        ("b.csv", "x,y,w,h,name\n1,2,3,4,a\n1,2,3,4,a\n", "b.csv:3: target 'a' is marked twice"),
        ("b.csv", "x,y,w,h\n", "b.csv has no boxes"),
        ("b.csv", "", "b.csv has no boxes"),
        ("b.txt", "1,2,3,4\n5,6,7,8\n", "for the first line alone give --box 1,2,3,4"),
        ("b.txt", "1,1,1,2,3,4\n0,1,1,2,3,4\n", "b.txt:2: column 1 is 0; expected the number of a frame"),
        ("b.txt", "1,-1,1,2,3,4,0.9\n", "b.txt:1: column 2 is -1: boxes without identities"),
        ("b.txt", "1,1,1,2,3\n", "b.txt:1: 5 numbers"),
        ("b.json", '[{"x": 1,\n "y": }]', "b.json: no JSON (Expecting value at line 2 column 7)"),
        ("b.json", "[[1, 2, 3, 4], [1, 2, 3]]", "b.json: entry 2 has no 'x'"),
        ("b.json", '{"car": [1, 2, 3, true]}', "b.json: 'car': 'h' is True"),
        ("b.json", '[{"left": 1, "top": null, "width": 3, "height": 4}]', "b.json: entry 1: 'top' is None"),
        ("b.json", "3", "b.json is neither a list nor an object"),
        ("b.json", "[]", "b.json has no boxes"),
        ("b.jsonl", "[1, 2, 3, 4]\n{x}\n", "b.jsonl:2: no JSON (Expecting property name enclosed in double quotes at column 2)"),
        ("b.xml", "", "has the suffix '.xml'"),
        ("b.csv", 'x,y,w,h\n"1,2,3,4\n', "b.csv:2: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(BadData) as caught:
        marks(tmp_path, name, text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_bad_data(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="does not exist"):
        read_marks(tmp_path / "boxes.csv")
    (tmp_path / "boxes.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(BadData, match="cannot be read"):
        read_marks(tmp_path / "boxes.csv")


@pytest.mark.parametrize(
    "spans, expected",
    [
        ([], 0),
        ([("a", None, Seconds(1.5)), ("b", Seconds(1.6), None)], 1),
        ([("a", None, Seconds(1.5)), ("b", 70, None)], 2),
        ([("a", None, None), ("b", None, None)], 2),
        ([("a", 0, 3), ("b", 4, 9), ("c", 10, None)], 1),
        ([("a", 0, 4), ("b", 4, 9), ("c", 2, 5)], 3),
        ([("a", 3, None), ("a", 7, None), ("b", 5, 6)], 2),
    ],
    ids=["nobody", "by times", "by a time and a frame", "from the first frame", "one after the other", "in one frame", "marked again"],
)
def test_the_most_targets_of_a_frame(spans: list[tuple[str, int | Seconds | None, int | Seconds | None]], expected: int) -> None:
    assert most_at_once(Mark(name, (0, 0, 1, 1), frame, last) for name, frame, last in spans) == expected
