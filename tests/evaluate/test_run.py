from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.box import Box
from sightline.engines import Opening
from sightline.errors import BadData, WeightsMissing
from sightline.evaluate.clips import Dataset, boxes_from_file, open_dataset
from sightline.evaluate.imported import import_boxes
from sightline.evaluate.layouts import LAYOUTS
from sightline.evaluate.metrics import mean_iou, precision, success_auc
from sightline.evaluate.protocols import ONE_PASS, PROTOCOLS
from sightline.evaluate.protocols.one_pass import METRICS
from sightline.evaluate.results import Maker, maker_of
from sightline.evaluate.rules import RULES
from sightline.evaluate.run import Ran, evaluate
from sightline.evaluate.score import Summary, score
from sightline.fleet import Here, Pool, Processes
from sightline.frame import Frame
from sightline.methods.network import NetworkMethod, Target
from sightline.tracker import Tracker
from tests.cli.clips import make_folder
from tests.conftest import need_shared
from tests.evaluate.folders import make_sequences
from tests.fakes import FakeSession, brightest

MAKER = Maker("fake", {"version": 1})
NAMES = ("a", "b", "c")
STATED = {  # the README of the evaluation sequences: success AUC of exactly these stored boxes
    "opencv-KCF": 0.395191,
    "opencv-CSRT": 0.563125,
    "VitTrack": 0.678953,
    "NanoTrack-v1": 0.630030,
    "NanoTrack-v2": 0.680534,
    "NanoTrack-v3": 0.679871,
    "FEAR-XS": 0.724528,
    "LightTrack-M": 0.712070,
}


@dataclass(frozen=True)
class Place:
    """A data set on disk and a folder for results."""

    root: Path
    folder: Path
    name: str = "folder"
    maker: Maker = MAKER
    tracker: Tracker[Any] = field(default_factory=lambda: Tracker(NetworkMethod(FakeSession(step=brightest))))
    pool: Pool = field(default_factory=Here)

    @property
    def dataset(self) -> Dataset:
        return open_dataset(self.name, self.root)

    def run(self) -> Ran:
        return evaluate(
            self.tracker, self.dataset, self.folder, maker=self.maker, pool=self.pool, timed_on="a test", setting={"machine": 1}
        )

    def score(self, **options: Any) -> Summary:
        return score(self.dataset, self.folder, maker=self.maker, **options)

    def files(self) -> dict[str, bytes]:
        """Everything that does not depend on time."""
        kinds = ("*.txt", "scores/*.txt", "run.json")
        return {path.name: path.read_bytes() for kind in kinds for path in sorted(self.folder.glob(kind))}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(make_sequences(tmp_path / "data", NAMES), tmp_path / "results")


class Deadly(NetworkMethod):
    """Kills its process where a target begins at y = 41."""

    def begin(self, frame: Frame, box: Box) -> Target:
        if box.y == 41:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().begin(frame, box)


def test_results_are_boxes_scores_and_times_of_every_frame(place: Place) -> None:
    assert place.run() == Ran(skipped=(), made=dict.fromkeys(NAMES, "no result"))
    boxes = np.loadtxt(place.folder / "a.txt", delimiter=",")
    np.testing.assert_allclose(boxes[:, 0], [20, 22, 24, 26, 28, 30], atol=1)
    assert (place.folder / "a.txt").read_text().splitlines()[0] == "20.000000,40.000000,24.000000,24.000000"
    assert np.loadtxt(place.folder / "scores" / "a_score.txt").tolist() == [1.0] + [0.95] * 5
    assert (np.loadtxt(place.folder / "times" / "a_time.txt") > 0).all()
    run = json.loads((place.folder / "run.json").read_text())
    assert (run["tracker_hash"], run["machine"], run["timed_on"]) == (MAKER.digest(), 1, "a test")
    assert (run["dataset"]["sequences"], run["dataset"]["frames"]) == (3, 18)


