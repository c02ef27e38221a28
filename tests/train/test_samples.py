from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from sightline import zoo
from sightline.box import Box
from sightline.errors import BadData
from sightline.placement import region_around
from sightline.spec import Spec
from sightline.train import augment
from sightline.train.data import SOURCES, Problems, Track, open_data
from sightline.train.draws import DRAWS
from sightline.train.recipe import PLAIN, Augment, Data, Share
from sightline.train.samples import Samples, collate
from tests.train.data import made

MINE = (Share(weight=1, sources=("mine",)),)
STILL = Data(shares=MINE, draw="causal", center_jitter=0.0, scale_jitter=0.0)
EVERYTHING = Augment(
    grey=0.3, flip=0.5, light=0.5, blur=0.5, coarse=0.5, noise=0.5, jpeg=0.5, occluder=0.5, stranger=0.0, brightness=0.2, flip_each=0.5
)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    folder = tmp_path_factory.mktemp("data") / "mine"
    made.own(folder, 3)
    return open_data([folder], MINE, "train", Problems()).tracks


def samples_of(tracks: list[Track], spec: Spec, data: Data = STILL, chances: Augment | None = None, **more: object) -> Samples:
    return Samples(tracks, data, chances, spec, seed=3, count=12, **more)  # type: ignore[arg-type]  # on_bad


def test_the_crops_are_those_of_tracking(tracks: list[Track]) -> None:
    spec = zoo.find("ostrack-b256")
    sample = samples_of(tracks, spec)[0]
    both = [picture.read() for track in tracks for picture in track.pictures]
    for role, crop in (("template", spec.template), ("search", spec.search)):
        cut = [region_around(box, crop, (made.WIDTH, made.HEIGHT)).take(image) for image, box in both]
        assert any(np.array_equal(sample.arrays[role][0], pixels) for pixels in cut)
    assert sample.arrays["box"][0] == pytest.approx(sample.arrays["box"][0], abs=0)
    region = region_around(Box(*map(float, made.box_at(0))), spec.search, (made.WIDTH, made.HEIGHT))
    assert sample.arrays["box"][0] == pytest.approx(region.to_crop(Box(*map(float, made.box_at(0)))), abs=0.02)


def test_samples_are_the_same_with_any_number_of_workers(tracks: list[Track]) -> None:
    data = replace(STILL, center_jitter=2.0, scale_jitter=0.3, absent=0.3, searches=2)
    samples = samples_of(tracks, zoo.find("seqtrack-b256"), data, EVERYTHING)
    runs = []
    for workers in (0, 1, 2):
        loader = DataLoader(samples, batch_size=3, num_workers=workers, collate_fn=collate, sampler=range(12))  # type: ignore[arg-type,var-annotated]  # has what a Dataset has
        runs.append([(batch.names, batch.arrays) for batch in loader])
    for other in runs[1:]:
        for (names, arrays), (other_names, other_arrays) in zip(runs[0], other, strict=True):
            assert names == other_names
            assert all(torch.equal(value, other_arrays[name]) for name, value in arrays.items())


def test_every_input_that_a_spec_asks_for_has_its_shape(tracks: list[Track]) -> None:
    stark = samples_of(tracks, zoo.find("stark-st50"))[0].arrays
    assert stark["template"].shape == (2, 128, 128, 3)
    assert stark["template_padding"].shape == (2, 128, 128)
    assert stark["search_padding"].dtype == bool
    siamrpn = samples_of(tracks, zoo.find("siamrpn-r50"))[0].arrays
    assert siamrpn["prior"].shape == (1, 4)
    lorat = samples_of(tracks, zoo.find("lorat-b224"))[0].arrays
    assert lorat["target"][0] == pytest.approx([0.5, 0.5, *lorat["target"][0][2:]], abs=0.02)
    assert lorat["search"].dtype == np.float32
    artrack = samples_of(tracks, zoo.find("artrack-b256"))[0].arrays
    assert artrack["history"].shape == (1, 7, 4)
    siamfc = samples_of(tracks, zoo.find("siamfc-alexnet"))[0].arrays
    assert siamfc["search"].shape == (1, 1, 255, 255, 3)
    procontext = samples_of(tracks, zoo.find("procontext-384"))[0].arrays
    assert procontext["template"].shape == (2, 2, 192, 192, 3)


def test_a_mirrored_crop_has_its_boxes_mirrored(tracks: list[Track]) -> None:
    spec = zoo.find("siamrpn-r50")
    shaken = replace(STILL, center_jitter=2.0)
    plain, mirrored = (samples_of(tracks, spec, shaken, replace(PLAIN, flip=flip))[1].arrays for flip in (0.0, 1.0))
    assert np.array_equal(plain["search"][:, :, ::-1], mirrored["search"])
    assert mirrored["box"][:, 0] == pytest.approx(1 - plain["box"][:, 0])
    assert mirrored["prior"][:, 0] == pytest.approx(1 - plain["prior"][:, 0])


