from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.engines import Array
from sightline.errors import BadData
from sightline.evaluate.clips import Dataset, boxes_from_file, open_dataset
from sightline.evaluate.layouts import LAYOUTS
from sightline.evaluate.run import evaluate
from sightline.fleet import Here
from sightline.methods.network import NetworkMethod
from sightline.spec import Feed
from sightline.tracker import Tracker
from tests.evaluate.folders import touch_images, write
from tests.evaluate.test_run import MAKER
from tests.fakes import SPEC, FakeSession, brightest

NAMES = {name: LAYOUTS[name].names[0] for name in ("gtot", "rgbt234", "rgbt210", "lasher")}


def make_pair(folder: Path, visible: list[str], infrared: list[str]) -> None:
    touch_images(folder / "visible", visible)
    touch_images(folder / "infrared", infrared)


def test_gtot_has_any_two_opposite_corners_for_each_camera(tmp_path: Path) -> None:
    folder = tmp_path / NAMES["gtot"]
    touch_images(folder / "v", ["001v.png", "002v.png"])
    touch_images(folder / "i", ["001i.bmp", "002i.bmp"])
    write(folder / "groundTruth_v.txt", "10 20 30 60\n30 60 10 20\n")
    write(folder / "groundTruth_i.txt", "12 20 32 60\n12 20 32 60\n")
    dataset = open_dataset("gtot", tmp_path)
    [clip] = dataset
    assert clip.truth.tolist() == [[10, 20, 20, 40]] * 2
    assert clip.annotations().tolist() == [[[10, 20, 20, 40]] * 2, [[12, 20, 20, 40]] * 2]
    assert [Path(path).name for path in clip.extra] == ["001i.bmp", "002i.bmp"]
    assert (dataset.rules, len(dataset.missing)) == ("gtot", 49)


def test_pictures_are_paired_by_order_and_those_that_are_over_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / NAMES["rgbt234"]
    make_pair(folder, ["00009v.jpg", "00010v.jpg", "00011v.jpg", "00012v.jpg"], ["2.jpg", "10.jpg", "30.jpg"])
    write(folder / "visible.txt", "1,2,3,4\n2,2,3,4\n")
    write(folder / "infrared.txt", "5,2,3,4\n6,2,3,4\n")
    [clip] = open_dataset("rgbt234", tmp_path)
    assert [Path(path).name for path in clip.frames] == ["00009v.jpg", "00010v.jpg"]
    assert [Path(path).name for path in clip.extra] == ["2.jpg", "10.jpg"]
    assert clip.dropped == 2


def test_one_camera_alone_starts_from_its_own_box_and_is_held_against_both(tmp_path: Path) -> None:
    folder = tmp_path / NAMES["rgbt234"]
    make_pair(folder, ["1.jpg"], ["1.jpg"])
    write(folder / "visible.txt", "1,2,3,4\n")
    write(folder / "infrared.txt", "5,2,3,4\n")
    [visible], [infrared] = (open_dataset(f"rgbt234:{camera}", tmp_path) for camera in ("visible", "infrared"))
    assert (visible.truth[0, 0], infrared.truth[0, 0]) == (1, 5)
    assert sorted(infrared.annotations()[:, 0, 0].tolist()) == sorted(visible.annotations()[:, 0, 0].tolist()) == [1, 5]
    assert visible.extra == infrared.extra == ()
    assert "infrared" in infrared.frames[0]


@pytest.mark.parametrize("name", ["rgbt210", "lasher"])
def test_data_sets_with_one_annotation_use_it_for_both(name: str, tmp_path: Path) -> None:
    folder = tmp_path / NAMES[name]
    make_pair(folder, ["v000.jpg", "v001.jpg"], ["i000.jpg", "i001.jpg"])
    write(folder / "init.txt", "1,2,3,4\n2,2,3,4\n")
    [clip] = open_dataset(name, tmp_path)
    assert clip.annotations().tolist() == [[1, 2, 3, 4], [2, 2, 3, 4]]
    assert len(clip.extra) == 2


