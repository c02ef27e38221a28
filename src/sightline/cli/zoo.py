"""`sightline zoo`: what can be tracked with, from where it is to be had, how large it is, and how it was checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sightline.cli.arguments import Json

__all__ = ["entries", "page", "zoo"]

PREFACE = (
    "Parameters and multiply-accumulates (MACs) of one frame are counted by us, attention included; where a template is read once and apart,",
    "that is not in them. *Parity* counts the recorded outputs of the authors' own code which ours reproduces, and how near the nearest comes to",
    "its limit (1e-4 of an output's standard deviation, 0.01 pixels for boxes). *Published* figures are the authors', never ours.",
)
PIPED_WIDTH = 150  # characters, enough for every row: a pipe has no width of its own


def zoo(*, as_json: Json = False) -> None:
    """List the trackers that Sightline knows: their size, how they were checked, and where their weights come from.

    "package" tracks at once: `sightline track VIDEO --box X,Y,W,H --tracker NAME`; "download" after `sightline download NAME`.
    For the others, get the authors' file and run `sightline convert FILE --output W.safetensors`. Parameters and
    multiply-accumulates of a frame are counted by Sightline, attention included; published figures are not measured by it.

    Args:
        as_json: print a JSON list instead of a table.
    """
    if as_json:
        print(json.dumps(entries(), indent=2))
    else:
        _print_table(entries())


def entries() -> list[dict[str, Any]]:
    """One entry for each tracker, those in the package first."""
    from sightline.weights import builtin_names
    from sightline.zoo import SPECS
    from sightline.zoo.measured import measured

    inside, sizes = builtin_names(), measured()
    told = []
    for spec in sorted(SPECS.values(), key=lambda spec: spec.name not in inside):
        origin, size = spec.origin, sizes.get(spec.name)
        there = "package" if spec.name in inside else "download" if origin.url else "authors"
        told.append(
            {
                "name": spec.name,
                "family": spec.family,
                "template": spec.template.size,
                "search": spec.search.size,
                "feed": list(spec.feed),
                "parameters": size and size.parameters,
                "macs": size and size.macs,
                "template_macs": size and size.template_macs,
                "parity": asdict(size.parity) if size and size.parity else None,
                "from": there,
                "in_package": there == "package",
                "weights": origin.weights,
                "weights_url": origin.url,
                "weights_sha256": origin.sha256,
                "license": origin.license,
                "code": origin.code,
                "paper": origin.paper,
                "reported": [asdict(figure) for figure in spec.reported],
            }
        )
    return told


def page(told: Sequence[dict[str, Any]]) -> str:
    """The same as a page of the documentation."""
    lines = [
        "# Trackers",
        "",
        "Written by `make zoo`; `sightline zoo` prints the same on a terminal, `sightline zoo --json` with every source.",
        "",
        *PREFACE,
    ]
    for family in dict.fromkeys(entry["family"] for entry in told):
        members = [entry for entry in told if entry["family"] == family]
        lines += ["", f"## {family}", "", _parity_in_words(members[0]["parity"]), ""]
        lines += ["| tracker | crops | parameters | MACs | from | published |", "|---|---|---|---|---|---|"]
        lines += [
            f"| `{entry['name']}` | {entry['template']}/{entry['search']} | {_short(entry['parameters'])} | {_short(entry['macs'])} "
            f"| {entry['from']} | {_figures(entry['reported'])} |"
            for entry in members
        ]
        lines += ["", *dict.fromkeys(f"- {_note(entry)}" for entry in members)]
    return "\n".join(lines) + "\n"


def _print_table(told: Sequence[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from sightline.cli.console import Tables

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("tracker", no_wrap=True)
    table.add_column("crops", no_wrap=True, min_width=7)
    for title in ("params", "MACs", "parity"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("from", no_wrap=True, min_width=11)
    table.add_column("published", no_wrap=True)
    notes: dict[str, int] = {}  # what many trackers share is said once, below
    for entry in told:
        number = notes.setdefault(_note(entry), len(notes) + 1)
        parity = entry["parity"]
        cells = (
            entry["name"],
            f"{entry['template']}/{entry['search']}",
            _short(entry["parameters"]),
            _short(entry["macs"]),
            f"{parity['passed']}/{parity['fixtures']}" if parity else "-",
            f"{entry['from']} [{number}]",
            _figures(entry["reported"]),
        )
        table.add_row(*(Text(cell) for cell in cells))
    console = Tables(PIPED_WIDTH)
    console.print(table)
    for note, number in notes.items():
        console.print(Text(f"[{number}] {note}"), soft_wrap=True)
    console.print(
        "parity: recorded outputs of the authors' code that ours reproduces, by family. Published: the first figure of each. --json has all.",
        soft_wrap=True,
    )


def _note(entry: dict[str, Any]) -> str:
    code = ", ".join(word for word in (entry["code"], entry["license"]) if word)
    return f"weights: {entry['weights'] or 'not said'}{'; code: ' * bool(code)}{code}"


def _parity_in_words(parity: dict[str, Any] | None) -> str:
    if parity is None:
        return "Parity: nothing is recorded of it."
    return (
        f"Parity: {parity['passed']} of {parity['fixtures']} recorded outputs; nearest to its limit is `{parity['worst']}` "
        f"({parity['output']}: {parity['difference']:.1e} of {parity['allowed']:.0e})."
    )


def _short(number: int | None) -> str:
    """A number in thousands, millions or billions with three digits."""
    if number is None:
        return "-"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            value = number / limit
            return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {unit}"
    return str(number)


def _figures(reported: Sequence[dict[str, Any]]) -> str:
    """The first data set and metric, with the range of what was published for it."""
    if not reported:
        return ""
    dataset, metric = reported[0]["dataset"], reported[0]["metric"]
    given = [row["value"] for row in reported if (row["dataset"], row["metric"]) == (dataset, metric)]
    values = "–".join(f"{value:.3f}" for value in sorted({min(given), max(given)}))
    return f"{values} {dataset} {metric}"  # the value first: a narrow terminal cuts the end