def test_an_absent_target_is_looked_for_elsewhere_and_said_to_be_absent(tracks: list[Track]) -> None:
    samples = samples_of(tracks, zoo.find("ostrack-b256"), replace(STILL, absent=1.0))
    sample = samples[0]
    assert sample.arrays["present"].tolist() == [0.0]
    assert " of " in sample.name


def test_a_hidden_target_is_looked_for_in_its_own_track(tmp_path: Path) -> None:
    made.lasot(tmp_path, ["airplane-2", "airplane-3"])
    found = SOURCES["lasot"](tmp_path, Problems())
    data = replace(STILL, shares=(Share(weight=1, sources=("lasot",)),), absent=1.0, hidden=True)
    sample = samples_of(found, zoo.find("ostrack-b256"), data)[0]
    assert sample.name.endswith("-> [4]")
    assert sample.arrays["present"].tolist() == [0.0]


def test_a_picture_that_cannot_be_read_is_noted_and_another_one_drawn(tmp_path: Path) -> None:
    made.own(tmp_path / "mine", 3)
    gone = tmp_path / "mine" / "clip00" / "img" / "0002.jpg"
    gone.write_bytes(b"\xff\xd8 broken")
    found = open_data([tmp_path / "mine"], MINE, "train", Problems()).tracks
    samples = samples_of(found, zoo.find("ostrack-b256"))
    notes = [note for i in range(12) for note in samples[i].notes]
    assert {name for name, _ in notes} == {str(gone)}
    with pytest.raises(BadData, match=r"0002\.jpg cannot be decoded"):
        [samples_of(found, zoo.find("ostrack-b256"), on_bad="stop")[i] for i in range(12)]


def test_two_cameras_give_two_crops_of_the_same_place(tmp_path: Path) -> None:
    made.cameras(tmp_path, "afterrain", "visible", "infrared", ["visible.txt", "infrared.txt"], num=6)
    found = SOURCES["rgbt234"](tmp_path, Problems())
    data = replace(STILL, shares=(Share(weight=1, sources=("rgbt234",)),))
    arrays = samples_of(found, zoo.find("vipt-deep-rgbt"), data)[0].arrays
    middle = arrays["search"].shape[1] // 2
    assert (arrays["search"][0, middle, middle, 0], arrays["search_extra"][0, middle, middle, 0]) == (220, 140)


def test_one_camera_cannot_teach_a_network_of_two(tracks: list[Track]) -> None:
    with pytest.raises(BadData, match="has no second picture"):
        samples_of(tracks, zoo.find("vipt-deep-rgbt"), on_bad="stop")[0]


def test_tracks_that_are_too_short_are_an_error_where_there_is_no_other(tracks: list[Track]) -> None:
    with pytest.raises(BadData, match="no track of 50 pictures or more"):
        samples_of(tracks, zoo.find("ostrack-b256"), replace(STILL, shortest=50))


def test_a_still_picture_that_is_turned_keeps_its_object_in_its_box() -> None:
    image = made.picture(0)
    moved, box = augment.moved(image, Box(*map(float, made.box_at(0))), 0.2, 20.0, np.random.default_rng(4))
    bright = np.argwhere(moved.min(axis=2) > 180)
    (y1, x1), (y2, x2) = bright.min(axis=0), bright.max(axis=0)
    assert box.x - 4 <= x1
    assert x2 <= box.x + box.w + 4
    assert box.y - 4 <= y1
    assert y2 <= box.y + box.h + 4


@pytest.mark.parametrize("change", [augment.grey, partial(augment.brighter, factor=1.1)], ids=["grey", "brighter"])
def test_a_crop_in_floats_is_changed_like_one_in_whole_numbers(change: Callable[[np.ndarray], np.ndarray]) -> None:
    image = made.picture(1)
    changed = augment.on_pixels(image.astype(np.float32), change)
    assert changed.dtype == np.float32
    assert np.array_equal(changed, change(image))


@pytest.mark.parametrize("draw", DRAWS)
def test_samples_travel_to_processes_that_start_afresh(draw: str, tracks: list[Track]) -> None:
    samples = samples_of(tracks, zoo.find("stark-st50"), replace(STILL, draw=draw))  # type: ignore[arg-type]  # a name of a draw
    there, here = pickle.loads(pickle.dumps(samples))[0], samples[0]  # as macOS does, and Python 3.14 everywhere
    assert there.name == here.name
    assert all(np.array_equal(there.arrays[name], value) for name, value in here.arrays.items())
