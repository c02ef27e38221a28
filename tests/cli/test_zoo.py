from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.cli import main
from sightline.cli.zoo import _short, entries, page
from sightline.weights import builtin_names
from sightline.zoo import SPECS
from sightline.zoo.measured import measured


def test_json_lists_every_tracker_and_which_are_in_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries.keys() == SPECS.keys()
    assert sorted(name for name, entry in entries.items() if entry["in_package"]) == builtin_names()
    nano = entries["vittrack-nano"]
    assert (nano["template"], nano["search"]) == (128, 256)
    assert "Apache-2.0" in nano["weights"]
    assert {row["metric"]: row["value"] for row in nano["reported"]}["auc"] == 0.486


def test_the_table_begins_with_what_can_be_used_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    names = [row[0] for row in rows if row and row[0] in SPECS]
    assert sorted(names) == sorted(SPECS)
    assert sorted(names[: len(builtin_names())]) == builtin_names()
    assert sum(" package [" in " ".join(row) and row[0] in SPECS for row in rows if row) == len(builtin_names())


def test_the_table_says_where_each_tracker_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    main(["zoo"])
    printed = " ".join(capsys.readouterr().out.split())
    for spec in SPECS.values():
        assert spec.origin.code in printed.replace(" ", "") or spec.origin.code in printed, spec.name


def test_sizes_and_parity_are_told_with_what_they_mean(capsys: pytest.CaptureFixture[str]) -> None:
    main(["zoo", "--json"])
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    nano = entries["kestrel-nano"]
    assert (nano["from"], entries["nanotrack-v2"]["from"], entries["ostrack-b256"]["from"]) == ("package", "download", "authors")
    assert nano["parameters"] < entries["ostrack-b256"]["parameters"]
    assert entries["ostrack-b256-ce"]["macs"] < entries["ostrack-b256"]["macs"]


def test_every_tracker_was_measured() -> None:
    assert measured().keys() == SPECS.keys(), "run `make zoo`"


def test_the_page_of_the_documentation_is_what_the_command_says() -> None:
    assert (Path(__file__).parents[2] / "docs" / "reference" / "zoo.md").read_text(encoding="utf-8") == page(entries()), "run `make zoo`"


@pytest.mark.parametrize(
    "number, text", [(None, "-"), (999, "999"), (70_710_272, "70.7 M"), (174_403, "174 k"), (2_340_000, "2.34 M"), (10**11, "100 G")]
)
def test_numbers_are_short(number: int | None, text: str) -> None:
    assert _short(number) == text
