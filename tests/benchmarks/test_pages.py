from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.pages import replace_table


def test_a_table_takes_the_place_of_the_one_of_its_name_and_no_other(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# a\n<!-- table: one -->\nold\n<!-- /table -->\nb\n<!-- table: two -->\nold\n<!-- /table -->\n")
    replace_table(page, "one", r"| \1 |")
    assert page.read_text() == "# a\n<!-- table: one -->\n| \\1 |\n<!-- /table -->\nb\n<!-- table: two -->\nold\n<!-- /table -->\n"


@pytest.mark.parametrize("count", [0, 2])
def test_a_page_without_one_place_for_the_table_stays_as_it_is(count: int, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(before := "<!-- table: one -->\nold\n<!-- /table -->\n" * count)
    with pytest.raises(SystemExit, match=f"has {count} blocks"):
        replace_table(page, "one", "new")
    assert page.read_text() == before
