from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate.clips import Clip, Dataset, boxes_from_file, open_dataset
from sightline.evaluate.metrics import success_auc
from sightline.evaluate.protocols import PROTOCOLS, find_protocol
from sightline.evaluate.protocols.starts import STARTS, spatial, temporal
from sightline.evaluate.results import Maker
from sightline.evaluate.run import evaluate
from sightline.evaluate.score import Summary, score
from sightline.fleet import Here
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.evaluate.folders import make_sequences
from tests.fakes import FakeSession, brightest

MAKER = Maker("fake", {"version": 1})
TRUTH = np.array([[10.0 + i, 20, 40, 30] for i in range(100)])


def clip(visible: np.ndarray | None = None) -> Clip:
    seen = np.ones(100, bool) if visible is None else visible
    return Clip("a", tuple(f"{i}.jpg" for i in range(100)), np.where(seen[:, None], TRUTH, np.nan), TRUTH, seen)


def test_twelve_boxes_lie_around_the_true_one() -> None:
    boxes = {start.name: start.box for start in spatial(clip())}
    assert len(boxes) == 12
    assert boxes["left"] == pytest.approx((6, 20, 40, 30))
    assert boxes["right-down"] == pytest.approx((14, 23, 40, 30))
    assert boxes["scale120"] == pytest.approx((6, 17, 48, 36))
    assert {start.first for start in spatial(clip())} == {0}


def test_twenty_parts_begin_where_the_target_is_seen() -> None:
    assert [start.first for start in temporal(clip())] == list(range(0, 100, 5))
    assert temporal(clip())[3].box == (25, 20, 40, 30)
    seen = np.ones(100, bool)
    seen[4:12] = False  # both 5 and 10 move to 12
    seen[93:] = False  # nothing after 95
    assert [start.first for start in temporal(clip(seen))] == [0, 12, *range(15, 95, 5)]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    make_sequences(tmp_path / "data", ("a", "b"))
    return open_dataset("folder", tmp_path / "data")


def ran(name: str, dataset: Dataset, folder: Path) -> Summary:
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)))
    protocol = find_protocol(name)
    evaluate(tracker, dataset, folder, maker=MAKER, protocol=protocol, pool=Here(), timed_on="a test", setting={})
    return score(dataset, folder, maker=MAKER, protocol=protocol)


@pytest.mark.parametrize("name,runs", [("spatial", 12), ("temporal", 5), ("point", 1)])
def test_every_start_leaves_its_boxes_and_the_summary_averages_them(name: str, runs: int, dataset: Dataset, tmp_path: Path) -> None:
    summary = ran(name, dataset, tmp_path / name)
    files = sorted((tmp_path / name).glob("a_*.txt"))
    assert len(files) == runs
    truth = np.where(dataset[0].visible[:, None], dataset[0].truth, np.nan)
    aucs = [success_auc(boxes, truth[len(truth) - len(boxes) :]) for boxes in map(boxes_from_file, files)]
    assert summary.sequences["a"]["auc"] == pytest.approx(np.mean(aucs))
    assert summary.sequences["a"]["auc_worst"] == pytest.approx(min(aucs))
    assert summary.sequences["a"]["auc_spread"] == pytest.approx(np.std(aucs))
    both = np.array([summary.sequences[key]["auc"] for key in "ab"])
    assert summary.means["auc"] == pytest.approx(np.mean(both))
    assert np.mean(both) > 0.8
    assert summary.means["fps"] is None


def test_what_is_complete_is_left_alone_and_a_lost_start_is_made_again(dataset: Dataset, tmp_path: Path) -> None:
    ran("spatial", dataset, tmp_path / "r")
    lost = tmp_path / "r" / "a_up.txt"
    before = lost.read_bytes()
    lost.unlink()
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)))
    done = evaluate(
        tracker, dataset, tmp_path / "r", maker=MAKER, protocol=PROTOCOLS["spatial"], pool=Here(), timed_on="a test", setting={}
    )
    assert (done.skipped, dict(done.made)) == (("b",), {"a": "no result"})
    assert lost.read_bytes() == before
    lost.write_text(lost.read_text().splitlines()[0] + "\n")
    assert "a_up.txt has 1 rows for 6 frames" in score(dataset, tmp_path / "r", maker=MAKER, protocol=PROTOCOLS["spatial"]).gaps["a"]


def test_a_mask_is_two_boxes(dataset: Dataset, tmp_path: Path) -> None:
    shown = np.zeros((120, 200), bool)
    shown[40:64, 20:44] = True
    shown[40, 60] = True  # a stray pixel
    masked = replace(dataset, clips=tuple(replace(clip, regions=(shown,) * len(clip.frames)) for clip in dataset))
    summary = ran("mask-start", masked, tmp_path / "r")
    assert boxes_from_file(tmp_path / "r" / "a_tight.txt")[0].tolist() == [20, 40, 41, 24]
    assert boxes_from_file(tmp_path / "r" / "a_moments.txt")[0] == pytest.approx([19.5, 40, 25, 24], abs=1)
    assert summary.sequences["a"]["auc_worst"] is not None
    with pytest.raises(BadData, match="a has no mask of its first frame"):
        ran("mask-start", dataset, tmp_path / "none")


def test_protocols_of_starts_have_folders_of_their_own() -> None:
    assert len({protocol.folder for protocol in STARTS}) == 4
