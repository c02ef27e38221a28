"""Tables in the documentation are those of the results that lie in the repository, figure by figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import accuracy, callers, overhead, precision

ROOT = Path(__file__).parents[2]


def results(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_what_precisions_gave_is_what_was_measured() -> None:
    told = results("precision")
    assert precision.markdown([precision.Row(**row) for row in told["rows"]], told["setting"]) in page("docs/how-to/speed.md")


def test_the_table_of_the_readme_is_what_was_measured() -> None:
    told = results("accuracy")
    assert accuracy.markdown([accuracy.Row(**row) for row in told["rows"]], told["setting"]) in page("README.md")


def test_what_callers_are_worth_is_what_was_measured() -> None:
    told = results("callers")
    rows = [callers.Row(**row) for row in told["rows"]]
    table = callers.table(rows, targets=told["targets"], callers=told["callers"], cores=told["cores"])
    assert table in page("docs/how-to/several.md")


def test_what_frames_cost_outside_the_network_is_what_was_measured() -> None:
    assert overhead.ranges(results("overhead"), "1920x1080") in page("docs/how-to/speed.md")
