from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate.clips import Dataset, open_dataset
from sightline.evaluate.imported import import_boxes
from sightline.evaluate.protocols import ONE_PASS
from sightline.evaluate.published import Published
from sightline.evaluate.report.compare import Comparison, compare, result_folders
from sightline.evaluate.report.page import Limits, make_page
from sightline.evaluate.report.plots import draw_plots, rendered
from sightline.evaluate.report.tables import Column, Table, to_csv, to_latex, to_markdown
from sightline.evaluate.report.write import as_json, make_tables, write_report
from sightline.evaluate.results import make_folder
from sightline.evaluate.run import evaluate
from sightline.evaluate.score import score
from sightline.fleet import Here
from sightline.methods.network import NetworkMethod
from sightline.tracker import Tracker
from tests.evaluate.folders import make_sequences
from tests.evaluate.test_run import MAKER
from tests.fakes import FakeSession, brightest

NAMES = ("a", "b", "c")
SHIFTS = {"close": 1.0, "far": 7.0}  # pixels to the right of the truth
ATTRIBUTES: Mapping[str, list[str]] = {"a": ["fast", "small", "dark"], "b": ["fast", "small", "dark", "rare"], "c": ["dark"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three squares and results of three trackers on it: one was run and has times, two were imported."""
    folder = tmp_path_factory.mktemp("report")
    root = make_sequences(folder / "data", NAMES)
    for name in NAMES:
        (root / name / "meta.json").write_text(json.dumps({"attributes": ATTRIBUTES[name]}))
    data = open_dataset("folder", root)
    for label, shift in SHIFTS.items():
        rows = {f"{label}/{clip.name}": np.nan_to_num(clip.truth, nan=9) + np.array([shift, 0, 0, 0]) for clip in data}
        np.savez(folder / "boxes.npz", **rows)
        import_boxes(folder / "boxes.npz", data, make_folder(folder / "results", data, label), tracker=label, stamp=ONE_PASS.stamp)
    run = make_folder(folder / "results", data, "run")
    tracker = Tracker(NetworkMethod(FakeSession(step=brightest)))
    evaluate(tracker, data, run, maker=MAKER, pool=Here(), timed_on="a test", setting={})
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def dataset(place: Path) -> Dataset:
    return open_dataset("folder", place / "data")


def compared(place: Path, **options: Any) -> Comparison:
    return compare(dataset(place), result_folders([place / "results" / "folder"]), **options)


def labels(comparison: Comparison) -> list[str]:
    return [entry.label for entry in comparison.entries]


def test_trackers_stand_by_falling_auc_with_the_figures_of_eval(made: Path) -> None:
    comparison = compared(made)
    assert labels(comparison) == ["run", "close", "far"]
    summary = score(dataset(made), made / "results" / "folder" / "run", maker=MAKER)
    best = comparison.entries[0]
    for key in ("auc", "precision", "norm_precision", "ao", "sr50", "sr75"):
        assert best.means[key] == pytest.approx(summary.means[key], abs=1e-12)
    assert best.fps == pytest.approx(summary.means["fps"], rel=1e-12)
    for entry in comparison.entries:
        assert entry.means["auc"] == pytest.approx(np.mean([row["auc"] for row in entry.sequences.values()]), abs=1e-12)
        assert entry.means["auc"] == pytest.approx(entry.curves.success.mean(), abs=1e-12)
    assert [entry.fps is None for entry in comparison.entries] == [False, True, True]


def test_normalised_precision_is_counted_in_sides_of_the_target(made: Path) -> None:
    figures = {entry.label: entry.means["norm_precision"] for entry in compared(made).entries}
    assert figures["close"] == 1.0  # 1 of 24 pixels
    assert figures["far"] == 0.0  # 7 of 24 pixels are more than 0.2


def test_figures_of_an_attribute_are_those_of_its_sequences(made: Path) -> None:
    comparison = compared(made)
    assert comparison.attributes == {"dark": 3, "fast": 2, "rare": 1, "small": 2}
    for entry in comparison.entries:
        assert entry.attributes["rare"] == entry.sequences["b"]["auc"]
        assert entry.attributes["dark"] == pytest.approx(entry.means["auc"])


@pytest.mark.parametrize(
    "spoil,told",
    [
        (lambda place: (place / "results/folder/far/b.txt").unlink(), "far/b (no result)"),
        (lambda place: (place / "results/folder/far/b.txt").write_text("1,2,3,4\n"), "far/b (short: 1 rows for 6 frames)"),
        (lambda place: (place / "data/b/groundtruth.txt").write_text("1,2,3,4\n" * 6), "b (the data are not those"),
        (lambda place: (place / "data/b/groundtruth.txt").unlink(), "b (missing in the data set"),
    ],
    ids=["gone", "short", "other truth", "no truth"],
)
def test_a_gap_is_refused_or_left_out_for_all(place: Path, spoil: Any, told: str) -> None:
    spoil(place)
    with pytest.raises(BadData, match=re.escape(told)):
        compared(place)
    comparison = compared(place, partial=True)
    assert [clip.name for clip in comparison.clips] == ["a", "c"]
    assert comparison.expected == 3
    assert all(set(entry.sequences) == {"a", "c"} for entry in comparison.entries)
    for entry in comparison.entries:
        assert entry.means["auc"] == pytest.approx(np.mean([row["auc"] for row in entry.sequences.values()]))


def test_what_was_left_out_stands_in_the_report(place: Path) -> None:
    (place / "results/folder/far/b.txt").unlink()
    write_report(compared(place, partial=True), place / "out")
    assert "MISSING: far/b" in (place / "out" / "report.md").read_text()
    assert "LEFT OUT, because a tracker has no whole result of them: b." in (place / "out" / "report.html").read_text()


def test_one_folder_or_many_may_be_given_but_no_name_twice(place: Path) -> None:
    results = place / "results" / "folder"
    assert list(result_folders([results / "run", results / "far"])) == ["run", "far"]
    assert list(result_folders([results, results / "far"])) == ["close", "far", "run"]
    shutil.copytree(results / "far", place / "other" / "far")
    with pytest.raises(BadData, match="have one name; rename one"):
        result_folders([results, place / "other"])
    with pytest.raises(BadData, match="holds no results"):
        result_folders([place / "data"])


TABLE = Table(
    name="t",
    title="T",
    caption="100 % of it.",
    columns=(Column("tracker", "text"), Column("AUC"), Column("fps", "rate"), Column("frames", "count", ranked=False)),
    rows=(("a_1", 0.70004, 10.0, 3), ("b|2", 0.70001, None, 4), ("c", 0.6, 30.26, 5), ("d", 0.5, 20.0, 6)),
)


def test_markdown_marks_best_and_second_and_numbers_that_print_alike_alike() -> None:
    rows = to_markdown(TABLE).splitlines()
    assert rows[1] == "|---|---:|---:|---:|"
    assert rows[2:] == [
        "| a_1 | **0.7000** | 10.0 | 3 |",
        "| b\\|2 | **0.7000** | - | 4 |",
        "| c | *0.6000* | **30.3** | 5 |",
        "| d | 0.5000 | *20.0* | 6 |",
    ]


def test_latex_is_in_percent_with_best_bold_and_second_underlined() -> None:
    text = to_latex(TABLE)
    assert r"a\_1 & \textbf{70.0} & 10.0 & 3 \\" in text
    assert r"c & \underline{60.0} & \textbf{30.3} & 5 \\" in text
    assert r"\caption{100 \% of it. Shares in percent.}" in text
    assert [line for line in text.splitlines() if "rule" in line] == [r"\toprule", r"\midrule", r"\bottomrule"]
    odd = Table(name="t", title="T", caption="", columns=(Column("x", "text"),), rows=(("a\\b^c~{d}",),))
    assert r"a\textbackslash{}b\textasciicircum{}c\textasciitilde{}\{d\} \\" in to_latex(odd)


def test_csv_has_every_digit_and_no_marks() -> None:
    rows = list(csv.reader(io.StringIO(to_csv(TABLE))))
    assert rows[1:3] == [["a_1", "0.70004", "10.0", "3"], ["b|2", "0.70001", "", "4"]]


def test_a_row_of_sequences_has_its_own_best(made: Path) -> None:
    table = next(table for table in make_tables(compared(made), []) if table.name == "sequences")
    text = to_markdown(table).splitlines()
    assert len(text) == 2 + 3 + 1
    assert all(line.count("**") == 2 for line in text[2:])
    assert text[-1].startswith("| mean | 18 |")


def test_published_figures_stand_beside_ours_and_say_so(made: Path) -> None:
    others = [
        Published("far", "d", "auc", 0.9, "table 1"),
        Published("far", "d", "auc", 0.8, "table 2"),
        Published("close", "d", "ao", 0.7, "table 3"),
        Published("nobody", "d", "eao", 0.3, "table 4"),
    ]
    comparison = compared(made)
    tables = {table.name: table for table in make_tables(comparison, others)}
    shown = {row[0]: row[-2:] for row in tables["trackers"].rows}
    assert [column.title for column in tables["trackers"].columns][-2:] == ["AUC, published", "AO, published"]
    assert shown == {"run": (None, None), "far": ((0.8, 0.9), None), "close": (None, 0.7)}
    assert "| 0.8000 to 0.9000 |" in to_markdown(tables["trackers"])
    assert "& 80.0 to 90.0 &" in to_latex(tables["trackers"])
    assert ",0.8 to 0.9," in to_csv(tables["trackers"])
    ours = {entry.label: entry.means for entry in comparison.entries}
    assert [row[2:4] for row in tables["published"].rows] == [
        (0.9, ours["far"]["auc"]),
        (0.8, ours["far"]["auc"]),
        (0.7, ours["close"]["ao"]),
        (0.3, None),
    ]
    assert "not measured here" in tables["published"].caption
    assert as_json(comparison, others)["published"][3]["source"] == "table 4"
    assert "published" not in {table.name for table in make_tables(comparison, [])}


def test_legends_are_sorted_by_the_score_that_they_show(made: Path) -> None:
    comparison = compared(made)
    figures = draw_plots(comparison)
    for name, key in (("success", "auc"), ("precision", "precision"), ("normalised_precision", "norm_precision")):
        [axes] = figures[name].axes
        texts = [text.get_text() for text in axes.get_legend().get_texts()]
        means = sorted((entry.means[key] or 0.0 for entry in comparison.entries), reverse=True)
        assert [text.split()[0] for text in texts] == [f"{mean:.3f}" for mean in means]
    lines = figures["success"].axes[0].get_lines()
    assert np.array_equal(lines[0].get_ydata(), comparison.entries[0].curves.success)


def test_speed_has_only_who_was_timed_and_attributes_only_what_sequences_share(made: Path) -> None:
    figures = draw_plots(compared(made))
    [axes] = figures["speed"].axes
    assert axes.get_xscale() == "log"
    assert [text.get_text().split()[1] for text in axes.get_legend().get_texts()] == ["run,"]
    spokes = [text.get_text() for text in figures["attributes"].axes[0].get_xticklabels()]
    assert spokes == ["dark (3)", "fast (2)", "small (2)"]  # "rare" is of one sequence


def test_speeds_of_different_machines_are_not_passed_off_as_comparable(place: Path) -> None:
    folder = place / "results" / "folder"
    shutil.copytree(folder / "run", folder / "elsewhere")
    for path in (folder / "elsewhere" / "made").glob("*.json"):
        path.write_text(path.read_text().replace("a test", "another machine"))
    assert "\na test" in draw_plots(compare(dataset(place), {"run": folder / "run"}))["speed"].axes[0].get_xlabel()
    comparison = compared(place)
    assert "DIFFERENT machines" in draw_plots(comparison)["speed"].axes[0].get_xlabel()
    assert "Speed on DIFFERENT machines: a test; another machine." in make_tables(comparison, [])[0].caption


@pytest.fixture(scope="module")
def written(made: Path) -> Path:
    """The folder of a report."""
    write_report(compared(made), made / "written")
    return made / "written"


def test_the_same_results_give_the_same_files(made: Path, written: Path, tmp_path: Path) -> None:
    files = write_report(compared(made), tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in files}
    assert names == {path.relative_to(written).as_posix() for path in written.rglob("*.*")}
    assert names >= {"report.html", "report.md", "report.json", "tables/trackers.tex", "tables/sequences.csv", "plots/success.pdf"}
    for name in names:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name


def page_of(comparison: Comparison, limits: Limits) -> tuple[str, dict[str, Any]]:
    plots = {"success": rendered(draw_plots(comparison)["success"], "svg")}
    text = make_page(comparison, plots=plots, above=make_tables(comparison, [])[:1], below=[], rules="ours", limits=limits)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return text, json.loads(found[1])


def test_a_page_needs_no_other_file(made: Path) -> None:
    text, told = page_of(compared(made), Limits())
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="([^"]*)"', text))
    assert not re.findall(r"https?://|@import|url\(|fetch\(", text)
    assert [clip["name"] for clip in told["clips"]] == list(NAMES)
    assert "{{" not in text


def test_a_page_has_boxes_and_overlaps_of_every_frame_that_it_shows(made: Path) -> None:
    comparison = compared(made)
    _, told = page_of(comparison, Limits(frames=3, side=100))
    clip = told["clips"][0]
    assert (clip["at"], clip["step"], clip["length"], len(clip["frames"])) == ([0, 2, 4], 2, 6, 3)
    assert clip["size"] == [200, 120]
    assert clip["truth"][1] == [24, 40, 24, 24]
    far = labels(comparison).index("far")
    assert clip["boxes"][far][1] == [31, 40, 24, 24]
    assert clip["overlap"][far][1] == pytest.approx(17 / 31, abs=1e-3)
    _, whole = page_of(comparison, Limits())
    assert whole["clips"][0]["truth"][5] is None
    assert whole["clips"][0]["overlap"][far][5] is None


def test_pictures_are_made_smaller_and_no_more_are_taken_than_the_limit(made: Path) -> None:
    import base64

    comparison = compared(made)
    text, told = page_of(comparison, Limits(side=100))
    jpeg = np.frombuffer(base64.b64decode(told["clips"][0]["frames"][0]), np.uint8)
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (60, 100, 3)
    assert "3 of 3 sequences are in this page" in text
    size = sum(map(len, told["clips"][0]["frames"]))
    text, told = page_of(comparison, Limits(side=100, size=2 * size + 10))
    assert len(told["clips"]) == 2
    assert "2 of 3 sequences are in this page" in text
    assert "Pictures are limited to" in text
    text, told = page_of(comparison, Limits(size=0))
    assert told["clips"] == []


def test_names_cannot_become_part_of_the_page(place: Path) -> None:
    evil = "<script>alert(1)<|script>{{data}}"
    (place / "results" / "folder" / "far").rename(place / "results" / "folder" / evil)
    text, told = page_of(compared(place), Limits())
    assert evil not in text
    assert evil in [tracker["name"] for tracker in told["trackers"]]


def test_the_json_has_curves_and_sequences(written: Path) -> None:
    told = json.loads((written / "report.json").read_text())
    assert (told["evaluated"], told["expected"], told["gaps"]) == (3, 3, {})
    assert [len(told["trackers"][0]["curves"][name]) for name in ("success", "precision", "normal")] == [21, 51, 51]
    assert list(told["trackers"][0]["sequences"]) == list(NAMES)
