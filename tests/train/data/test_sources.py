from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.train.data import SOURCES, Problems, Shots, Track, open_data
from sightline.train.recipe import Share
from tests.train.data import made


def opened(source: str, root: Path, problems: Problems | None = None) -> list[Track]:
    return SOURCES[source](root, problems or Problems())


LAYOUTS: list[tuple[str, Callable[[Path], None]]] = [
    ("lasot", partial(made.lasot, names=["airplane-2", "bird-5"])),
    ("got10k", partial(made.got10k, numbers=[1, 2])),
    ("trackingnet", partial(made.trackingnet, chunks=[0, 11])),
    ("tnl2k", partial(made.tnl2k, name="Train_1_Done")),
    ("vid", made.vid),
    ("davis", made.masks),
    ("youtube-vos", partial(made.masks, resolution="", hidden=0, void=False)),
    (
        "gtot",
        partial(
            made.cameras,
            name="BlackCar",
            visible="v",
            infrared="i",
            truths=["groundTruth_v.txt", "groundTruth_i.txt"],
            corners=True,
            spare=0,
        ),
    ),
    ("rgbt234", partial(made.cameras, name="afterrain", visible="visible", infrared="infrared", truths=["visible.txt", "infrared.txt"])),
]


@pytest.mark.parametrize("source,make", LAYOUTS, ids=[source for source, _ in LAYOUTS])
def test_the_box_of_every_picture_is_where_the_object_is(source: str, make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path)
    tracks = opened(source, tmp_path)
    assert tracks
    for track in tracks:
        if track.name == "bear_2":
            continue  # the second object of the masks has no bright square
        for i in np.flatnonzero(track.has_box()):
            image, box = track.pictures[int(i)].read()
            x, y, w, h = (round(value) for value in box)
            assert image[y + 1 : y + h - 1, x + 1 : x + w - 1].min() > 120, (track.name, i)
            assert image[y + h + 2].max() < 120 or source == "davis"


def test_lasot_frames_that_are_hidden_out_of_view_or_empty_are_not_visible(tmp_path: Path) -> None:
    made.lasot(tmp_path, ["airplane-2"])
    problems = Problems()
    [track] = opened("lasot", tmp_path, problems)
    assert track.seen().tolist() == [True, True, False, True, False, True]
    assert track.has_box().tolist() == [True, True, True, True, False, True]
    assert track.kind == "airplane"
    assert problems.counts["frames of lasot without a box"] == 1
    assert problems.counts["frames of lasot in which the target is hidden or out of view"] == 1


def test_lasot_test_sequences_are_not_learnt_from(tmp_path: Path) -> None:
    made.lasot(tmp_path, ["airplane-1", "airplane-2"])
    assert [track.name for track in opened("lasot", tmp_path)] == ["airplane-2"]


def test_rows_of_nan_and_absent_flags_are_fine(tmp_path: Path) -> None:
    made.lasot(tmp_path, ["airplane-2"])
    folder = tmp_path / "airplane" / "airplane-2"
    (folder / "groundtruth.txt").write_text(made.rows(6, nan=[0, 3]))
    (folder / "full_occlusion.txt").unlink()
    (folder / "out_of_view.txt").unlink()
    [track] = opened("lasot", tmp_path)
    assert track.seen().tolist() == [False, True, True, False, True, True]


def test_the_lists_of_got10k_leave_sequences_out(tmp_path: Path) -> None:
    made.got10k(tmp_path, [1, 2, 3785, 1350])
    assert len(opened("got10k", tmp_path)) == 4
    assert "GOT-10k_Train_003785" in [track.name for track in opened("got10k:vottrain", tmp_path)]
    assert [track.name for track in opened("got10k:votval", tmp_path)] == ["GOT-10k_Train_000002", "GOT-10k_Train_001350"]
    kept = {track.name for track in opened("got10k:vot-exclude", tmp_path)}
    assert "GOT-10k_Train_000001" in kept


def test_the_lists_have_the_lengths_that_the_fact_sheet_gives() -> None:
    from sightline.train.data.opening import _list

    lengths = {name: len(_list(name)) for name in ("got10k:vottrain", "got10k:votval", "got10k:train-part")}
    assert lengths == {"got10k:vottrain": 7086, "got10k:votval": 1249, "got10k:train-part": 7934}
    assert not _list("got10k:vottrain") & _list("got10k:votval")


def test_frames_of_trackingnet_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    made.trackingnet(tmp_path, [0, 4])
    names = [Path(picture.name).name for picture in opened("trackingnet", tmp_path)[0].pictures]
    assert names == [f"{frame}.jpg" for frame in range(12)]
    assert len(opened("trackingnet:4", tmp_path)) == 1


