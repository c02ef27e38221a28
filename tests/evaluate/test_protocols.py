"""What toolkits printed for stored boxes, by way of a run: images, a tracker, files, and their score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate.clips import Clip, Dataset, open_dataset
from sightline.evaluate.protocols import ANCHORS, LONG_TERM, RESTARTS, Protocol
from sightline.evaluate.protocols.anchored import AnchorRules
from sightline.evaluate.protocols.long_term import LongTermRules
from sightline.evaluate.protocols.restarting import RestartRules
from sightline.evaluate.protocols.trajectory import Trajectory, rows_of, to_files
from sightline.evaluate.regions import Region
from sightline.evaluate.restarts import FAILED, codes, restarted
from sightline.evaluate.results import Maker, write_result
from sightline.evaluate.run import evaluate
from sightline.evaluate.score import score
from sightline.fleet import Here, Pool, Processes
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.cli.clips import make_folder
from tests.conftest import need_shared
from tests.evaluate.folders import make_sequences, write
from tests.evaluate.replay import replayed, write_numbered
from tests.fakes import FakeSession, brightest
from tests.golden.tracks import Tracks

MAKER = Maker("stored", {})
NEWER = {"accuracy": "accuracy", "robustness": "ar_robustness", "failures": "failures", "eao": "eao_10_60"}
OLDER = {"accuracy": "accuracy", "robustness": "robustness", "failures": "lost_number", "eao": "eao_vot2018"}
TRACKERS = ("close", "drift", "degenerate")


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    with np.load(need_shared("golden", "metrics", "trajectories.npz")) as arrays:
        return Tracks(dict(arrays))


@pytest.fixture(scope="module")
def stored(tracks: Tracks, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The sequences of the fixtures as a folder of images."""
    root = tmp_path_factory.mktemp("stored")
    for number, name in enumerate(tracks.clips):
        truth = tracks.of(name, "gt_nan")
        for frame in range(len(truth)):
            write_numbered(root / name / "img" / f"{frame:08d}.png", number, frame, tracks.size(name))
        write(root / name / "groundtruth.txt", "".join(",".join(repr(float(value)) for value in row) + "\n" for row in truth))
        write(root / name / "anchor.value", "".join(f"{value}\n" for value in tracks.of(name, "anchor")))
    dataset = open_dataset("folder", root)
    clips = {clip.name: clip for clip in dataset}
    return replace(dataset, clips=tuple(clips[name] for name in tracks.clips))


def with_truth(dataset: Dataset, tracks: Tracks, name: str, *, absent: float | None = None) -> Dataset:
    """The same with the regions of that name as the truth; where the target is absent, a box of four such numbers, or a code."""

    def regions(clip: Clip) -> Iterator[Region]:
        for row, is_there in zip(tracks.of(clip.name, name), tracks.visible(clip.name), strict=True):
            yield row if is_there or name == "polygon" else np.zeros(1) if absent is None else np.full(4, absent)

    return replace(dataset, clips=tuple(replace(clip, regions=tuple(regions(clip))) for clip in dataset))


def run(tracks: Tracks, tracker: str, dataset: Dataset, folder: Path, protocol: Protocol[Any, Any], rules: object) -> dict[str, Any]:
    """The figures of a tracker that gives the stored boxes."""
    boxes = {i: tracks.of(name, f"{tracker}/boxes") for i, name in enumerate(tracks.clips)}
    scores = {i: tracks.of(name, f"{tracker}/score") for i, name in enumerate(tracks.clips)}
    ran = evaluate(replayed(boxes, scores), dataset, folder, maker=MAKER, protocol=protocol, pool=Here(), timed_on="", setting={})
    assert not ran.failed
    summary = score(dataset, folder, maker=MAKER, protocol=replace(protocol, rules={"these": rules}))
    assert not summary.gaps
    return {**summary.means, "sequences": [summary.sequences[name] for name in tracks.clips]}