def test_the_absent_frame_is_left_out_of_the_figures(place: Place) -> None:
    place.run()
    summary = place.score()
    assert (len(summary.sequences), summary.expected, summary.gaps) == (3, 3, {})
    assert summary.means["auc"] == pytest.approx(20 / 21, abs=0.06)
    assert summary.means["precision"] == 1.0
    assert summary.sequences["a"]["absent"] == 1
    times = [np.loadtxt(place.folder / "times" / f"{name}_time.txt")[1:] for name in NAMES]
    assert summary.means["fps"] == pytest.approx(15 / np.sum(times), rel=1e-6)
    assert summary.timed_on == ("a test",)


def test_what_is_complete_is_left_alone(place: Place) -> None:
    place.run()
    before = {path: path.stat().st_mtime_ns for path in place.folder.rglob("*_time.txt")}
    assert place.run() == Ran(skipped=NAMES, made={})
    assert {path: path.stat().st_mtime_ns for path in place.folder.rglob("*_time.txt")} == before


def shorten(place: Place) -> None:
    path = place.folder / "b.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))


def put_nan(place: Place) -> None:
    path = place.folder / "b.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], "nan,nan,nan,nan", *lines[3:]]) + "\n")


def put_words(place: Place) -> None:
    (place.folder / "b.txt").write_text("not boxes\n")


def edit(place: Place) -> None:
    path = place.folder / "b.txt"
    path.write_text(path.read_text().replace("20.0", "21.0", 1))


def lose_scores(place: Place) -> None:
    (place.folder / "scores" / "b_score.txt").unlink()


def lose_record(place: Place) -> None:
    (place.folder / "made" / "b.json").unlink()


def break_record(place: Place) -> None:
    (place.folder / "made" / "b.json").write_text("{")


def lose(place: Place) -> None:
    (place.folder / "b.txt").unlink()


def change_truth(place: Place) -> None:
    path = place.root / "b" / "groundtruth.txt"
    path.write_text(path.read_text().replace("22,40", "22,40.5"))


HARM: list[tuple[Callable[[Place], None], str]] = [
    (lose, "no result"),
    (shorten, "short: 4 rows for 6 frames"),
    (put_nan, "not a number in line 3"),
    (put_words, "damaged: "),
    (edit, "b.txt changed since it was made"),
    (lose_scores, "scores/b_score.txt changed since"),
    (lose_record, "its record is missing or damaged"),
    (break_record, "its record is missing or damaged"),
    (change_truth, "images or ground truth have changed"),
]


@pytest.mark.parametrize("harm, told", HARM, ids=lambda value: getattr(value, "__name__", None))
def test_what_is_wrong_fails_the_summary_and_is_made_again(harm: Callable[[Place], None], told: str, place: Place) -> None:
    place.run()
    right = place.files()
    harm(place)
    summary = place.score()
    assert list(summary.gaps) == ["b"]
    assert told in summary.gaps["b"]
    assert set(summary.means.values()) == {None}
    assert place.score(partial_means=True).means["precision"] == 1.0
    again = place.run()
    assert again.skipped == ("a", "c")
    assert told in again.made["b"]
    assert place.score().gaps == {}
    assert {name: place.files()[name] for name in ("a.txt", "b.txt", "b_score.txt")} == {
        name: right[name] for name in ("a.txt", "b.txt", "b_score.txt")
    }


def test_another_tracker_makes_everything_again_and_the_old_results_are_kept(place: Place) -> None:
    place.run()
    old = (place.folder / "a.txt").read_bytes()
    other = replace(place, maker=Maker("fake", {"version": 2}), tracker=Tracker(NetworkMethod(FakeSession())))
    assert "made by another tracker" in other.score().gaps["a"]
    assert set(other.run().made) == set(NAMES)
    assert (place.folder / "a.txt").read_bytes() != old
    [kept] = (place.folder / "replaced").glob("a.*.txt")
    assert kept.read_bytes() == old


