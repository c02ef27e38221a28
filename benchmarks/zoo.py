"""Measure every tracker of the zoo: its size, and how far its family is from recorded outputs of the authors' code.

    python benchmarks/zoo.py [--golden DIR]

Writes src/sightline/zoo/measured.json, which `sightline zoo` shows, and docs/reference/zoo.md. Sizes are counted on shapes alone (a minute);
with --golden every recorded output below DIR is run again (an hour on two cores); without it the parities stay as they were.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the recorded outputs are compared by tests.golden.check

from sightline import zoo  # noqa: E402  # needs the path
from sightline.cli.zoo import entries, page  # noqa: E402
from sightline.models.count import size_of  # noqa: E402

MEASURED = ROOT / "src" / "sightline" / "zoo" / "measured.json"
PAGE = ROOT / "docs" / "reference" / "zoo.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description="Measure every tracker of the zoo.")
    parser.add_argument("--golden", type=Path, metavar="DIR", help="recorded outputs, one folder for each system")
    given = parser.parse_args(arguments)
    parity = json.loads(MEASURED.read_text())["parity"] if MEASURED.exists() else {}
    if given.golden:
        parity = parities(given.golden)
    MEASURED.write_text(json.dumps({"sizes": sizes(), "parity": parity}, indent=1) + "\n")
    PAGE.write_text(page(entries()))
    print(f"{MEASURED}\n{PAGE}")


def sizes() -> dict[str, dict[str, Any]]:
    """The size of every tracker by its name."""
    told = {}
    for spec in zoo.SPECS.values():
        size = size_of(spec)
        told[spec.name] = {
            "family": spec.family,
            "parameters": size.parameters,
            "macs": size.macs,
            "template_macs": size.template_macs,
        }
    return told


def parities(golden: Path) -> dict[str, dict[str, Any]]:
    """How each family agrees with the recorded outputs of its systems."""
    from tests.golden import check

    rows: dict[str, list[check.Row]] = {}
    for path in check.find([golden]):
        case = check.case_of("/".join(check.name_of(path)))
        family = case and case.get("family", case["runner"])
        if family in zoo.FAMILIES:
            [row] = check.check_all([path])
            print(check.line_of(row), flush=True)
            rows.setdefault(family, []).append(row)
    return {family: parity(found) for family, found in sorted(rows.items())}


def parity(rows: Sequence[Any]) -> dict[str, Any]:
    """One family's rows in one: how many agree, and the one that is nearest to its limit, or farthest beyond it."""
    failed = [row for row in rows if row.worst is None]
    worst = failed[0] if failed else max(rows, key=lambda row: row.worst / max(row.allowed, 1e-12))
    return {
        "fixtures": len(rows),
        "passed": sum(row.verdict == "pass" for row in rows),
        "worst": f"{worst.system}/{worst.config}",
        "output": worst.output,
        "difference": float("nan") if worst.worst is None else worst.worst,
        "allowed": worst.allowed or 0.0,
    }


if __name__ == "__main__":
    main()
