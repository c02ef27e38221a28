from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate.clips import Clip, open_dataset
from sightline.evaluate.layouts import LAYOUTS
from tests.evaluate.folders import touch_images, write

NAN = [np.nan] * 4


def numbered(first: int, last: int, digits: int = 8, suffix: str = ".jpg") -> list[str]:
    return [f"{i:0{digits}d}{suffix}" for i in range(first, last + 1)]


def names_of(clip: Clip) -> list[str]:
    return [Path(frame).name for frame in clip.frames]


def check(clip: Clip, truth: list[list[float]], visible: list[bool]) -> None:
    np.testing.assert_array_equal(clip.truth, np.array(truth))
    assert clip.visible.tolist() == visible
    assert len(clip.frames) == len(truth)


def test_a_folder_of_sequences_is_read_as_it_is(tmp_path: Path) -> None:
    touch_images(tmp_path / "b" / "img", ["2.jpg", "10.jpg", "1.png", "notes.txt", ".3.jpg"])
    write(tmp_path / "b" / "groundtruth.txt", "1.5,2,3,4\nNaN,NaN,NaN,NaN\n5,6,7,8\n\n")
    touch_images(tmp_path / "a" / "img", ["1.jpg"])
    write(tmp_path / "a" / "groundtruth.txt", "0,0,1,1")
    dataset = open_dataset("folder", tmp_path)
    assert [clip.name for clip in dataset] == ["a", "b"]
    assert names_of(dataset[1]) == ["1.png", "2.jpg", "10.jpg"]
    check(dataset[1], [[1.5, 2, 3, 4], NAN, [5, 6, 7, 8]], [True, False, True])


def test_otb_counts_from_one_and_jogging_has_two_targets(tmp_path: Path) -> None:
    touch_images(tmp_path / "Jogging" / "img", numbered(1, 2, 4))
    write(tmp_path / "Jogging" / "groundtruth_rect.1.txt", "112,80,25,101\n113\t81\t25\t101\n")
    write(tmp_path / "Jogging" / "groundtruth_rect.2.txt", "181 77 37 116\n180 77 37 116\n")
    dataset = open_dataset("otb100", tmp_path)
    assert [clip.name for clip in dataset] == ["Jogging_1", "Jogging_2"]
    check(dataset[0], [[111, 79, 25, 101], [112, 80, 25, 101]], [True, True])
    check(dataset[1], [[180, 76, 37, 116], [179, 76, 37, 116]], [True, True])
    assert len(dataset.missing) == 98
    assert dataset.missing["Basketball"] == "no Basketball/groundtruth_rect.txt"


def test_otb_leaves_out_images_that_are_not_annotated(tmp_path: Path) -> None:
    touch_images(tmp_path / "David" / "img", numbered(1, 770, 4))
    write(tmp_path / "David" / "groundtruth_rect.txt", "129,80,64,78\n" * 471)
    touch_images(tmp_path / "Tiger1" / "img", numbered(1, 354, 4))
    write(tmp_path / "Tiger1" / "groundtruth_rect.txt", "".join(f"{i},88,76,84\n" for i in range(1, 355)))
    david, tiger = open_dataset("OTB100", tmp_path)
    assert (names_of(david)[0], names_of(david)[-1], len(david.frames)) == ("0300.jpg", "0770.jpg", 471)
    assert (names_of(tiger)[0], tiger.truth[0, 0], len(tiger.frames)) == ("0006.jpg", 5.0, 349)


def test_otb50_and_otb2013_are_parts_of_otb100() -> None:
    assert (len(LAYOUTS["otb100"].names), len(LAYOUTS["otb50"].names), len(LAYOUTS["otb2013"].names)) == (100, 50, 51)
    assert set(LAYOUTS["otb50"].names) | set(LAYOUTS["otb2013"].names) <= set(LAYOUTS["otb100"].names)


