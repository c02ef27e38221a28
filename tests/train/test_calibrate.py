from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline import zoo
from sightline.errors import BadSpec
from sightline.models import build
from sightline.models.checkpoint import save_weights
from sightline.models.session import TorchSession
from sightline.scene import Scene
from sightline.train.calibrate import choose, on_scenes, on_tracks, rows, table
from sightline.train.pairs import read_tracks
from sightline.train.recipes import RECIPES
from sightline.train.validate import Answers
from tests.train.made import RECIPE, make_data


def made(found: list[float], wrong: list[float], absent: list[float]) -> Answers:
    overlap = [0.8] * len(found) + [0.2] * len(wrong) + [0.0] * len(absent)
    present = [True] * (len(found) + len(wrong)) + [False] * len(absent)
    return Answers(np.array(overlap), np.array(found + wrong + absent), np.array(present))


def test_shares_are_of_the_frames_that_the_column_names() -> None:
    table = {row.threshold: row for row in rows(made([0.9, 0.3], [0.4], [0.2, 0.6]))}
    assert table[0.5].absent_below == 0.5
    assert table[0.5].found_below == 0.5
    assert table[0.5].right_above == 0.5  # one right box, one absent frame


def test_thresholds_part_what_is_clearly_apart() -> None:
    lost, sure = choose(rows(made([0.9] * 50, [0.5] * 5, [0.1] * 20)))
    assert 0.1 < lost <= 0.5
    assert 0.5 < sure <= 0.9


def test_right_boxes_are_not_given_up_to_catch_absent_frames() -> None:
    lost, _ = choose(rows(made([0.5] * 50, [], [0.6] * 20)))
    assert lost <= 0.5


def test_thresholds_are_in_order() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        lost, sure = choose(rows(made(list(rng.random(30)), list(rng.random(5)), list(rng.random(20)))))
        assert lost <= sure


def test_tracks_are_followed_and_then_looked_for_where_they_are_not(tmp_path: Path) -> None:
    spec = zoo.find("kestrel-nano")
    tracks = read_tracks(make_data(tmp_path), "train")  # videos of three pictures and stills, two of each
    given = on_tracks(TorchSession(spec, build(spec)), [tracks[0], tracks[-1]])
    assert given.present.tolist() == [True, True, False, False, False, False]  # two of the video, one still; then three of the video


def test_scenes_are_followed_from_their_second_frame_on() -> None:
    spec = zoo.find("kestrel-nano")
    given = on_scenes(TorchSession(spec, build(spec)), [Scene(seed=1, num_frames=4, size=(160, 120))])
    assert given.score.shape == given.overlap.shape == given.present.shape == (3,)
    assert given.score == pytest.approx(given.score.clip(0, 1))


def test_how_far_it_is_is_told_where_a_table_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = zoo.find("kestrel-nano")
    save_weights(build(spec), spec, tmp_path / "w.safetensors")
    monkeypatch.setitem(RECIPES, spec.name, lambda: RECIPE)
    shown = table(tmp_path / "w.safetensors", data=make_data(tmp_path), scenes=1)
    assert capsys.readouterr() == ("", "pairs: 4\ntracks: 0\nscenes: 1\n")
    assert shown.count("lost_below=") == 3


def test_steps_are_told_from_nothing_to_all(tmp_path: Path) -> None:
    spec, told = zoo.find("kestrel-nano"), []
    session = TorchSession(spec, build(spec))
    tracks = read_tracks(make_data(tmp_path), "train")[:2]
    on_tracks(session, tracks, lambda *seen: told.append(seen))
    on_scenes(session, [Scene(seed=1, num_frames=2, size=(160, 120))], lambda *seen: told.append(seen))
    assert told == [(0, 2), (1, 2), (2, 2), (0, 1), (1, 1)]


def test_a_network_without_a_recipe_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = zoo.find("kestrel-nano")
    save_weights(build(spec), spec, tmp_path / "w.safetensors")
    monkeypatch.delitem(RECIPES, spec.name)
    with pytest.raises(BadSpec, match="kestrel-nano has no recipe"):
        table(tmp_path / "w.safetensors", data=tmp_path)
