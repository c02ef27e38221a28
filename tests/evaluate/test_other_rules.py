from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import BadData
from sightline.evaluate.clips import open_dataset
from sightline.evaluate.imported import import_boxes
from sightline.evaluate.protocols import ONE_PASS
from sightline.evaluate.report.compare import Comparison, compare
from sightline.evaluate.report.other_rules import other_rules
from sightline.evaluate.report.tables import Table
from sightline.evaluate.results import make_folder
from sightline.evaluate.rules import KINDS, RULES, rules_of_one_kind
from sightline.evaluate.score import score
from tests.evaluate.folders import touch_images, write


def make(root: Path, **boxes: np.ndarray) -> Comparison:
    """A sequence that walks out of the image and is away in 10 of 40 frames, by the rules of `stark`."""
    truth = np.array([[30.0 - i, 20, 20, 20] if i < 30 else [np.nan] * 4 for i in range(40)])
    touch_images(root / "data" / "a" / "img", [f"{i}.jpg" for i in range(40)])
    write(root / "data" / "a" / "groundtruth.txt", "".join(",".join(map(str, row)) + "\n" for row in truth.tolist()))
    data = open_dataset("folder", root / "data")
    folders = {}
    for name, rows in (boxes or {"oracle": np.nan_to_num(truth, nan=5.0)}).items():
        folders[name] = make_folder(root / "results", data, name)
        arrays: dict[str, Any] = {f"{name}/a": rows}
        np.savez(root / "boxes.npz", **arrays)
        import_boxes(root / "boxes.npz", data, folders[name], tracker=name, stamp=ONE_PASS.stamp)
    return compare(data, folders, rules="stark")


def cells(table: Table, metric: str) -> dict[str, tuple[object, ...]]:
    return {str(row[1]): row[2:] for row in table.rows if row[0] == metric}


def test_every_row_has_the_figure_that_eval_gives_by_it(tmp_path: Path) -> None:
    comparison = make(tmp_path)
    found = cells(other_rules(comparison), "AUC")
    data, folder = open_dataset("folder", tmp_path / "data"), tmp_path / "results" / "folder" / "oracle"
    maker = import_boxes(tmp_path / "boxes.npz", data, folder, tracker="oracle", stamp=ONE_PASS.stamp)
    for name in rules_of_one_kind("stark"):
        assert found[name][0] == score(data, folder, maker=maker, rules=name).means["auc"]


def test_the_last_row_of_a_figure_is_its_smallest_and_its_largest(tmp_path: Path) -> None:
    found = cells(other_rules(make(tmp_path)), "AUC")
    values = [float(str(row[0])) for name, row in found.items() if name != "all"]
    assert found["all"][0] == (min(values), max(values))
    assert max(values) - min(values) > 0.2


def test_what_makes_the_difference_is_named_with_its_size(tmp_path: Path) -> None:
    found = cells(other_rules(make(tmp_path)), "AUC")
    assert found["stark"][1] == ""
    assert str(found["sightline"][1]).startswith("which frames count +0.2")  # 30 frames of 40 show a target
    stark, sightline = (float(str(found[name][0])) for name in ("stark", "sightline"))
    assert stark / sightline == pytest.approx(0.75)


def test_boxes_that_a_toolkit_refuses_have_no_figure_there(tmp_path: Path) -> None:
    rows = np.tile([5.0, 5, 20, 20], (40, 1))
    rows[7, 2] = -3
    comparison = make(tmp_path / "good", oracle=np.abs(rows))
    assert None not in cells(other_rules(comparison), "AUC")["pytracking"]
    with pytest.raises(BadData, match="a \\(prediction 7 is"):
        make(tmp_path / "bad", broken=rows)


def test_every_row_has_others_of_its_kind() -> None:
    assert {name for kind in KINDS for name in kind} == set(RULES)
    for name in RULES:
        assert name in rules_of_one_kind(name)


def test_a_comparison_by_other_rules_counts_everything_by_them(tmp_path: Path) -> None:
    by_stark = make(tmp_path)
    plain = compare(open_dataset("folder", tmp_path / "data"), {"oracle": tmp_path / "results" / "folder" / "oracle"})
    assert (by_stark.rules.name, plain.rules.name) == ("stark", "sightline")
    for comparison in (by_stark, plain):
        [entry] = comparison.entries
        assert entry.means["auc"] == pytest.approx(entry.curves.success.mean()) == pytest.approx(entry.sequences["a"]["auc"])
    assert by_stark.entries[0].means["auc"] == pytest.approx(0.75 * (plain.entries[0].means["auc"] or 0))