@pytest.mark.parametrize("name, sequence", [("lasot", "airplane-1"), ("lasot_ext", "atv-1")])
def test_lasot_marks_hidden_and_absent_targets(name: str, sequence: str, tmp_path: Path) -> None:
    folder = tmp_path / sequence.rpartition("-")[0] / sequence
    touch_images(folder / "img", numbered(1, 4))
    write(folder / "groundtruth.txt", "1,2,3,4\n2,2,3,4\n0,0,0,0\n4,2,3,4\n")
    write(folder / "full_occlusion.txt", "0,1,0,0\n")
    write(folder / "out_of_view.txt", "0\n0\n1\n0\n")  # both ways of writing are around
    clip = open_dataset(name, tmp_path)[0]
    assert clip.name == sequence
    check(clip, [[1, 2, 3, 4], [2, 2, 3, 4], NAN, [4, 2, 3, 4]], [True, False, False, True])


def test_lasot_train_is_what_is_not_test(tmp_path: Path) -> None:
    for name in ("airplane-1", "airplane-2"):
        touch_images(tmp_path / "airplane" / name / "img", numbered(1, 1))
        write(tmp_path / "airplane" / name / "groundtruth.txt", "1,2,3,4\n")
    assert [clip.name for clip in open_dataset("lasot:train", tmp_path)] == ["airplane-2"]
    assert [clip.name for clip in open_dataset("lasot:test", tmp_path)] == ["airplane-1"]


def test_lasot_leaves_out_images_after_the_last_row_and_counts_them(tmp_path: Path) -> None:
    touch_images(tmp_path / "monkey" / "monkey-17" / "img", numbered(1, 5))
    write(tmp_path / "monkey" / "monkey-17" / "groundtruth.txt", "1,2,3,4\n1,2,3,4\n1,2,3,4\n")
    clip = open_dataset("lasot", tmp_path)[0]
    assert (names_of(clip), clip.dropped) == (numbered(1, 3), 2)


@pytest.mark.parametrize("below", ["val", ""], ids=["root", "split"])
def test_got10k_val_marks_absence_and_no_cover(below: str, tmp_path: Path) -> None:
    folder = tmp_path / below / "GOT-10k_Val_000002"
    touch_images(folder, [*numbered(1, 3), "cover.png.txt"])
    write(folder / "groundtruth.txt", "1.0000,2.0000,3.5000,4.0000\n2,2,3,4\n3,2,3,4\n")
    write(folder / "absence.label", "0\n1\n0\n")
    write(folder / "cover.label", "8\n4\n0\n")
    dataset = open_dataset("GOT10k:val", tmp_path)
    check(dataset[0], [[1, 2, 3.5, 4], [2, 2, 3, 4], [3, 2, 3, 4]], [True, False, False])
    assert len(dataset.missing) == 179


def test_got10k_test_has_one_row_and_is_not_scored(tmp_path: Path) -> None:
    touch_images(tmp_path / "test" / "GOT-10k_Test_000001", numbered(1, 3))
    write(tmp_path / "test" / "GOT-10k_Test_000001" / "groundtruth.txt", "1,2,3,4\n")
    dataset = open_dataset("got10k:test", tmp_path)
    check(dataset[0], [[1, 2, 3, 4], NAN, NAN], [True, False, False])
    assert not dataset.scored


def test_trackingnet_numbers_its_images_without_zeros(tmp_path: Path) -> None:
    name = LAYOUTS["trackingnet"].names[0]
    for split in ("TEST", "TRAIN_3"):
        touch_images(tmp_path / split / "frames" / name, [f"{i}.jpg" for i in range(12)])
    write(tmp_path / "TEST" / "anno" / f"{name}.txt", "1,2,3,4\n")
    write(tmp_path / "TRAIN_3" / "anno" / f"{name}.txt", "1,2,3,4\n" * 12)
    test, train = open_dataset("trackingnet", tmp_path), open_dataset("trackingnet:train", tmp_path)
    assert names_of(test[0]) == names_of(train[0]) == [f"{i}.jpg" for i in range(12)]
    assert (len(LAYOUTS["trackingnet"].names), test.scored, train.scored) == (511, False, True)
    assert train[0].visible.all()


