"""`sightline zoo`: what can be tracked with, and from where it is to be had."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from sightline.spec import Spec

__all__ = ["zoo"]

PIPED_WIDTH = 120  # characters, enough for every row: a pipe has no width of its own


def zoo(*, as_json: Annotated[bool, tyro.conf.arg(name="json")] = False) -> None:
    """List the trackers that Sightline knows, and where their weights come from.

    "package" tracks at once: `sightline track VIDEO --box X,Y,W,H --tracker NAME`. For the others, get the authors'
    file and run `sightline convert FILE --output W.safetensors`. Figures are what was published, not measured by Sightline.

    Args:
        as_json: print a JSON list instead of a table.
    """
    from sightline.weights import builtin_names
    from sightline.zoo import SPECS

    inside = builtin_names()
    entries = [_entry(spec, inside=spec.name in inside) for spec in SPECS.values()]
    if as_json:
        print(json.dumps(entries, indent=2))
    else:
        _print_table(entries)


def _entry(spec: Spec, *, inside: bool) -> dict[str, Any]:
    return {
        "name": spec.name,
        "family": spec.family,
        "template": spec.template.size,
        "search": spec.search.size,
        "feed": list(spec.feed),
        "in_package": inside,
        "weights": spec.origin.weights,
        "weights_sha256": spec.origin.sha256,
        "license": spec.origin.license,
        "code": spec.origin.code,
        "paper": spec.origin.paper,
        "reported": [{"dataset": r.dataset, "metric": r.metric, "value": r.value, "source": r.source} for r in spec.reported],
    }


def _print_table(entries: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("tracker", no_wrap=True)
    table.add_column("crops", no_wrap=True, min_width=7)
    table.add_column("from", no_wrap=True, min_width=11)
    table.add_column("published", no_wrap=True)
    notes: dict[str, int] = {}  # what many trackers share is said once, below
    for entry in sorted(entries, key=lambda entry: not entry["in_package"]):
        note = f"weights: {entry['weights'] or 'not said'}; code: {entry['code']}{', ' * bool(entry['license'])}{entry['license']}"
        number = notes.setdefault(note, len(notes) + 1)
        where = f"package [{number}]" if entry["in_package"] else f"[{number}]"
        crops = f"{entry['template']}/{entry['search']}"
        table.add_row(*(Text(cell) for cell in (entry["name"], crops, where, _figures(entry["reported"]))))
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    console.print(table)
    for note, number in notes.items():
        console.print(Text(f"[{number}] {note}"), soft_wrap=True)
    console.print("The first published figure of each; --json has all, with their sources.")


def _figures(reported: list[dict[str, Any]]) -> str:
    """The first data set and metric, with the range of what was published for it."""
    if not reported:
        return ""
    dataset, metric = reported[0]["dataset"], reported[0]["metric"]
    given = [row["value"] for row in reported if (row["dataset"], row["metric"]) == (dataset, metric)]
    values = "–".join(f"{value:.3f}" for value in sorted({min(given), max(given)}))
    return f"{values} {dataset} {metric}"  # the value first: a narrow terminal cuts the end