def test_a_sequence_that_cannot_be_tracked_is_a_gap_and_the_others_are_done(place: Place) -> None:
    (place.root / "b" / "img" / "3.png").write_bytes(b"not a picture")
    ran = place.run()
    assert set(ran.made) == {"a", "c"}
    assert "3.png" in ran.failed["b"]
    summary = place.score(failed=ran.failed)
    assert summary.gaps == ran.failed
    assert not (place.folder / "b.txt").exists()


def test_a_sequence_that_the_data_set_lacks_is_a_gap(place: Place) -> None:
    place.run()
    (place.root / "c" / "groundtruth.txt").unlink()
    summary = place.score()
    assert (len(summary.sequences), summary.expected) == (2, 3)
    assert summary.gaps == {"c": "missing in the data set: no c/groundtruth.txt"}


def test_two_processes_give_the_bytes_of_one(place: Place, tmp_path: Path) -> None:
    place.run()
    other = replace(place, folder=tmp_path / "other", pool=Processes(2))
    other.run()
    assert other.files() == place.files()
    assert len(place.files()) == 7


def test_a_sequence_whose_worker_is_killed_twice_is_listed_and_the_others_are_done(place: Place) -> None:
    path = place.root / "b" / "groundtruth.txt"
    path.write_text(path.read_text().replace("20,40", "20,41", 1))
    ran = replace(place, tracker=Tracker(Deadly(FakeSession(step=brightest))), pool=Processes(2)).run()
    assert set(ran.made) == {"a", "c"}
    assert ran.failed == {"b": "not tracked: its worker died 2 times, killed by SIGKILL"}


def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(place: Place, tmp_path: Path) -> None:
    whole = replace(place, folder=tmp_path / "whole")
    whole.run()

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(
            place.tracker, place.dataset, place.folder, maker=MAKER, pool=Here(), timed_on="a test", setting={"machine": 1}, report=stop
        )
    assert [path.name for path in place.folder.glob("*.txt")] == ["a.txt"]
    (place.folder / ".b.txt.1.part").write_text("what a killed process leaves")
    assert place.run().skipped == ("a",)
    assert place.files() == whole.files()
    assert not list(place.folder.rglob("*.part"))


def test_results_follow_the_coordinates_of_the_data_set(tmp_path: Path) -> None:
    make_sequences(tmp_path / "data", ["Gull2"])
    (tmp_path / "data" / "Gull2" / "groundtruth.txt").rename(tmp_path / "data" / "Gull2" / "groundtruth_rect.txt")
    place = Place(tmp_path / "data", tmp_path / "results", name="dtb70")
    place.run()
    assert (place.folder / "Gull2.txt").read_text().startswith("20.000000,40.000000,")  # as in the file, which counts from 1
    assert place.dataset[0].truth[0].tolist() == [19, 39, 24, 24]
    assert place.score().sequences["Gull2"]["auc"] > 0.7


def test_where_boxes_are_not_public_results_are_written_and_not_scored(tmp_path: Path) -> None:
    name = "GOT-10k_Test_000001"
    make_folder(tmp_path / name, 5)
    (tmp_path / name / "groundtruth.txt").write_text("20,40,24,24\n")
    place = Place(tmp_path, tmp_path / "results", name="got10k:test")
    place.run()
    summary = place.score(partial_means=True)  # the other 179 are missing
    assert len((place.folder / f"{name}.txt").read_text().splitlines()) == 5
    assert [summary.means[key] for key in (*METRICS, "mean_iou")] == [None] * 7
    assert summary.means["fps"] is not None
    assert (len(summary.sequences), len(summary.gaps)) == (1, 179)


def test_boxes_of_hidden_targets_do_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "airplane" / "airplane-1"
    folder.mkdir(parents=True)
    make_folder(folder / "img", 4)
    (folder / "groundtruth.txt").write_text("20,40,24,24\n22,40,24,24\n0,0,9,9\n26,40,24,24\n")
    (folder / "full_occlusion.txt").write_text("0,0,1,0\n")
    place = Place(tmp_path, tmp_path / "results", name="lasot")
    place.run()
    figures = place.score(rules="sightline").sequences["airplane-1"]
    assert (figures["precision"], figures["absent"]) == (1.0, 1)
    assert place.score().rules == "stark-lasot"
    assert place.score().sequences["airplane-1"]["precision"] == 0.75  # a frame where the target is hidden is a miss there