def test_lasher_train_is_its_list(tmp_path: Path) -> None:
    names = {name: set(LAYOUTS[name].names) for name in ("lasher", "lasher:train")}
    assert (len(names["lasher:train"]), len(names["lasher"] & names["lasher:train"])) == (979, 0)
    for below, name in (("trainingset", "2ndrunningboy"), ("trainingset", "a boy"), ("testingset", NAMES["lasher"])):
        make_pair(tmp_path / below / name, ["v000.jpg"], ["i000.jpg"])
        write(tmp_path / below / name / "init.txt", "1,2,3,4\n")
    assert [clip.name for clip in open_dataset("lasher:train", tmp_path)] == ["2ndrunningboy"]
    assert [clip.name for clip in open_dataset("lasher", tmp_path)] == [NAMES["lasher"]]


def test_a_missing_camera_is_a_missing_sequence(tmp_path: Path) -> None:
    for name in LAYOUTS["rgbt210"].names[:2]:
        make_pair(tmp_path / name, ["1.jpg"], ["1.jpg"])
        write(tmp_path / name / "init.txt", "1,2,3,4\n")
    lost = LAYOUTS["rgbt210"].names[1]
    (tmp_path / lost / "infrared" / "1.jpg").unlink()
    (tmp_path / lost / "infrared").rmdir()
    assert open_dataset("rgbt210", tmp_path).missing[lost] == f"no folder {lost}/infrared"


def test_fewer_pictures_of_the_second_camera_than_rows_are_an_error(tmp_path: Path) -> None:
    folder = tmp_path / NAMES["lasher"]
    make_pair(folder, ["v000.jpg", "v001.jpg"], ["i000.jpg"])
    write(folder / "init.txt", "1,2,3,4\n2,2,3,4\n")
    with pytest.raises(BadData, match=r"init.txt has rows for 2 frames, and .* 1 images"):
        open_dataset("lasher", tmp_path)


def test_frames_of_a_clip_carry_both_pictures(tmp_path: Path) -> None:
    folder = tmp_path / NAMES["lasher"]
    for camera, level in (("visible", 200), ("infrared", 50)):
        (folder / camera).mkdir(parents=True)
        for i in range(3):
            cv2.imwrite(str(folder / camera / f"{i}.png"), np.full((8, 10, 3), level + i, np.uint8))
    write(folder / "init.txt", "1,2,3,4\n" * 3)
    [clip] = open_dataset("lasher", tmp_path)
    seen = [(int(frame.image[0, 0, 0]), int(frame.extra[0, 0, 0])) for frame in clip.read([2, 0]) if frame.extra is not None]
    assert seen == [(202, 52), (200, 50)]


def test_changed_boxes_of_the_other_camera_are_changed_data(tmp_path: Path) -> None:
    folder = tmp_path / NAMES["rgbt234"]
    make_pair(folder, ["1.jpg"], ["1.jpg"])
    write(folder / "visible.txt", "1,2,3,4\n")
    digests = set()
    for x in (5, 6):
        write(folder / "infrared.txt", f"{x},2,3,4\n")
        digests.add(open_dataset("rgbt234:visible", tmp_path)[0].digest())
    assert len(digests) == 2


def brightest_of_both(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
    """The target is where the second picture is bright."""
    return brightest({"search": arrays["search_extra"]})


def squares(root: Path) -> Dataset:
    """A square that only the second camera sees."""
    folder = root / LAYOUTS["lasher"].names[0]
    for camera in ("visible", "infrared"):
        (folder / camera).mkdir(parents=True)
        for i in range(5):
            image = np.full((60, 80, 3), 20, np.uint8)
            if camera == "infrared":
                image[20:36, 20 + i : 36 + i] = 250
            cv2.imwrite(str(folder / camera / f"{i}.png"), image)
    write(folder / "init.txt", "".join(f"{20 + i},20,16,16\n" for i in range(5)))
    return open_dataset("lasher", root)


@pytest.mark.parametrize("feed, share", [(("extra",), 1.0), ((), 0.8)], ids=["looks at both", "looks at one"])
def test_a_network_that_looks_at_both_pictures_gets_them(feed: tuple[Feed, ...], share: float, tmp_path: Path) -> None:
    data = squares(tmp_path / "data")
    spec = replace(SPEC, feed=feed)
    tracker = Tracker(NetworkMethod(FakeSession(spec=spec, step=brightest_of_both if feed else brightest)))
    ran = evaluate(tracker, data, tmp_path / "out", maker=MAKER, pool=Here(), timed_on="", setting={})
    assert not ran.failed
    found = boxes_from_file(tmp_path / "out" / f"{data[0].name}.txt")
    followed = np.abs(found - data[0].truth).max(axis=1) < 0.6
    assert followed.mean() == share if feed else followed.mean() < share