def test_uav123_has_several_targets_in_one_folder(tmp_path: Path) -> None:
    touch_images(tmp_path / "data_seq" / "UAV123" / "bird1", numbered(1, 2437, 6))
    for name, length in (("bird1_1", 253), ("bird1_2", 703), ("bird1_3", 865)):
        write(tmp_path / "anno" / "UAV123" / f"{name}.txt", "5,6,7,8\n" + "NaN,NaN,NaN,NaN\n" * (length - 1))
    write(tmp_path / "anno" / "UAV20L" / "bird1.txt", "5,6,7,8\n" * 2437)
    clips = open_dataset("uav123", tmp_path)
    ends = [(clip.name, names_of(clip)[0], names_of(clip)[-1]) for clip in clips]
    assert ends == [
        ("bird1_1", "000001.jpg", "000253.jpg"),
        ("bird1_2", "000775.jpg", "001477.jpg"),
        ("bird1_3", "001573.jpg", "002437.jpg"),
    ]
    assert clips[0].truth[0].tolist() == [4, 5, 7, 8]
    assert np.isnan(clips[0].truth[1:]).all()
    assert [(clip.name, len(clip.frames)) for clip in open_dataset("uav20l", tmp_path)] == [("bird1", 2437)]


def test_nfs_has_corners_and_eight_rows_for_an_image(tmp_path: Path) -> None:
    for rate, count in (("30", 3), ("240", 17)):
        touch_images(tmp_path / "Gymnastics" / rate / "Gymnastics", numbered(1, count, 5))
        rows = [f'0 {i} 20 {i + 30} 60 {i} 0 0 0 "person"\n' for i in range(17)]
        write(tmp_path / "Gymnastics" / rate / "Gymnastics.txt", "".join(rows))
    [clip] = open_dataset("nfs", tmp_path)
    check(clip, [[0, 20, 30, 40], [8, 20, 30, 40], [16, 20, 30, 40]], [True] * 3)
    [fast] = open_dataset("nfs:240", tmp_path)
    assert fast.truth[:, 0].tolist() == list(range(17))


def test_nfs_may_be_one_row_short(tmp_path: Path) -> None:
    touch_images(tmp_path / "sequences" / "Gymnastics", numbered(1, 3, 5))
    write(tmp_path / "anno" / "nfs_Gymnastics.txt", "1\t2\t3\t4\n2\t2\t3\t4\n")
    [clip] = open_dataset("nfs:converted", tmp_path)
    check(clip, [[1, 2, 3, 4], [2, 2, 3, 4]], [True] * 2)
    assert clip.dropped == 1


def test_tnl2k_sorts_whatever_its_images_are_called(tmp_path: Path) -> None:
    name = LAYOUTS["tnl2k"].names[0]
    touch_images(tmp_path / name / "imgs", ["Frame_10.png", "Frame_9.png"])
    write(tmp_path / name / "groundtruth.txt", "1,2,3,4\n0,0,0,0\n")
    [clip] = open_dataset("tnl2k", tmp_path)
    assert names_of(clip) == ["Frame_9.png", "Frame_10.png"]
    check(clip, [[1, 2, 3, 4], NAN], [True, False])
    assert len(LAYOUTS["tnl2k"].names) == 700


def test_dtb70_is_whatever_is_found(tmp_path: Path) -> None:
    touch_images(tmp_path / "Gull2" / "img", numbered(1, 2, 5))
    write(tmp_path / "Gull2" / "groundtruth_rect.txt", "11,12,3,4\n12,12,3,4\n")
    touch_images(tmp_path / "Animal1" / "img", numbered(1, 2, 5))
    dataset = open_dataset("dtb70", tmp_path)
    check(dataset[0], [[10, 11, 3, 4], [11, 11, 3, 4]], [True, True])
    assert dataset.missing == {"Animal1": "no Animal1/groundtruth_rect.txt"}


def test_the_lists_have_the_published_lengths() -> None:
    lengths = {"lasot": 280, "lasot_ext": 150, "got10k:val": 180, "got10k:train": 9335, "uav123": 123, "uav20l": 20, "nfs": 100}
    assert {name: len(set(LAYOUTS[name].names)) for name in lengths} == lengths


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_empty_root_is_answered_by_an_example_of_what_was_expected(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=rf"holds no sequence of {name}; expected files such as {tmp_path}.*"):
        open_dataset(name, tmp_path)