def test_small_objects_and_crowds_of_coco_are_counted_and_missing_images_named(tmp_path: Path) -> None:
    made.coco(tmp_path)
    problems = Problems()
    [track] = opened("coco", tmp_path, problems)
    assert (track.kind, track.is_still, len(track.pictures)) == ("person", True, 1)
    assert problems.counts == {"crowds of coco": 1, "objects of coco of 50 pixels or less": 1}
    assert list(problems.bad) == ["coco/000000000003.jpg"]


def test_objects_of_imagenet_vid_are_tracks_of_their_own_and_know_when_they_are_hidden(tmp_path: Path) -> None:
    made.vid(tmp_path)
    first, second = opened("vid", tmp_path)
    assert first.seen().tolist() == [True, False, True, True]
    assert second.has_box().tolist() == [False, False, True, True]
    assert first.scene == second.scene


def test_objects_of_masks_have_the_box_of_their_pixels(tmp_path: Path) -> None:
    made.masks(tmp_path)
    tracks = opened("davis", tmp_path)
    boxes = {tuple(int(v) for v in track.pictures[2].read()[1]) for track in tracks}
    assert boxes == {made.box_at(2), (5, 60, 6, 6)}
    assert {track.name: track.has_box().sum() for track in tracks} == {"bear_1": 3, "bear_2": 2}
    assert len({track.scene for track in tracks}) == 1  # they stand in each other's pictures


def test_objects_that_come_later_are_tracks_where_the_data_set_has_them(tmp_path: Path) -> None:
    made.masks(tmp_path, "", hidden=0, void=False)
    assert [track.seen().tolist() for track in opened("youtube-vos", tmp_path)] == [[True] * 3, [False, True, True]]


def test_what_davis_is_measured_on_is_not_learnt_from(tmp_path: Path) -> None:
    made.masks(tmp_path)
    made.write(tmp_path / "ImageSets" / "2017" / "train.txt", "boat\n")
    problems = Problems()
    with pytest.raises(BadData, match=r"holds no sequence of davis2017:train"):
        opened("davis", tmp_path, problems)


def test_targets_of_a_few_pixels_are_not_learnt_from_and_counted(tmp_path: Path) -> None:
    made.lasot(tmp_path, ["airplane-2"], num=3)
    (tmp_path / "airplane" / "airplane-2" / "groundtruth.txt").write_text("30,20,16,12\n30,20,3,5\n30,20,4,4\n")
    (tmp_path / "airplane" / "airplane-2" / "full_occlusion.txt").unlink()
    problems = Problems()
    [track] = opened("lasot", tmp_path, problems)
    assert track.seen().tolist() == [True, False, True]
    assert problems.counts == {"frames of lasot in which the target has less than 16 pixels": 1}


def test_pictures_of_two_cameras_are_paired_by_their_order(tmp_path: Path) -> None:
    made.cameras(tmp_path, "afterrain", "visible", "infrared", ["visible.txt", "infrared.txt"])
    problems = Problems()
    [track] = opened("rgbt234", tmp_path, problems)
    assert track.modality == "both"
    assert isinstance(track.pictures, Shots)
    assert len(track.pictures) == 3
    assert problems.counts["images of rgbt234 beyond the annotation"] == 1
    shot = track.pictures[1]
    image, (x, y, _, _) = shot.read()
    second = shot.read_second()
    assert (image[int(y) + 2, int(x) + 2, 0], second[int(y) + 2, int(x) + 2, 0]) == (220, 140)


def test_lasher_learns_from_its_training_list_alone(tmp_path: Path) -> None:
    for name in ("2ndrunningboy", "walk"):
        made.cameras(tmp_path, name, "visible", "infrared", ["init.txt"])
    problems = Problems()
    assert [track.name for track in opened("lasher", tmp_path, problems)] == ["2ndrunningboy"]
    assert len(problems.bad) == 978
    [track] = opened("lasher:infrared", tmp_path)
    assert track.modality == "infrared"
    image, (x, y, _, _) = track.pictures[0].read()
    assert image[int(y) + 2, int(x) + 2, 0] == 140


def test_images_without_boxes_are_looked_at_in_the_middle(tmp_path: Path) -> None:
    made.save(tmp_path / "n01440764" / "a.JPEG", 0)
    made.save(tmp_path / "n01443537" / "b.JPEG", 1)
    (tmp_path / "n01484850").mkdir()
    problems = Problems()
    tracks = opened("imagenet", tmp_path, problems)
    assert [track.kind for track in tracks] == ["n01440764", "n01443537"]
    assert tracks[0].pictures[0].read()[1] == (39, 27, 18, 18)
    assert list(problems.bad) == ["imagenet/n01484850"]


def test_a_sequence_with_too_few_rows_is_named_and_skipped_or_refused(tmp_path: Path) -> None:
    made.lasot(tmp_path, ["airplane-2", "airplane-3"])
    (tmp_path / "airplane" / "airplane-3" / "groundtruth.txt").write_text(made.rows(9))
    problems = Problems()
    assert [track.name for track in opened("lasot", tmp_path, problems)] == ["airplane-2"]
    assert list(problems.bad) == ["lasot/airplane-3"]
    with pytest.raises(BadData, match=r"lasot/airplane-3.*--on-bad skip"):
        opened("lasot", tmp_path, Problems("stop"))