def test_rules_of_no_toolkit_are_the_plain_functions(place: Place) -> None:
    place.run()
    for clip in place.dataset:
        boxes, figures = boxes_from_file(place.folder / f"{clip.name}.txt"), place.score().sequences[clip.name]
        assert figures["auc"] == pytest.approx(success_auc(boxes, clip.truth), abs=1e-12)
        assert figures["precision"] == precision(boxes, clip.truth)
        assert figures["ao"] == pytest.approx(mean_iou(boxes, clip.truth), abs=1e-12)


def test_boxes_are_compared_with_the_rows_as_the_files_have_them(tmp_path: Path) -> None:
    folder = tmp_path / "airplane" / "airplane-1"
    folder.mkdir(parents=True)
    make_folder(folder / "img", 4)
    (folder / "groundtruth.txt").write_text("20,40,24,24\n22,40,24,24\n0,0,0,0\n26,40,24,24\n")
    place = Place(tmp_path, tmp_path / "results", name="lasot")
    place.run()
    kept = place.score(rules="got10k-lasot").sequences["airplane-1"]  # leaves out what is no number, and zeros are numbers
    assert (kept["sr50"], kept["precision"]) == (0.75, 0.75)
    assert place.score(rules="sightline").sequences["airplane-1"]["sr50"] == 1.0


def test_frames_of_all_sequences_are_one_where_the_rules_pool_them(place: Place) -> None:
    path = place.root / "a" / "groundtruth.txt"
    path.write_text(path.read_text().replace("24,40,24,24", "90,10,24,24"))  # a frame in which nobody is right
    place.run()
    pooled, apart = place.score(rules="got10k-val"), place.score(rules="sightline")
    assert pooled.sequences["a"]["sr50"] == pytest.approx(3 / 4)  # of 6 frames without the first and the absent one
    assert pooled.means["sr50"] == pytest.approx(11 / 12)
    assert apart.sequences["a"]["sr50"] == pytest.approx(4 / 5)
    assert pooled.rules == "got10k-val"


def test_boxes_that_the_rules_refuse_are_a_gap(place: Place, tmp_path: Path) -> None:
    rows = np.array([[20 + 2 * i, 40, 24, 24] for i in range(6)], np.float64)
    file = save_boxes(tmp_path / "boxes.npz", other__a=rows, other__b=rows * [1, 1, -1, 1], other__c=rows)
    maker = import_boxes(file, place.dataset, place.folder, tracker="other", stamp=ONE_PASS.stamp)
    summary = score(place.dataset, place.folder, maker=maker, rules="stark")
    assert list(summary.gaps) == ["b"]
    assert "take finite boxes" in summary.gaps["b"]


@pytest.mark.parametrize("rules", RULES)
def test_every_row_gives_figures_in_shares_of_one(rules: str, place: Place) -> None:
    place.run()
    means = place.score(rules=rules).means
    no_overlap = RULES[rules].valid == "all" and RULES[rules].dropped == "none"  # of the absent frame, so there is no mean of it
    assert (means["ao"] is None) == no_overlap
    assert all(0.5 < (means[key] or 0) <= 1.0 for key in METRICS if key != "ao" or not no_overlap)


def test_every_data_set_names_rules_that_exist() -> None:
    assert all(layout.rules in PROTOCOLS[layout.protocol].rules for layout in LAYOUTS.values())


def test_a_sequence_without_a_visible_target_is_a_gap(place: Place, tmp_path: Path) -> None:
    (place.root / "a" / "groundtruth.txt").write_text("NaN,NaN,NaN,NaN\n" * 6)
    file = save_boxes(tmp_path / "boxes.npz", **{f"other__{name}": np.ones((6, 4)) for name in NAMES})
    maker = import_boxes(file, place.dataset, place.folder, tracker="other", stamp=ONE_PASS.stamp)
    assert score(place.dataset, place.folder, maker=maker).gaps == {"a": "no frame of it shows a target"}


