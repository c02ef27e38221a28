"""Tables of benchmarks in the README and the docs: each stands between `<!-- table: NAME -->` and `<!-- /table -->`."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["replace_table"]


def replace_table(page: Path, name: str, table: str) -> None:
    """Write a table in the place of the one that a page has.

    Raises:
        SystemExit: the page has no place of that name, or several.
    """
    block = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- /table -->)", re.DOTALL)
    text, count = block.subn(lambda match: f"{match[1]}{table}\n{match[2]}", page.read_text(encoding="utf-8"))
    if count != 1:
        raise SystemExit(f"{page} has {count} blocks between <!-- table: {name} --> and <!-- /table -->; expected one.")
    page.write_text(text, encoding="utf-8")
