from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate.clips import Clip, open_dataset
from sightline.evaluate.region_files import WrittenRegions, box_around, region_from_text
from tests.evaluate.folders import touch_images, write

DIAMOND = "20,10,30,20,20,30,10,20"  # its bounds have twice its area


def test_a_box_a_polygon_and_a_code_are_read_as_numbers() -> None:
    assert region_from_text("1,2.5,3,4").tolist() == [1, 2.5, 3, 4]
    assert region_from_text(DIAMOND).size == 8
    assert region_from_text("2").tolist() == [2]


def test_a_mask_is_runs_of_pixels_outside_and_inside_its_box() -> None:
    mask = region_from_text("m2,1,3,2,1,2,1,1")  # row 1: .XX, row 2: .X and the rest outside
    assert mask.astype(int).tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 1, 0]]


def test_a_mask_that_begins_left_of_the_image_is_cut() -> None:
    assert region_from_text("m -1,0,2,1,0,2").tolist() == [[True]]


@pytest.mark.parametrize("text", ["1,2", "1,2,3,4,5", "m1,1,2,2,9", "m1,1", "boat", "inf,1,2,3"])
def test_what_is_no_region_is_refused_with_file_and_line(text: str, tmp_path: Path) -> None:
    write(tmp_path / "groundtruth.txt", f"1,2,3,4\n{text}\n")
    with pytest.raises(BadData, match=r"groundtruth.txt:2: .* is no region"):
        WrittenRegions.of(tmp_path / "groundtruth.txt")


def test_the_box_of_a_polygon_is_around_it_or_has_its_area() -> None:
    diamond = region_from_text(DIAMOND)
    assert box_around(diamond) == (10, 10, 20, 20)
    side = 20 * math.sqrt(0.5) + 1
    assert box_around(diamond, "area") == pytest.approx((20 - side / 2, 20 - side / 2, side, side))


def test_the_box_of_a_mask_covers_its_pixels() -> None:
    assert box_around(region_from_text("m2,1,3,2,1,2,1,1")) == (3, 1, 2, 2)


@pytest.mark.parametrize("text", ["1", "nan", "nan,nan,nan,nan", "m2,2,2,2,4"])
def test_codes_unknown_places_and_empty_masks_have_no_box(text: str) -> None:
    assert np.isnan(box_around(region_from_text(text))).all()


def make_vot(folder: Path, rows: list[str], name: str = "groundtruth.txt", images: str = "color") -> None:
    touch_images(folder / images, [f"{i:08d}.jpg" for i in range(1, len(rows) + 1)])
    write(folder / name, "\n".join(rows) + "\n")


def names_and_frames(clips: list[Clip]) -> list[tuple[str, int]]:
    return [(clip.name, len(clip.frames)) for clip in clips]


def test_vot_keeps_the_regions_beside_their_boxes(tmp_path: Path) -> None:
    make_vot(tmp_path / "bag", [DIAMOND, "0", "m2,1,3,2,1,2,1,1"])
    make_vot(tmp_path / "unlisted", ["1,2,3,4"])
    write(tmp_path / "list.txt", "bag\n")
    [clip] = open_dataset("vot", tmp_path)
    assert clip.truth[0].tolist() == [10, 10, 20, 20]
    assert clip.visible.tolist() == [True, False, True]
    assert clip.regions is not None
    assert [region.size for region in clip.regions] == [8, 1, 15]
    [clip] = open_dataset("vot:area", tmp_path)
    assert clip.truth[0, 2] == pytest.approx(20 * math.sqrt(0.5) + 1)


def test_vot_finds_images_without_a_folder_of_their_own_in_a_workspace(tmp_path: Path) -> None:
    make_vot(tmp_path / "sequences" / "bag", ["1,2,3,4"] * 3, images=".")
    [clip] = open_dataset("vot", tmp_path)
    assert (clip.name, len(clip.frames)) == ("bag", 3)


def test_vot_with_several_targets_is_a_clip_for_each(tmp_path: Path) -> None:
    for target in ("1", "2", "10"):
        make_vot(tmp_path / "zoo", ["1,2,3,4"] * 2, name=f"groundtruth_{target}.txt")
    assert names_and_frames(list(open_dataset("vot", tmp_path))) == [("zoo_1", 2), ("zoo_2", 2), ("zoo_10", 2)]


def test_vots_has_first_boxes_only(tmp_path: Path) -> None:
    make_vot(tmp_path / "zoo", ["1,2,3,4"] * 3)
    write(tmp_path / "zoo" / "groundtruth.txt", "1,2,3,4\n")
    dataset = open_dataset("vots", tmp_path)
    assert dataset[0].visible.tolist() == [True, False, False]
    assert not dataset.scored


def test_tags_of_vot_may_end_early_and_those_that_occur_are_attributes(tmp_path: Path) -> None:
    make_vot(tmp_path / "bag", ["1,2,3,4"] * 4)
    write(tmp_path / "bag" / "occlusion.tag", "0\n1\n")
    write(tmp_path / "bag" / "camera_motion.label", "0\n" * 4)
    write(tmp_path / "bag" / "anchor.value", "1\n0\n0\n-1\n")
    [clip] = open_dataset("vot", tmp_path)
    assert clip.attributes == {"occlusion"}
    assert clip.tags["occlusion"].tolist() == [False, True, False, False]
    assert clip.anchors is not None
    assert clip.anchors.tolist() == [1, 0, 0, -1]


def test_a_changed_polygon_of_the_same_box_is_changed_data(tmp_path: Path) -> None:
    make_vot(tmp_path / "bag", [DIAMOND])
    before = open_dataset("vot", tmp_path)[0]
    write(tmp_path / "bag" / "groundtruth.txt", "10,10,30,10,30,30,10,30\n")
    after = open_dataset("vot", tmp_path)[0]
    assert before.truth.tolist() == after.truth.tolist()
    assert before.digest() != after.digest()