def test_times_of_two_machines_have_no_mean_speed(place: Place) -> None:
    place.run()
    lose(place)
    evaluate(place.tracker, place.dataset, place.folder, maker=MAKER, pool=Here(), timed_on="another machine", setting={})
    summary = place.score()
    assert summary.timed_on == ("a test", "another machine")
    assert summary.means["fps"] is None
    assert summary.means["precision"] == 1.0


def test_a_folder_that_cannot_be_written_is_said_in_a_line(place: Place) -> None:
    place.folder.write_text("a file")
    with pytest.raises(WeightsMissing, match="cannot write"):
        place.run()


def test_a_maker_is_its_content(tmp_path: Path) -> None:
    weights = tmp_path / "w.onnx"
    weights.write_bytes(b"1")
    opening = Opening(weights, "onnxruntime")
    first = maker_of("w", opening, "{}", versions={"sightline": "1"})
    assert first == maker_of("w", opening, "{}", versions={"sightline": "1"})
    (tmp_path / "w.init.onnx").write_bytes(b"2")
    second = maker_of("w", opening, "{}", versions={"sightline": "1"})
    weights.write_bytes(b"3")
    third = maker_of("w", opening, "{}", versions={"sightline": "1"})
    assert len({first.digest(), second.digest(), third.digest()}) == 3


def save_boxes(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **{name.replace("__", "/"): array for name, array in arrays.items()})  # type: ignore[arg-type]  # numpy's stub wants bool first
    return path


def test_imported_boxes_are_scored_and_what_is_missing_or_short_is_a_gap(place: Place, tmp_path: Path) -> None:
    truth = np.array([[20 + 2 * i, 40, 24, 24] for i in range(6)], np.float32)
    file = save_boxes(tmp_path / "boxes.npz", other__a=truth, other__b=truth[:4], another__a=truth)
    maker = import_boxes(file, place.dataset, place.folder, tracker="other", stamp=ONE_PASS.stamp)
    summary = score(place.dataset, place.folder, maker=maker)
    assert summary.gaps == {"b": "short: 4 rows for 6 frames", "c": "no result"}
    assert summary.sequences["a"]["auc"] == pytest.approx(20 / 21)
    assert summary.sequences["a"]["fps"] is None


def test_what_cannot_be_imported_is_said(place: Place, tmp_path: Path) -> None:
    boxes = np.zeros((6, 4))
    file = save_boxes(tmp_path / "boxes.npz", other__a=boxes, wrong__zebra=boxes, flat__a=boxes[0])
    for tracker, told in (("mine", "it has flat, other, wrong"), ("wrong", "'zebra', which is no sequence"), ("flat", r"is \(4,\)")):
        with pytest.raises(BadData, match=told):
            import_boxes(file, place.dataset, place.folder, tracker=tracker, stamp=ONE_PASS.stamp)
    with pytest.raises(BadData, match=r"run\.py is not an \.npz file"):
        import_boxes(Path(evaluate.__code__.co_filename), place.dataset, place.folder, tracker="other", stamp=ONE_PASS.stamp)
    with pytest.raises(BadData, match="cannot be read"):
        import_boxes(tmp_path / "none.npz", place.dataset, place.folder, tracker="other", stamp=ONE_PASS.stamp)


@pytest.mark.parametrize("tracker", STATED)
def test_stored_boxes_of_published_trackers_score_to_six_digits(tracker: str, tmp_path: Path) -> None:
    root = need_shared("data", "eval")
    dataset = open_dataset("folder", root)
    maker = import_boxes(root / "reference-boxes.npz", dataset, tmp_path, tracker=tracker, stamp=ONE_PASS.stamp)
    summary = score(dataset, tmp_path, maker=maker)
    assert (len(summary.sequences), summary.expected) == (26, 26)
    assert f"{summary.means['auc']:.6f}" == f"{STATED[tracker]:.6f}"
