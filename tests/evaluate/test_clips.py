from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate.clips import boxes_from_file, open_dataset
from tests.evaluate.folders import touch_images, write

SEPARATED = {"commas": ",", "tabs": "\t", "blanks": "   ", "semicolons": ";", "both": ", "}


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """A folder of three frames."""
    touch_images(tmp_path / "root" / "a" / "img", ["1.jpg", "2.jpg", "3.jpg"])
    write(tmp_path / "root" / "a" / "groundtruth.txt", "1,2,3,4\n2,2,3,4\nnan,NAN,NaN,NaN\n")
    return tmp_path / "root" / "a"


@pytest.mark.parametrize("delimiter", SEPARATED.values(), ids=SEPARATED.keys())
def test_every_usual_delimiter_is_read(delimiter: str, tmp_path: Path) -> None:
    write(tmp_path / "boxes.txt", delimiter.join(["1.5", "-2", "3e0", "4"]) + "\r\n\n\n")
    np.testing.assert_array_equal(boxes_from_file(tmp_path / "boxes.txt"), [[1.5, -2, 3, 4]])


WRONG_LINES = {"words": "1,2,three,4", "three numbers": "1,2,3", "nothing": "", "infinite": "1,2,inf,4"}


@pytest.mark.parametrize("line", WRONG_LINES.values(), ids=WRONG_LINES.keys())
def test_a_wrong_line_is_named_with_its_file(line: str, sequence: Path) -> None:
    path = sequence / "groundtruth.txt"
    path.write_text(f"1,2,3,4\n{line}\n1,2,3,4\n")
    with pytest.raises(BadData, match=rf"^{re.escape(str(path))}:2: "):
        open_dataset("folder", sequence.parent)


def test_results_have_four_numbers_and_no_more(tmp_path: Path) -> None:
    write(tmp_path / "boxes.txt", "1,2,3,4\n1,2,3,4,5\n")
    with pytest.raises(BadData, match=r"boxes\.txt:2: "):
        boxes_from_file(tmp_path / "boxes.txt")


@pytest.mark.parametrize("rows", [2, 4])
def test_rows_and_images_have_to_be_as_many(rows: int, sequence: Path) -> None:
    (sequence / "groundtruth.txt").write_text("1,2,3,4\n" * rows)
    with pytest.raises(BadData, match=rf"groundtruth\.txt has rows for {rows} frames, and .* 3 images"):
        open_dataset("folder", sequence.parent)


def test_a_sequence_without_annotation_is_missing_and_not_passed_over(sequence: Path) -> None:
    touch_images(sequence.parent / "b" / "img", ["1.jpg"])
    write(sequence.parent / "c" / "groundtruth.txt", "1,2,3,4\n")
    dataset = open_dataset("folder", sequence.parent)
    assert [clip.name for clip in dataset] == ["a"]
    assert dataset.missing == {"b": "no b/groundtruth.txt", "c": "no folder c/img"}


def test_flags_that_are_too_few_or_no_numbers_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "airplane" / "airplane-1"
    touch_images(folder / "img", ["1.jpg", "2.jpg"])
    write(folder / "groundtruth.txt", "1,2,3,4\n" * 2)
    write(folder / "out_of_view.txt", "0\n")
    with pytest.raises(BadData, match=r"out_of_view\.txt has 1 numbers; expected one for each of 2 frames"):
        open_dataset("lasot", tmp_path)
    write(folder / "out_of_view.txt", "0\nno\n")
    with pytest.raises(BadData, match=r"out_of_view\.txt:2: 'no'"):
        open_dataset("lasot", tmp_path)


def test_the_digest_changes_with_boxes_and_with_images_only(sequence: Path) -> None:
    def digest() -> str:
        return open_dataset("folder", sequence.parent)[0].digest()

    before = digest()
    (sequence / "groundtruth.txt").write_text("1.0;2.0;3.0;4.0\n2,2,3,4\nnan,NAN,NaN,NaN\n\n")  # the same in other words
    assert digest() == before
    (sequence / "groundtruth.txt").write_text("1,2,3,4\n2,2,3,4.5\nnan,NAN,NaN,NaN\n")
    changed = digest()
    assert changed != before
    (sequence / "img" / "2.jpg").write_bytes(b"another picture")
    assert digest() not in (before, changed)


def test_an_image_that_is_gone_is_named(sequence: Path) -> None:
    clip = open_dataset("folder", sequence.parent)[0]
    (sequence / "img" / "2.jpg").unlink()
    with pytest.raises(BadData, match=r"2\.jpg cannot be read"):
        clip.digest()


def test_attributes_are_taken_from_beside_the_annotation(sequence: Path) -> None:
    write(sequence / "meta.json", '{"attributes": ["night", "small"]}')
    assert open_dataset("folder", sequence.parent)[0].attributes == {"night", "small"}
    write(sequence / "meta.json", "[1]")
    with pytest.raises(BadData, match=r"meta\.json is not a JSON object"):
        open_dataset("folder", sequence.parent)


def test_an_unknown_data_set_is_answered_by_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"no data set called 'lasott'; known are folder, otb100, .*lasot"):
        open_dataset("lasott", tmp_path)


def test_a_root_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="nowhere does not exist"):
        open_dataset("folder", tmp_path / "nowhere")


def test_anchors_are_the_signs_of_the_numbers_in_their_file(sequence: Path) -> None:
    assert open_dataset("folder", sequence.parent)[0].anchors is None
    write(sequence / "anchor.value", "1\n-2\n")
    [clip] = open_dataset("folder", sequence.parent)
    assert clip.anchors is not None
    assert clip.anchors.tolist() == [1, -1, 0]


def test_the_digest_of_a_clip_tells_anchors_and_regions_apart(sequence: Path) -> None:
    [clip] = open_dataset("folder", sequence.parent)
    marked = replace(clip, anchors=np.array([1, 0, 0], np.int8))
    outlined = replace(clip, regions=(np.array([1.0, 2, 4, 2, 4, 6]), np.zeros(1), np.zeros(1)))
    assert len({one.digest() for one in (clip, marked, outlined)}) == 3