def outputs(fixture: str) -> dict[str, Any]:
    with np.load(need_shared("golden", "metrics", fixture, "outputs.npz")) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("truth, tracker", [("box", "close"), ("polygon", "drift"), ("box", "degenerate")])
def test_anchors_give_what_the_vot_toolkit_printed(truth: str, tracker: str, tracks: Tracks, stored: Dataset, tmp_path: Path) -> None:
    expected = outputs(f"vot-multistart-{truth}")
    data = with_truth(stored, tracks, "gt" if truth == "box" else "polygon", absent=0)
    found = run(tracks, tracker, data, tmp_path, ANCHORS, AnchorRules((10, 115)))
    for ours, theirs in (("accuracy", "accuracy"), ("robustness", "robustness"), ("eao", "eao_10_115")):
        assert found[ours] == pytest.approx(float(expected[f"{tracker}/{theirs}"]), rel=1e-6), ours
    each = [(row["accuracy"], row["robustness"]) for row in found["sequences"]]
    np.testing.assert_allclose(each, expected[f"{tracker}/per_sequence"][:, :2], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("older, fixture, names", [(False, "vot-supervised", NEWER), (True, "pysot-vot-supervised", OLDER)])
def test_runs_with_restarts_give_what_toolkits_printed(
    older: bool, fixture: str, names: dict[str, str], tracker: str, tracks: Tracks, stored: Dataset, tmp_path: Path
) -> None:
    """The recorded runs failed by another truth than they are scored by, so they are written as files and not made again."""
    expected, runs = outputs(fixture), outputs("pysot-vot-supervised")
    data = with_truth(stored, tracks, "polygon")
    for clip in data:
        made = Trajectory(len(clip.frames), 0)
        for i, row in enumerate(runs[f"trajectory/{tracker}/{clip.name}"]):
            made.regions[i] = ",".join(repr(float(value)) for value in row[: 1 if np.isnan(row[1]) else 4])
        files = to_files(clip, {f"{clip.name}_001": made})
        write_result(clip, tmp_path, files.results, stamp=RESTARTS.stamp(MAKER.digest(), clip.digest()), beside=files.beside)
    rules = RestartRules(eao=(100, 356) if older else (10, 60), older=older)
    summary = score(data, tmp_path, maker=MAKER, protocol=replace(RESTARTS, rules={"these": rules}))
    assert not summary.gaps
    for ours, theirs in names.items():
        assert summary.means[ours] == pytest.approx(float(expected[f"{tracker}/{theirs}"]), rel=1e-6), ours
    if not older:
        each = [(summary.sequences[name]["accuracy"], summary.sequences[name]["failures"]) for name in tracks.clips]
        np.testing.assert_allclose(each, expected[f"{tracker}/per_sequence"][:, :2], rtol=1e-6, atol=1e-9)


def test_a_run_starts_again_where_the_tracker_shares_no_pixel_with_the_truth(tracks: Tracks, stored: Dataset, tmp_path: Path) -> None:
    run(tracks, "drift", stored, tmp_path, RESTARTS, RestartRules(eao=None))
    [clip] = [clip for clip in stored if clip.name == "alpha"]
    found = rows_of(tmp_path / "alpha" / "alpha_001.txt")
    np.testing.assert_allclose(found, restarted(tracks.of("alpha", "drift/boxes"), clip.truth), atol=1e-4)
    assert (codes(found) == FAILED).sum() == 3


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("older, fixture, f", [(False, "vot-longterm", "f_score"), (True, "pysot-vot-longterm", "f1")])
def test_long_videos_give_what_toolkits_printed(
    older: bool, fixture: str, f: str, tracker: str, tracks: Tracks, stored: Dataset, tmp_path: Path
) -> None:
    expected = outputs(fixture)
    found = run(tracks, tracker, with_truth(stored, tracks, "gt"), tmp_path, LONG_TERM, LongTermRules(older=older))
    for ours, theirs in (("f_score", f), ("precision_lt", "precision"), ("recall_lt", "recall")):
        assert found[ours] == pytest.approx(float(expected[f"{tracker}/{theirs}"]), rel=1e-6), ours


@pytest.fixture
def rendered(tmp_path: Path) -> Dataset:
    """Two sequences of a moving square with anchors at both ends; in the last frame but one the target is absent."""
    root = make_sequences(tmp_path / "data", ["a", "b"], 12)
    for name in ("a", "b"):
        path = root / name / "groundtruth.txt"
        lines = path.read_text().splitlines()
        path.write_text("\n".join([*lines[:10], "nan,nan,nan,nan", "42,40,24,24"]) + "\n")
        write(root / name / "anchor.value", "\n".join(["1", *["0"] * 10, "-1"]) + "\n")
    return open_dataset("folder", root)


def fake() -> Tracker[Any]:
    return Tracker(NetworkMethod(FakeSession(step=brightest)))


@pytest.mark.parametrize("protocol", [RESTARTS, ANCHORS, LONG_TERM], ids=lambda protocol: protocol.name)
def test_two_processes_and_a_resumed_run_leave_the_bytes_of_one(protocol: Protocol[Any, Any], rendered: Dataset, tmp_path: Path) -> None:
    def go(folder: Path, pool: Pool) -> dict[str, bytes]:
        ran = evaluate(fake(), rendered, folder, maker=MAKER, protocol=protocol, pool=pool, timed_on="here", setting={})
        assert not ran.failed
        kept = [path for path in sorted(folder.rglob("*")) if path.is_file() and "time" not in path.name and path.parent.name != "made"]
        return {str(path.relative_to(folder)): path.read_bytes() for path in kept}

    one = go(tmp_path / "one", Here())
    assert go(tmp_path / "two", Processes(2)) == one
    (tmp_path / "two" / "b" / next(path.name for path in (tmp_path / "two" / "b").glob("*.txt"))).write_text("1\n")
    again = go(tmp_path / "two", Here())
    assert {name: content for name, content in again.items() if not name.startswith("replaced")} == one
    assert len(list((tmp_path / "two" / "replaced" / "b").iterdir())) == 1


def test_files_are_those_of_the_vot_toolkit(rendered: Dataset, tmp_path: Path) -> None:
    for protocol in (RESTARTS, ANCHORS, LONG_TERM):
        evaluate(fake(), rendered, tmp_path / protocol.name, maker=MAKER, protocol=protocol, pool=Here(), timed_on="here", setting={})
    backward = (tmp_path / "anchors" / "a" / "a_00000011.txt").read_text().splitlines()
    assert (len(backward), backward[0]) == (12, "1")
    assert [float(line.split(",")[0]) for line in backward[2:]] == pytest.approx([38.0 - 2 * i for i in range(10)], abs=1)
    assert sorted(path.name for path in (tmp_path / "anchors" / "a").glob("*.txt")) == ["a_00000000.txt", "a_00000011.txt"]
    scores = (tmp_path / "long-term" / "a" / "a_001_confidence.value").read_text().split("\n")
    assert (scores[0], scores[1], len(scores)) == ("", "0.950000", 13)
    assert len((tmp_path / "long-term" / "a" / "a_001_time.value").read_text().splitlines()) == 12
    restarted_at = (tmp_path / "restarts" / "a" / "a_001.txt").read_text().splitlines()
    assert (restarted_at[0], restarted_at[10], restarted_at[11]) == ("1", "2", "0")  # a frame without a target is a failure


def test_figures_are_of_each_sequence_and_of_all(rendered: Dataset, tmp_path: Path) -> None:
    for protocol in (RESTARTS, ANCHORS, LONG_TERM):
        evaluate(fake(), rendered, tmp_path / protocol.name, maker=MAKER, protocol=protocol, pool=Here(), timed_on="here", setting={})
        summary = score(rendered, tmp_path / protocol.name, maker=MAKER, protocol=protocol)
        assert set(summary.sequences["a"]) >= set(protocol.metrics)
        assert summary.means["fps"] is not None
        assert (summary.rules, summary.gaps) == (next(iter(protocol.rules)), {})
        for rules in set(protocol.rules) - {"pysot-lt"}:
            means = score(rendered, tmp_path / protocol.name, maker=MAKER, protocol=protocol, rules=rules).means
            assert set(means) >= {*protocol.metrics, "fps"}


def test_too_few_scores_for_a_hundred_thresholds_are_told(rendered: Dataset, tmp_path: Path) -> None:
    evaluate(fake(), rendered, tmp_path, maker=MAKER, protocol=LONG_TERM, pool=Here(), timed_on="here", setting={})
    with pytest.raises(BadData, match="pysot takes a hundred thresholds from 98 scores or more, and there are 22"):
        score(rendered, tmp_path, maker=MAKER, protocol=LONG_TERM, rules="pysot-lt")


def test_a_sequence_without_anchors_is_a_gap(rendered: Dataset, tmp_path: Path) -> None:
    first, second = rendered
    data = replace(rendered, clips=(replace(first, anchors=None), second))
    ran = evaluate(fake(), data, tmp_path / "runs", maker=MAKER, protocol=ANCHORS, pool=Here(), timed_on="here", setting={})
    assert "a names no frames to start from; expected an anchor.value" in ran.failed["a"]
    assert set(ran.made) == {"b"}


def test_lost_and_short_runs_are_told(rendered: Dataset, tmp_path: Path) -> None:
    evaluate(fake(), rendered, tmp_path, maker=MAKER, protocol=ANCHORS, pool=Here(), timed_on="here", setting={})
    (tmp_path / "a" / "a_00000011.txt").unlink()
    path = tmp_path / "b" / "b_00000000.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:5]) + "\n")
    gaps = score(rendered, tmp_path, maker=MAKER, protocol=ANCHORS).gaps
    assert gaps == {"a": "no a/a_00000011.txt", "b": "short: 5 rows for 12 frames in b_00000000.txt"}
    path.write_text("1\n" + "nan,1,1,1\n" * 11)
    assert "b_00000000.txt:2: 'nan,1,1,1' is neither a box nor a code" in score(rendered, tmp_path, maker=MAKER, protocol=ANCHORS).gaps["b"]


@pytest.mark.parametrize(
    "name, protocol, rules", [("vot2018", RESTARTS, "vot2018"), ("vot2022", ANCHORS, "vot2022"), ("vot2019:lt", LONG_TERM, "vot-lt")]
)
def test_vot_folders_name_their_protocol_and_are_scored_by_their_polygons(
    name: str, protocol: Protocol[Any, Any], rules: str, tmp_path: Path
) -> None:
    make_folder(tmp_path / "a", 12)
    (tmp_path / "a").rename(tmp_path / "color")
    (tmp_path / "a").mkdir()
    (tmp_path / "color").rename(tmp_path / "a" / "color")
    lower_half = [f"{20 + 2 * i},52,{44 + 2 * i},52,{44 + 2 * i},64,{20 + 2 * i},64" for i in range(12)]
    write(tmp_path / "a" / "groundtruth.txt", "\n".join(lower_half))
    write(tmp_path / "a" / "anchor.value", "1\n")
    write(tmp_path / "list.txt", "a\n")
    dataset = open_dataset(name, tmp_path)
    assert (dataset.protocol, protocol.choose_rules(None, dataset)) == (protocol.name, rules)
    ran = evaluate(fake(), dataset, tmp_path / "results", maker=MAKER, protocol=protocol, pool=Here(), timed_on="here", setting={})
    assert set(ran.made) == {"a"}
    found = score(dataset, tmp_path / "results", maker=MAKER, protocol=protocol)
    [first, *_] = protocol.metrics
    assert found.means[first] == pytest.approx(0.5, abs=0.1)  # the fake tracker follows the whole square
