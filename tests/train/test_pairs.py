from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline import zoo
from sightline.box import Box
from sightline.engines import Array, Role
from sightline.errors import BadData
from sightline.methods.network import NetworkMethod
from sightline.placement import region_around
from sightline.spec import Spec
from sightline.tracker import Tracker
from sightline.train.data import Problems, Stored, open_data, read_tracks
from sightline.train.pairs import Pairs, jittered
from sightline.train.recipe import Augment, Data, Share
from tests.train.data import made as sequences
from tests.train.made import DATA, make_data

SPEC = zoo.find("kestrel-nano")
STILL = Data(shares=(Share(weight=1.0, sources=("stills",)),), center_jitter=0.0, scale_jitter=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


def pairs_of(folder: Path, data: Data, chances: Augment | None = None, seed: int = 0) -> Pairs:
    return Pairs(read_tracks(folder, "train"), data, chances, template=SPEC.template, search=SPEC.search, seed=seed, count=64)


@dataclass
class Recorder:
    """A session that keeps what it is given and answers with the middle of the crop."""

    spec: Spec = SPEC
    roles: frozenset[Role] = frozenset({"step"})
    seen: list[dict[str, Array]] = field(default_factory=list)

    def run(self, role: Role, arrays: Mapping[str, Array]) -> dict[str, Array]:  # noqa: ARG002  # the signature of a session
        self.seen.append(dict(arrays))
        return {"box": np.array([[0.5, 0.5, 0.25, 0.25]], np.float32), "score": np.ones(1, np.float32)}


def test_the_crops_of_training_are_those_of_tracking(data: Path) -> None:
    pairs = pairs_of(data, STILL)
    pair = pairs[3]
    tracks = [track for track in read_tracks(data, "train") if track.is_still]
    session = Recorder()
    for track in tracks:
        canvas, box = track.pictures[0].read()
        tracker = Tracker(NetworkMethod(session), channels="rgb")
        tracker.init(canvas, box)
        tracker.update(canvas)
    same = [
        np.array_equal(seen["template"][0], pair["template"]) and np.array_equal(seen["search"][0], pair["search"]) for seen in session.seen
    ]
    assert sum(same) == 1


def test_the_box_of_a_pair_maps_back_to_the_object_as_when_tracking(data: Path) -> None:
    pair = pairs_of(data, STILL)[0]
    _, box = read_tracks(data, "train")[-1].pictures[0].read()  # all stills have the same box
    region = region_around(box, SPEC.search, (10_000, 10_000))
    assert region.to_frame(pair["box"]) == pytest.approx(box, abs=1e-3)


def test_a_pair_is_the_same_whenever_it_is_asked_for(data: Path) -> None:
    pairs, again = pairs_of(data, DATA, Augment()), pairs_of(data, DATA, Augment())
    later = [again[i] for i in reversed(range(8))][::-1]
    for i, other in enumerate(later):
        assert all(np.array_equal(pairs[i][name], other[name]) for name in ("template", "search", "box", "present"))


def test_another_seed_gives_other_pairs(data: Path) -> None:
    assert not np.array_equal(pairs_of(data, DATA)[0]["search"], pairs_of(data, DATA, seed=1)[0]["search"])


def test_the_target_is_in_the_search_region_and_the_share_of_absent_pairs_is_as_asked(data: Path) -> None:
    pairs = pairs_of(data, replace(DATA, center_jitter=3.0))
    members = [pairs[i] for i in range(64)]
    assert all(0 < value < 1 for member in members for value in member["box"][:2])
    assert 0.1 < 1 - np.mean([member["present"] for member in members]) < 0.4


def test_crops_have_the_sizes_of_the_spec_under_every_disturbance(data: Path) -> None:
    always = Augment(grey=1, flip=1, light=1, blur=1, coarse=1, noise=1, jpeg=1, occluder=1, stranger=1)
    for chances in (None, always):
        pair = pairs_of(data, DATA, chances)[1]
        assert (pair["template"].shape, pair["search"].shape) == ((128, 128, 3), (256, 256, 3))
        assert pair["template"].dtype == pair["search"].dtype == np.uint8


def test_a_mirrored_pair_has_a_mirrored_box(data: Path) -> None:
    off = Augment(grey=0, flip=0, light=0, blur=0, coarse=0, noise=0, jpeg=0, occluder=0, stranger=0)
    shifted = replace(STILL, center_jitter=2.0)
    plain, mirrored = pairs_of(data, shifted, off)[5], pairs_of(data, shifted, replace(off, flip=1))[5]
    assert np.array_equal(plain["search"][:, ::-1], mirrored["search"])
    assert mirrored["box"][0] == pytest.approx(1 - plain["box"][0])


def test_a_picture_goes_on_as_its_reflection_only_where_its_frame_does(data: Path) -> None:
    picture = next(track for track in read_tracks(data, "train") if track.is_still).pictures[0]
    assert isinstance(picture, Stored)
    canvas, box = picture.read()  # crop 10..130 of 0..200 across, whole height
    assert canvas.shape[0] == 100
    assert canvas.shape[1] > 120
    assert box.x > picture.box.x


@given(st.floats(0.5, 3), st.floats(0.0, 0.5), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_jitter_moves_a_box_by_no_more_than_half_its_range(center: float, scale: float, draws: list[float]) -> None:
    box = Box(50, 60, 20, 30)
    moved = jittered(box, center, scale, draws[:2], draws[2:])
    reach = 0.5 * center * (moved.w * moved.h) ** 0.5 + 1e-9
    assert abs(moved.centre[0] - box.centre[0]) <= reach
    assert abs(moved.centre[1] - box.centre[1]) <= reach


def test_a_share_without_tracks_is_an_error(data: Path) -> None:
    with pytest.raises(BadData, match="no track of the sources nowhere"):
        pairs_of(data, Data(shares=(Share(weight=1, sources=("nowhere",)),)))


def test_a_broken_index_names_file_and_line(tmp_path: Path) -> None:
    make_data(tmp_path)
    with (tmp_path / "index.jsonl").open("a") as file:
        file.write(json.dumps({"split": "train"}) + "\n")
    with pytest.raises(BadData, match=r"index.jsonl, line 17: KeyError"):
        read_tracks(tmp_path, "train")


def test_a_folder_without_an_index_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="folder with index"):
        read_tracks(tmp_path, "train")


def test_pairs_of_sequences_of_ones_own_show_the_target_where_it_is_seen(tmp_path: Path) -> None:
    mine = (Share(weight=1.0, sources=("mine",)),)
    sequences.own(tmp_path / "mine", 3)
    for sequence, rows in (("clip00", sequences.rows(6, nan=(0, 3), absent=(1,))), ("clip01", sequences.rows(6, nan=range(6)))):
        sequences.write(tmp_path / "mine" / sequence / "groundtruth.txt", rows)
    tracks = open_data([tmp_path / "mine"], mine, "train", Problems()).tracks
    plain = Data(shares=mine, center_jitter=0.0, scale_jitter=0.0)
    pairs = Pairs(
        tracks, plain, Augment(flip=0.0, occluder=1.0, stranger=1.0), template=SPEC.template, search=SPEC.search, seed=0, count=24
    )
    for i in range(24):
        assert np.isfinite(pairs[i]["target"]).all()
    pairs = Pairs(tracks, plain, None, template=SPEC.template, search=SPEC.search, seed=0, count=24)
    assert all(pairs[i][name][half, half].min() > 120 for i in range(24) for name, half in (("template", 64), ("search", 128)))  # type: ignore[literal-required]


def test_what_an_index_says_of_no_object_is_named_and_left_out(tmp_path: Path) -> None:
    lines = (make_data(tmp_path) / "index.jsonl").read_text().splitlines()
    for number, box in ((0, [40.0, 30.0, 0.0, 20.0]), (1, [float("nan")] * 4)):
        lines[number] = json.dumps(json.loads(lines[number]) | {"box": box})
    (tmp_path / "index.jsonl").write_text("\n".join(lines))
    problems = Problems()
    opened = open_data([tmp_path], STILL.shares + DATA.shares, "train", problems)
    assert list(problems.bad) == [f"{tmp_path / 'index.jsonl'}, line {number}" for number in (1, 2)]
    assert [len(track.pictures) for track in opened.tracks if not track.is_still] == [1, 3]
    with pytest.raises(BadData, match=r"line 1: its box \[40.0, 30.0, 0.0, 20.0\]"):
        open_data([tmp_path], DATA.shares, "train", Problems("stop"))