def test_a_report_names_everything_that_was_left_out(tmp_path: Path) -> None:
    problems = Problems()
    for i in range(9):
        problems.add(f"a/{i}", "gone")
    problems.count("frames without a box", 3)
    assert problems.lines()[0] == "3 frames without a box"
    assert problems.lines()[-1] == "skipped 4 more, all in data-report.json"
    assert '"a/8": "gone"' in problems.write(tmp_path).read_text()


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    made.lasot(tmp_path, ["airplane-2"])
    path = tmp_path / "airplane" / "airplane-2" / "img" / "00000001.jpg"
    path.write_bytes(path.read_bytes()[:200])
    [track] = opened("lasot", tmp_path)
    with pytest.raises(BadData, match=r"00000001\.jpg cannot be decoded"):
        track.pictures[0].read()
    path.unlink()
    with pytest.raises(BadData, match=r"00000001\.jpg cannot be read"):
        track.pictures[0].read()


def test_a_picture_can_be_decoded_smaller_and_its_box_is_smaller_too(tmp_path: Path) -> None:
    made.lasot(tmp_path, ["airplane-2"])
    [track] = opened("lasot", tmp_path)
    whole, box = track.pictures[0].read()
    half, small = track.pictures[0].read(shrink=2)
    assert half.shape == (36, 48, 3)
    assert small == pytest.approx([value / 2 for value in box])
    assert whole.shape == (72, 96, 3)


def test_a_folder_of_data_sets_is_read_by_the_names_of_the_recipe(tmp_path: Path) -> None:
    made.lasot(tmp_path / "lasot", [f"airplane-{i}" for i in range(2, 5)])
    made.got10k(tmp_path / "got10k", [1, 2])
    shares = [Share(weight=1, sources=("lasot",)), Share(weight=3, sources=("got10k",)), Share(weight=1, sources=("coco",))]
    problems = Problems()
    data = open_data([tmp_path], shares, "train", problems)
    assert [(share.weight, share.sources) for share in data.shares] == [(1, ("lasot",)), (3, ("got10k",))]
    assert "coco" in problems.bad
    held_out = open_data([tmp_path], shares, "val", Problems())
    assert not {track.name for track in data.tracks} & {track.name for track in held_out.tracks}
    assert {track.source for track in held_out.tracks} == {"lasot", "got10k"}


def test_ones_own_sequences_stand_in_for_those_of_the_recipe(tmp_path: Path) -> None:
    made.own(tmp_path / "mine", 10)
    shares = [Share(weight=1, sources=("lasot",))]
    problems = Problems()
    data = open_data([tmp_path / "mine"], shares, "train", problems)
    assert problems.lines() == ["none of the recipe's lasot is there: it learns from all of mine"]
    assert (len(data.tracks), data.shares) == (9, (Share(weight=1, sources=("mine",)),))
    assert len(open_data([tmp_path / "mine"], shares, "val", Problems()).tracks) == 1


def test_only_some_classes_can_be_learnt_from(tmp_path: Path) -> None:
    made.got10k(tmp_path / "got10k", [1, 2, 3, 4])
    dogs = Share(weight=1, sources=("got10k",), kinds=("dog",))
    assert {track.kind for track in open_data([tmp_path], [dogs], "train", Problems()).tracks} == {"dog"}
    with pytest.raises(BadData, match="has no class unicorn; it has cat, dog"):
        open_data([tmp_path], [Share(weight=1, sources=("got10k",), kinds=("unicorn",))], "train", Problems())


@pytest.mark.parametrize("make,told", [(None, "does not exist"), ("empty", "holds no sequence of folder")])
def test_a_folder_without_data_is_an_error(make: str | None, told: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    if make:
        folder.mkdir()
    with pytest.raises(BadData, match=told):
        open_data([folder], [Share(weight=1, sources=("lasot",))], "train", Problems())


def test_without_shares_all_data_sets_are_read_but_those_that_papers_measure_on(tmp_path: Path) -> None:
    made.lasot(tmp_path / "lasot", ["airplane-2", "airplane-3"])
    made.got10k(tmp_path / "got10k", [1, 2])
    made.lasot(tmp_path / "lasot_ext", ["atv-1"])
    made.save(tmp_path / "imagenet" / "n01440764" / "a.JPEG", 0)
    problems = Problems()
    opened = open_data([tmp_path], (), "train", problems, labelled=False)
    assert {track.source for track in opened.tracks} == {"lasot", "got10k", "imagenet"}
    assert problems.notes == [f"{tmp_path / 'lasot_ext'} is left out: papers measure on it"]
