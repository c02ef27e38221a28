from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from sightline.evaluate.rules import RULES, CurveRule, Rules


def test_rows_are_found_by_their_names() -> None:
    assert all(rules.name == name for name, rules in RULES.items())


def test_a_row_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        RULES["otb"].scale = 2.0  # type: ignore[misc]  # that is the point


def test_no_two_rows_say_the_same_under_two_names() -> None:
    seen: dict[tuple[object, ...], str] = {}
    for rules in RULES.values():
        said = tuple(getattr(rules, field.name) for field in fields(Rules) if field.name != "name")
        twin = seen.setdefault(said, rules.name)
        assert {twin, rules.name} in ({rules.name}, {"got10k-uav123", "got10k-lasot"})  # one rule, two data sets


@pytest.mark.parametrize("rules", RULES.values(), ids=lambda rules: str(rules.name))
def test_a_score_that_is_one_value_is_at_the_threshold_that_papers_name(rules: Rules) -> None:
    def at(rule: CurveRule) -> float | None:
        return rule.thresholds[rule.score] if isinstance(rule.score, int) else None

    assert at(rules.precision) in (None, 20.0, 5.0)
    assert at(rules.normal) in (None, 0.2)


def test_the_page_on_scores_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    code, shown = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", page, re.DOTALL).groups()  # type: ignore[union-attr]  # it is there
    exec(code, {"__name__": "page"})  # our own page
    assert capsys.readouterr().out.splitlines() == shown.splitlines()


def test_the_page_on_scores_names_every_toolkit() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert all(name.split("-")[0] in page for name in RULES)
