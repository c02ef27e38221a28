"""Tables as markdown, csv and LaTeX: the best number of each column or row stands out, and the second."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Cell", "Column", "Table", "ranked_cells", "to_csv", "to_latex", "to_markdown"]

Cell: TypeAlias = "float | int | str | tuple[float, float] | None"  # two numbers are the ends of a range


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: its head.
        kind: "share" is a number in 0..1, in LaTeX printed in percent; "rate" has one decimal; anything else stands as it is.
        ranked: larger is better, and the best is to be seen; with `Table.rank` "rows" columns of one row are ranked.
    """

    title: str
    kind: Literal["text", "share", "rate", "count"] = "share"
    ranked: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns.

    Attributes:
        name: of its files.
        title: a few words.
        caption: what it shows, and by which rules.
        rank: which numbers compete with each other: those of a column, or those of a row.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    rank: Literal["columns", "rows"] = "columns"


def to_markdown(table: Table) -> str:
    """Best bold, second in italics."""
    head = "| " + " | ".join(_escaped(column.title, "|") for column in table.columns) + " |"
    line = "|" + "|".join("---" if column.kind == "text" else "---:" for column in table.columns) + "|"
    marks = {0: "", 1: "**", 2: "*"}
    rows = [
        "| " + " | ".join(f"{marks[place]}{_escaped(text, '|')}{marks[place]}" for text, place in row) + " |"
        for row in ranked_cells(table, 4)
    ]
    return "\n".join([head, line, *rows]) + "\n"


def to_csv(table: Table) -> str:
    """Every digit, nothing marked; an empty cell where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.title for column in table.columns])
    writer.writerows(
        [["" if cell is None else f"{cell[0]} to {cell[1]}" if isinstance(cell, tuple) else cell for cell in row] for row in table.rows]
    )
    return text.getvalue()


def to_latex(table: Table) -> str:
    """A `table` for the package booktabs: shares in percent, best bold, second underlined."""
    marks = {0: "{}", 1: "\\textbf{{{}}}", 2: "\\underline{{{}}}"}
    head = " & ".join(_tex(column.title) for column in table.columns)
    rows = [" & ".join(marks[place].format(_tex(text)) for text, place in row) + r" \\" for row in ranked_cells(table, 1, percent=True)]
    layout = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    return "\n".join(
        [
            r"\begin{table}  % \usepackage{booktabs}",
            r"\centering",
            rf"\caption{{{_tex(table.caption)} Shares in percent.}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{layout}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def ranked_cells(table: Table, decimals: int, *, percent: bool = False) -> list[list[tuple[str, int]]]:
    """Every cell as text, and its place: 1 best, 2 second, 0 neither. Numbers that print alike share a place.

    Args:
        table: what is shown.
        decimals: of shares.
        percent: shares times 100.
    """
    texts = [
        [_text(cell, column, decimals, percent=percent) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows
    ]
    places = [[0] * len(table.columns) for _ in table.rows]
    shown = [i for i, column in enumerate(table.columns) if column.ranked and column.kind != "text"]
    groups = (
        [[(row, i) for row in range(len(table.rows))] for i in shown]
        if table.rank == "columns"
        else [[(row, i) for i in shown] for row in range(len(table.rows))]
    )
    for group in groups:
        numbers = {(row, i): float(texts[row][i]) for row, i in group if isinstance(table.rows[row][i], (int, float))}
        best = sorted(set(numbers.values()), reverse=True)[:2]
        if len(numbers) > 1:
            for (row, i), number in numbers.items():
                places[row][i] = best.index(number) + 1 if number in best else 0
    return [list(zip(text, place, strict=True)) for text, place in zip(texts, places, strict=True)]


def _text(cell: Cell, column: Column, decimals: int, *, percent: bool) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, tuple):
        return " to ".join(_text(end, column, decimals, percent=percent) for end in cell)
    if isinstance(cell, str) or column.kind in ("text", "count"):
        return str(cell)
    if column.kind == "rate":
        return f"{cell:.1f}"
    return f"{100 * cell if percent else cell:.{decimals}f}"


def _escaped(text: str, characters: str) -> str:
    return "".join(f"\\{character}" if character in characters else character for character in text)


def _tex(text: str) -> str:
    """Characters that mean something to LaTeX, as characters."""
    return "".join(_TEX.get(character, character) for character in text)


_TEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
